#include "sim/cli/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "abi/boot/firmware_handoff.h"
#include "sim/loader/machine_file.h"
#include "sim/loader/multiboot.h"
#include "sim/loader/pe_map.h"
#include "sim/replay/inputs.h"

namespace cli {
namespace {

/// Of kernels and their modules: what a recording can hold.
constexpr uint64_t maximum_kernel_file = uint64_t{16} << 20, maximum_initrd_file = uint64_t{1} << 30;

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

support::Status fill_in_paths(loader::MachineConfig& config) {
  if (!config.disk.empty() && !config.firmware.empty()) return support::Unit{};
  const std::string folder = guest_folder();
  if (folder.empty()) {
    return support::Error{
        "the guest images of the build were not found beside the program; build them with ./airlock build, or name "
        "[boot] disk and firmware in a machine file"};
  }
  if (config.disk.empty()) config.disk = folder + "/disk.img";
  if (config.firmware.empty()) config.firmware = folder + "/images/firmware.efi";
  return support::Unit{};
}

support::Status use_options(const SessionOptions& options, loader::MachineConfig& config) {
  if (options.gear) config.gear = *options.gear;
  if (!options.firmware.empty()) config.firmware = options.firmware;
  if (!options.disk.empty()) config.disk = options.disk;
  if (options.processors) config.processors = *options.processors;
  if (!options.memory.empty()) {
    const auto size = loader::parse_memory_size(options.memory);
    if (!size) {
      return support::Error{fmt::format("--memory is \"{}\"; allowed: {}", loader::printable(options.memory),
                                        loader::allowed_memory_sizes())};
    }
    config.memory_bytes = *size;
  }
  if (!options.kernel.empty()) {
    config.kernel = options.kernel;
    config.board = loader::Board::Pc;
  }
  if (!options.initrd.empty()) config.initrd = options.initrd;
  if (options.append) config.append = *options.append;
  if (!loader::is_command_line(config.append)) {
    return support::Error{
        fmt::format("--append takes printable ASCII, at most {} characters", loader::maximum_append)};
  }
  if (options.no_hypervisor) {
    config.hypervisor_launch_type = config.vsm_launch_type = loader::LaunchType::Off;
    config.hvci = loader::HvciSetting::Off;
  }
  const bool kernel_settings = !config.initrd.empty() || !config.append.empty();
  if (config.board == loader::Board::Native && kernel_settings)
    return support::Error{"an initrd or a command line is for a kernel, and none is named (--kernel)"};
  if (config.board == loader::Board::Pc && config.kernel.empty())
    return support::Error{"the machine's board is a PC, which begins with a kernel, and none is named (--kernel)"};
  return support::Unit{};
}

/// The files of a PC; `kernel` is read to say early what is wrong with it.
support::Result<machine::MachineParts> kernel_parts(const loader::MachineConfig& config) {
  machine::MachineParts parts;
  parts.firmware = TRY(loader::read_file(config.kernel, maximum_kernel_file));
  const auto image = loader::parse_kernel(parts.firmware);
  if (!image) return support::Error{fmt::format("{}: {}", config.kernel, image.error().message)};
  if (!config.initrd.empty()) parts.initrd = TRY(loader::read_file(config.initrd, maximum_initrd_file));
  return parts;
}

support::Result<std::vector<machine::Input>> read_inputs(const std::string& path) {
  const std::vector<uint8_t> bytes = TRY(loader::read_file(path, uint64_t{16} << 20));
  auto inputs = replay::parse_inputs({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  if (!inputs) return support::Error{fmt::format("{}: {}", path, inputs.error().message)};
  return inputs;
}

/// The machine would refuse it as well, but cannot name the file.
support::Status check_firmware(const std::string& path, const std::vector<uint8_t>& file) {
  const auto image = loader::PeImage::parse(file);
  if (!image) return support::Error{fmt::format("firmware {}: {}", path, image.error().message)};
  const auto mapped = loader::map_image(image.value(), abi::boot::firmware_base);
  if (!mapped) return support::Error{fmt::format("firmware {}: {}", path, mapped.error().message)};
  return support::Unit{};
}

}  // namespace

std::string guest_folder() {
  std::array<char, 4096> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size() - 1);
  if (length <= 0) return "";
  const std::string folder = folder_of({path.data(), static_cast<size_t>(length)}) + "/guests";
  return access(folder.c_str(), R_OK | X_OK) == 0 ? folder : "";
}

Session::Session(loader::MachineConfig config, machine::MachineParts parts,
                 std::vector<std::string> symbol_folders, StopCondition stop)
    : config_{std::move(config)},
      parts_{std::move(parts)},
      images_{std::move(symbol_folders)},
      stop_{std::move(stop)} {
  events_.add(totals_);
  events_.add(processes_);
  events_.add(hunter_);
  events_.add(last_words_);
}

support::Result<std::unique_ptr<Session>> Session::open(const SessionOptions& options) {
  loader::MachineConfig config;
  if (!options.machine_file.empty()) config = TRY(loader::read_machine_file(options.machine_file));
  TRY(use_options(options, config));
  StopCondition stop;
  if (!options.until.empty()) stop = TRY(StopCondition::parse(options.until));
  std::vector<machine::Input> inputs;
  if (!options.input_file.empty()) inputs = TRY(read_inputs(options.input_file));
  if (config.board == loader::Board::Pc) {
    machine::MachineParts parts = TRY(kernel_parts(config));
    std::unique_ptr<Session> session{new Session{std::move(config), std::move(parts), {}, std::move(stop)}};
    session->give(std::move(inputs));
    return session;
  }
  TRY(fill_in_paths(config));

  machine::MachineParts parts;
  parts.firmware = TRY(loader::read_file(config.firmware, uint64_t{16} << 20));
  TRY(check_firmware(config.firmware, parts.firmware));
  parts.disk = TRY(machine::DiskImage::open(config.disk));
  std::vector<std::string> symbols{folder_of(config.firmware)};
  std::unique_ptr<Session> session{
      new Session{std::move(config), std::move(parts), std::move(symbols), std::move(stop)}};
  session->give(std::move(inputs));
  return session;
}

support::Result<std::unique_ptr<Session>> Session::over(loader::MachineConfig config, machine::MachineParts parts,
                                                        const std::string& until) {
  StopCondition stop;
  if (!until.empty()) stop = TRY(StopCondition::parse(until));
  std::vector<std::string> symbols;
  if (const std::string folder = guest_folder(); !folder.empty()) symbols.push_back(folder + "/images");
  return std::unique_ptr<Session>{
      new Session{std::move(config), std::move(parts), std::move(symbols), std::move(stop)}};
}

support::Status Session::start() {
  if (stop_.by_event) {
    stop_listener_.emplace(stop_, [this] { machine_->request_stop(); });
    events_.add(*stop_listener_);
  }
  machine_ = TRY(machine::Machine::create(config_, std::move(parts_), &events_));
  for (const machine::Input& input : inputs_)
    if (const support::Status taken = machine_->schedule_input(input); !taken)
      return support::Error{fmt::format("{}: {}", replay::to_text(input), taken.error().message)};
  hunter_.attach(*machine_);
  return support::Unit{};
}

machine::StopReason Session::run() {
  const support::Instant limit{config_.instruction_limit != 0 ? config_.instruction_limit : ~uint64_t{0}};
  const support::Instant deadline = std::min(limit, stop_.instant);
  const machine::StopReason reason = runner_ ? runner_(*machine_, deadline) : machine_->run(deadline);
  if (reason == machine::StopReason::Deadline) {
    stopped_as_asked_ = machine_->now() >= stop_.instant;
    limit_reached_ = !stopped_as_asked_;
  }
  if (reason == machine::StopReason::Requested) stopped_as_asked_ = true;
  return reason;
}

std::string sentence(machine::StopReason reason, const machine::Machine& machine) {
  using enum machine::StopReason;
  switch (reason) {
    case Deadline: return "The instruction count asked for was reached.";
    case Requested: return "The event asked for happened.";
    case PowerOff: return "The machine was switched off by its guest.";
    case Reset: return "The guest asked for a reset; a run ends there.";
    case TripleFault:
      return fmt::format("Triple fault in VTL {} at {:#x}: the processor shut down.",
                         static_cast<unsigned>(machine.processor().active), machine.processor().context().rip);
    case Hung:
      if (*machine.detail() != 0) return fmt::format("The guest will never execute another instruction: {}.", machine.detail());
      return fmt::format("The processor waits in HLT at {:#x} and nothing will ever wake it.",
                         machine.processor().context().rip);
    case MachineFailure: return fmt::format("The machine cannot go on: {}.", machine.detail());
    case GuestExit: return fmt::format("The kernel ended the run with exit status {}.", machine.exit_status());
  }
  return "";
}

}  // namespace cli
