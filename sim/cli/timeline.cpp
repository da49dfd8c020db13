// airlock seek: a position in a run, what was there, and who did it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "sim/cli/exit_codes.h"
#include "sim/cli/machine_subcommands.h"
#include "sim/cli/session.h"
#include "sim/cli/standard_output.h"
#include "sim/cli/timeline_report.h"
#include "sim/loader/machine_file.h"
#include "sim/replay/recording.h"

namespace cli {
namespace {

struct SeekArguments {
  std::string file, at, back, who_wrote, process, firmware, disk;
  int64_t step{};
  bool last{}, json{};
};

int complain(int code, std::string_view message) {
  fmt::print(stderr, "airlock seek: {}\n", message);
  return code;
}

support::Result<machine::MachineParts> parts_from(const std::string& firmware, const std::string& disk) {
  const std::string folder = guest_folder();
  if (folder.empty() && (firmware.empty() || disk.empty()))
    return support::Error{"the guest images of the build were not found beside the program; name --firmware and --disk"};
  machine::MachineParts parts;
  parts.firmware = TRY(loader::read_file(firmware.empty() ? folder + "/images/firmware.efi" : firmware, uint64_t{16} << 20));
  parts.disk = TRY(machine::DiskImage::open(disk.empty() ? folder + "/disk.img" : disk));
  return parts;
}

support::Result<std::unique_ptr<debugger::Timeline>> open(const SeekArguments& arguments,
                                                          std::optional<replay::Recording>& recording) {
  if (arguments.file.empty() || arguments.file.ends_with(".toml")) {
    loader::MachineConfig config;
    if (!arguments.file.empty()) config = TRY(loader::read_machine_file(arguments.file));
    machine::MachineParts parts = TRY(parts_from(arguments.firmware.empty() ? config.firmware : arguments.firmware,
                                                 arguments.disk.empty() ? config.disk : arguments.disk));
    return debugger::Timeline::over(config, std::move(parts));
  }
  recording.emplace(TRY(replay::Recording::open(arguments.file)));
  const bool embedded = recording->facts().embedded && arguments.firmware.empty() && arguments.disk.empty();
  machine::MachineParts parts = embedded ? TRY(recording->images()) : TRY(parts_from(arguments.firmware, arguments.disk));
  if (!recording->facts().disk) parts.disk.reset();
  return debugger::Timeline::over(*recording, std::move(parts));
}

/// To the instant or event that --at names.
support::Status move_to(debugger::Timeline& timeline, const SeekArguments& arguments) {
  if (arguments.at.empty()) {
    (void)timeline.seek(support::never);
    return support::Unit{};
  }
  const StopCondition wanted = TRY(StopCondition::parse(arguments.at));
  if (!wanted.by_event) {
    if (timeline.seek(wanted.instant) == debugger::Arrival::There) return support::Unit{};
    return support::Error{fmt::format("--at {}: the run ends at instant {}", arguments.at, timeline.now().ticks)};
  }
  const debugger::Conditions event{
      debugger::EventBreak{[wanted](const support::Event& seen) { return wanted.matches(seen); }}};
  if (arguments.last) (void)timeline.seek(support::never);
  const auto move = arguments.last ? timeline.reverse_continue(event) : timeline.run_to(event);
  if (move.arrival == debugger::Arrival::Hit) return support::Unit{};
  return support::Error{fmt::format("--at {}: this does not happen in the run", arguments.at)};
}

int run_seek(const SeekArguments& arguments) {
  std::optional<debugger::Target> back, question;
  for (const auto& [text, target] : {std::pair{&arguments.back, &back}, std::pair{&arguments.who_wrote, &question}}) {
    if (text->empty()) continue;
    auto parsed = debugger::Target::parse(*text);
    if (!parsed) return complain(exit_usage, parsed.error().message);
    *target = std::move(parsed.value());
  }
  std::optional<replay::Recording> recording;
  auto opened = open(arguments, recording);
  if (!opened) return complain(exit_bad_input, opened.error().message);
  debugger::Timeline& timeline = *opened.value();
  if (const support::Status moved = move_to(timeline, arguments); !moved) return complain(exit_usage, moved.error().message);
  if (arguments.step > 0) (void)timeline.step_forward(static_cast<uint64_t>(arguments.step));
  if (arguments.step < 0) (void)timeline.reverse_step(uint64_t{0} - static_cast<uint64_t>(arguments.step));

  StandardOutput out;
  TimelineReport report{timeline, out, arguments.process, arguments.json};
  if (back) {
    const support::Status went = report.go_back(*back);
    if (!went) return complain(exit_usage, went.error().message);
  }
  report.position();
  if (question) {
    const support::Status answered = report.who_wrote(*question);
    if (!answered) return complain(exit_usage, answered.error().message);
  }
  if (!timeline.complaint().empty())
    fmt::print(stderr, "airlock seek: {}: {}; it was passed over\n", arguments.file, timeline.complaint());
  if (const std::string why = timeline.history().complaint(); !why.empty())
    return complain(exit_bad_input, fmt::format("{}: {}", arguments.file, why));
  return out.finish() ? static_cast<int>(exit_ok) : complain(exit_io, out.why());
}

}  // namespace

void register_seek(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<SeekArguments>();
  CLI::App* command = app.add_subcommand("seek", "Any position of a run, forwards or backwards, and who wrote what before it");
  command->add_option("file", arguments->file, "A recording, or a machine file; without it, the default machine");
  command->add_option("--at,--event", arguments->at,
                      "Where: an instant, or the first event as for `airlock run --until`; without it, the end");
  command->add_flag("--last", arguments->last, "The last such event instead of the first");
  command->add_option("--step", arguments->step, "Then so many instructions forwards, or backwards if negative");
  command->add_option("--back", arguments->back,
                      "Then back to the last EVENT, rip:ADDRESS or rip:module!symbol, vtl:N, cr3:VALUE, or write to "
                      "gva:|gpa:|spa:ADDRESS[+BYTES][@VTL] or reg:NAME[@VTL][#VP]");
  command->add_option("--who-wrote", arguments->who_wrote,
                      "Who last wrote gva:|gpa:|spa:ADDRESS[+BYTES][@VTL], changed reg:NAME[@VTL][#VP], the page-table entry "
                      "pte:ADDRESS[@VTL][/LEVEL], or a VTL's rights to slat:GPA[@VTL]");
  command->add_option("--process", arguments->process, "Addresses are those of this process");
  command->add_option("--firmware", arguments->firmware, "The firmware image, if it is not the build's");
  command->add_option("--disk", arguments->disk, "The disk image, if it is not the build's");
  command->add_flag("--json", arguments->json, "JSON lines instead of text");
  command->footer(std::string{
      "Examples:\n"
      "  airlock seek boot.air --at vtl-call --step -3           three instructions before the first VTL call\n"
      "  airlock seek boot.air --at intercept --back protection  back to the last change of a protection\n"
      "  airlock seek boot.air --at intercept --who-wrote gva:2779cbb0000+10@0 --process lsaiso.exe\n"
      "  airlock seek boot.air --at 24_000_000 --who-wrote reg:cr3@1\n\n"} + exit_code_help);
  command->callback([arguments, &exit_code] { exit_code = run_seek(*arguments); });
}

}  // namespace cli
