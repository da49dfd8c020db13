// From the command line of `airlock debug` to a session.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "sim/cli/debug.h"
#include "sim/cli/exit_codes.h"
#include "sim/cli/recorded_parts.h"
#include "sim/loader/machine_file.h"
#include "sim/replay/recording_format.h"

namespace cli {
namespace {

using support::Error;
using support::Result;
using Timeline = std::unique_ptr<debugger::Timeline>;

/// A finding brings its own images where it has them: they are what was broken.
Result<machine::MachineParts> parts_of(const DebugArguments& arguments, const replay::Recording& recording, bool finding) {
  if (finding && recording.facts().embedded) return recorded_parts(recording);
  if (arguments.firmware.empty() && arguments.disk.empty()) return recorded_parts(recording);
  machine::MachineParts parts;
  if (recording.facts().embedded || arguments.firmware.empty() || arguments.disk.empty()) parts = TRY(recorded_parts(recording));
  if (!arguments.firmware.empty()) parts.firmware = TRY(loader::read_file(arguments.firmware, replay::maximum_firmware));
  if (!arguments.disk.empty()) parts.disk = TRY(machine::DiskImage::open(arguments.disk));
  return parts;
}

Result<Timeline> recorded_timeline(const DebugArguments& arguments, const replay::Recording& recording, bool finding) {
  machine::MachineParts parts = TRY(parts_of(arguments, recording, finding));
  if (const std::string why = replay::mismatch(recording.facts(), parts); !why.empty()) return Error{why};
  return debugger::Timeline::over(recording, std::move(parts));
}

Result<Timeline> live_timeline(const DebugArguments& arguments) {
  SessionOptions options = arguments.machine;
  options.firmware = arguments.firmware;
  options.disk = arguments.disk;
  const std::unique_ptr<Session> session = TRY(Session::open(options));
  return debugger::Timeline::over(session->config(), session->parts());
}

/// Where images and PDBs are looked for: the user's folders, that of the firmware, that of the build.
std::vector<std::string> symbol_folders(const DebugArguments& arguments) {
  std::vector<std::string> folders = arguments.symbols;
  if (!arguments.firmware.empty()) folders.push_back(std::filesystem::path{arguments.firmware}.parent_path().string());
  if (const std::string guests = guest_folder(); !guests.empty()) folders.push_back(guests + "/images");
  return folders;
}

/// The repository, if the program lies in a build folder of it.
std::vector<std::string> source_folders(const DebugArguments& arguments) {
  std::vector<std::string> folders = arguments.sources;
  std::error_code error;
  std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (int up = 0; up < 4 && folder.has_relative_path(); ++up, folder = folder.parent_path()) {
    if (!std::filesystem::exists(folder / "securekernel", error) || !std::filesystem::exists(folder / "vtl/abi", error)) continue;
    folders.push_back(folder.string());
    break;
  }
  return folders;
}

/// Through its index where it has one: what is between is checked when it is read. Reading all of a long one takes seconds.
Result<replay::Recording> open_recording(const std::string& file) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (!error)
    if (auto indexed = replay::Recording::open_indexed(file, size)) return indexed;
  return replay::Recording::open(file);  // it says what is wrong
}

bool is_machine_file(const std::string& file) { return file.empty() || file.ends_with(".toml"); }

/// Its recording, if the file is the folder of one; the file itself if not.
Result<std::string> recording_of(const std::string& file, DebugRun& run) {
  std::error_code error;
  if (!std::filesystem::is_directory(file, error)) return file;
  run.finding = rpc::read_finding(file);
  if (!run.finding->unreadable.empty()) return Error{fmt::format("{}: no finding that can be read: {}", file, run.finding->unreadable)};
  if (run.finding->recording.empty()) return Error{fmt::format("{}: the finding has no recording", file)};
  if (run.findings.empty()) run.findings = std::filesystem::absolute(run.finding->recording, error).parent_path().parent_path().string();
  return run.finding->recording;
}

support::Status open_recorded_run(const std::string& file, DebugRun& run, rpc::RunFacts& facts) {
  facts.recording = TRY(recording_of(file, run));
  run.recording = std::make_unique<replay::Recording>(TRY(open_recording(facts.recording)));
  facts.run = run.recording.get();
  if (run.recording->complete()) return support::Unit{};
  facts.complaints.push_back(run.recording->ending_text());
  fmt::print(stderr, "airlock debug: {}: {}; what is before that is used\n", facts.recording, run.recording->ending_text());
  return support::Unit{};
}

}  // namespace

Result<DebugRun, DebugFailure> open_for_debugging(const DebugArguments& arguments) {
  const auto failed = [](const Error& error, int code = exit_bad_input) { return DebugFailure{code, error.message}; };
  const std::string& file = arguments.machine.machine_file;
  DebugRun run;
  run.findings = arguments.findings;
  rpc::RunFacts facts{AIRLOCK_VERSION, "", nullptr, {}, arguments.other};
  if (!is_machine_file(file))
    if (const support::Status opened = open_recorded_run(file, run, facts); !opened) return failed(opened.error());
  facts.findings = run.findings;
  if (run.finding) facts.finding = run.finding->id;
  auto timeline = run.recording ? recorded_timeline(arguments, *run.recording, run.finding.has_value()) : live_timeline(arguments);
  if (!timeline) return failed(run.recording ? Error{facts.recording + ": " + timeline.error().message} : timeline.error());
  auto session = debugger::Session::over(std::move(timeline.value()), {symbol_folders(arguments), source_folders(arguments)});
  if (!session) return failed(session.error(), exit_environment);
  run.service = std::make_unique<rpc::Service>(std::move(session.value()), std::move(facts));
  return run;
}

}  // namespace cli
