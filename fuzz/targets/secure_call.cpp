#include "fuzz/targets/secure_call.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/loader/pe_image.h"
#include "sim/support/prng.h"

namespace fuzzing {
namespace {

using abi::sk::Operation;
using abi::sk::SkCall;
using support::Instant;

enum Implemented : bool { No, Yes };

struct Service {
  const char* name;
  uint16_t code;
  bool implemented;
  const char* inputs;
};

constexpr Service services[] = {
#define SK_SERVICE(service, number, is_implemented, inputs, outputs) {#service, number, is_implemented, inputs},
#include "abi/sk/secure_services.def"
};

const Service* service_of(uint16_t code) {
  const auto* const found = std::find_if(std::begin(services), std::end(services), [&](const Service& s) { return s.code == code; });
  return found != std::end(services) ? found : nullptr;
}

constexpr size_t most_calls = 16;
constexpr uint32_t last_cookie = ~0u;
constexpr Instant boot_limit{4'000'000'000};

/// Where NTOS calls secure services in a boot.
class CallWatch final : public support::EventSink {
 public:
  void on(const support::Event& event) override {
    if (event.kind != support::EventKind::VtlCall || event.vp != 0 || event.frame == nullptr) return;
    SkCall call;
    std::memcpy(&call, event.frame, sizeof call);
    const Service* const service = service_of(call.code);
    const bool of_service = call.operation == static_cast<uint8_t>(Operation::SecureService);
    // When it shuts down there is nothing left to attack.
    if (of_service && service != nullptr && std::string_view{service->name} != "NotifyShutdown") last = event;
  }
  support::Event last;
};

/// A page that nobody uses: the highest of the guest's that holds nothing.
uint64_t unused_page(machine::Machine& machine) {
  const std::vector<uint64_t> used = machine.memory().pages_in_use();
  uint64_t page = machine.config().memory_bytes / abi::page_size - 1;
  while (page != 0 && std::binary_search(used.begin(), used.end(), page)) --page;
  return page;
}

}  // namespace

SecureCallTarget::SecureCallTarget(std::string guests, loader::GearSetting gear) : guests_{std::move(guests)}, gear_{gear} {}

support::Result<std::unique_ptr<machine::Machine>> SecureCallTarget::make(support::EventSink& events) const {
  constexpr uint64_t largest_firmware = 64 << 20;
  machine::MachineParts parts;
  parts.firmware = TRY(loader::read_file(guests_ + "/images/firmware.efi", largest_firmware));
  parts.disk = TRY(machine::DiskImage::open(guests_ + "/disk.img"));
  loader::MachineConfig config;
  config.gear = gear_;
  return machine::Machine::create(config, std::move(parts), &events);
}

support::Result<std::unique_ptr<machine::Machine>> SecureCallTarget::prepare(support::EventSink& events) {
  CallWatch calls;
  {
    const auto scout = TRY(make(calls));
    (void)scout->run(boot_limit);
  }
  if (calls.last.rip == 0) return support::Error{"secure_call: NTOS called no secure service in its boot: is VSM on?"};
  auto machine = TRY(make(events));
  call_ = calls.last.rip;
  machine->stop_before({call_}, calls.last.at);
  const machine::StopReason reason = machine->run(calls.last.at + 1);
  if (reason != machine::StopReason::Requested || machine->now() != calls.last.at || machine->processor().context().rip != call_)
    return support::Error{fmt::format("secure_call: the machine does not come to the call at instant {} again", calls.last.at.ticks)};
  scratch_ = unused_page(*machine);
  rax_ = machine->processor().shared.gpr[vtl::Rax];
  rcx_ = machine->processor().shared.gpr[vtl::Rcx];
  return machine;
}

SecureCallTarget::Calls SecureCallTarget::parse(std::span<const uint8_t> input) {
  Calls calls;
  if (input.empty()) return calls;
  calls.count = (input[0] & (most_calls - 1)) + size_t{1};
  const std::span<const uint8_t> rest = input.subspan(1);
  calls.frames = rest.first(std::min(rest.size(), calls.count * sizeof(SkCall)));
  calls.page = rest.subspan(calls.frames.size());
  calls.page = calls.page.first(std::min<size_t>(calls.page.size(), abi::page_size));
  return calls;
}

SkCall SecureCallTarget::Calls::at(size_t position) const {
  SkCall call{};
  const size_t from = std::min(position * sizeof call, frames.size());
  const size_t bytes = std::min(sizeof call, frames.size() - from);
  if (bytes != 0) std::memcpy(&call, frames.data() + from, bytes);
  return call;
}

void SecureCallTarget::begin(machine::Machine& machine, std::span<const uint8_t> input) {
  calls_ = parse(input);
  next_ = 0;
  (void)machine.memory().write(mmu::Spa{scratch_ * abi::page_size}, calls_.page);
}

Turn SecureCallTarget::next(machine::Machine& machine) {
  if (next_ == calls_.count) return Turn::Done;
  SkCall call = calls_.at(next_++);
  machine.change_processor(0, [&](vtl::VirtualProcessor& vp) {
    uint64_t words[sizeof call / 8];
    if (call.cookie == last_cookie) call.cookie = static_cast<uint32_t>(vp.shared.gpr[vtl::Rbx] >> 32);
    std::memcpy(words, &call, sizeof call);
    vp.context().rip = call_;
    vp.shared.gpr[vtl::Rax] = rax_;
    vp.shared.gpr[vtl::Rcx] = rcx_;
    vp.shared.gpr[vtl::Rbx] = words[0];
    for (size_t i = 0; i < abi::sk::parameter_count / 2; ++i) vp.shared.fp.xmm[10 + i] = {words[1 + 2 * i], words[2 + 2 * i]};
  });
  return Turn::Runs;
}

bool SecureCallTarget::answered(const machine::Machine& machine) const {
  const vtl::VirtualProcessor& vp = machine.processor();
  return vp.number == 0 && vp.active == vtl::Vtl::Vtl0 && vp.context().rip == call_ + call_bytes;
}

std::vector<std::string> SecureCallTarget::describe(std::span<const uint8_t> input) const {
  static constexpr const char* operations[] = {"ResumeThread", "SecureService", "FlushTb"};
  const Calls calls = parse(input);
  std::vector<std::string> lines;
  for (size_t i = 0; i < calls.count; ++i) {
    const SkCall call = calls.at(i);
    const Service* const service = service_of(call.code);
    std::string line = call.operation < std::size(operations) ? operations[call.operation] : fmt::format("operation {}", call.operation);
    if (call.operation == static_cast<uint8_t>(Operation::SecureService))
      line = service != nullptr ? fmt::format("{} ({})", service->name, call.code) : fmt::format("service {}", call.code);
    line += call.cookie == last_cookie ? ", cookie of the last answer" : fmt::format(", cookie {:#x}", call.cookie);
    for (size_t p = 0; p < abi::sk::parameter_count; ++p) {
      if (call.parameter[p] != 0) line += fmt::format(", +{:#x} = {:#x}", abi::sk::parameter_offset(p), call.parameter[p]);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<uint8_t> SecureCallTarget::input_of(const SkCall& call) {
  std::vector<uint8_t> input(1 + sizeof call);
  std::memcpy(input.data() + 1, &call, sizeof call);
  return input;
}

std::vector<std::vector<uint8_t>> SecureCallTarget::seeds() const {
  std::vector<std::vector<uint8_t>> result;
  for (const Service& service : services) {
    SkCall call{};
    call.operation = static_cast<uint8_t>(Operation::SecureService);
    call.code = service.code;
    result.push_back(input_of(call));
    if (std::string_view{service.inputs}.empty()) continue;
    for (uint64_t& parameter : call.parameter) parameter = scratch_;
    result.push_back(input_of(call));
  }
  return result;
}

std::vector<std::vector<uint8_t>> SecureCallTarget::dictionary() const {
  std::vector<std::vector<uint8_t>> words;
  for (const Service& service : services)
    words.push_back({static_cast<uint8_t>(Operation::SecureService), 0, static_cast<uint8_t>(service.code), static_cast<uint8_t>(service.code >> 8)});
  std::vector<uint8_t> page(8);
  std::memcpy(page.data(), &scratch_, page.size());
  words.push_back(std::move(page));
  return words;
}

/// Another service, another parameter, other bytes of the page, or one call more.
std::vector<uint8_t> SecureCallTarget::mutate(std::span<const uint8_t> input, size_t maximum, uint64_t seed) const {
  support::Prng random{seed, "secure_call"};
  std::vector<uint8_t> result{input.begin(), input.end()};
  if (result.size() < 1 + sizeof(SkCall)) result.resize(1 + sizeof(SkCall));
  const size_t count = std::min<size_t>((result[0] & (most_calls - 1)) + 1, (result.size() - 1) / sizeof(SkCall));
  const size_t at = 1 + random.below(count) * sizeof(SkCall);
  SkCall call;
  std::memcpy(&call, &result[at], sizeof call);
  const uint64_t interesting[] = {0, 1, ~uint64_t{0}, scratch_, scratch_ * abi::page_size, uint64_t{1} << 63, 0x1000, random.next()};
  switch (random.below(5)) {
    case 0:
      call.operation = static_cast<uint8_t>(random.one_in(4) ? random.below(4) : uint64_t{1});
      call.code = services[random.below(std::size(services))].code;
      break;
    case 1: call.parameter[random.below(abi::sk::parameter_count)] = interesting[random.below(std::size(interesting))]; break;
    case 2: call.parameter[random.below(abi::sk::parameter_count)] ^= uint64_t{1} << random.below(64); break;
    case 3: call.cookie = random.one_in(2) ? last_cookie : static_cast<uint32_t>(random.below(16)); break;
    default: result.push_back(static_cast<uint8_t>(random.next())); break;
  }
  std::memcpy(&result[at], &call, sizeof call);
  result.resize(std::min(result.size(), maximum));
  return result;
}

}  // namespace fuzzing
