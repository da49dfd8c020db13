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

Result<machine::MachineParts> parts_of(const DebugArguments& arguments, const replay::Recording& recording) {
  if (arguments.firmware.empty() && arguments.disk.empty()) return recorded_parts(recording);
  machine::MachineParts parts;
  if (recording.facts().embedded || arguments.firmware.empty() || arguments.disk.empty()) parts = TRY(recorded_parts(recording));
  if (!arguments.firmware.empty()) parts.firmware = TRY(loader::read_file(arguments.firmware, replay::maximum_firmware));
  if (!arguments.disk.empty()) parts.disk = TRY(machine::DiskImage::open(arguments.disk));
  return parts;
}

Result<Timeline> recorded_timeline(const DebugArguments& arguments, const replay::Recording& recording) {
  machine::MachineParts parts = TRY(parts_of(arguments, recording));
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

}  // namespace

Result<DebugRun, DebugFailure> open_for_debugging(const DebugArguments& arguments) {
  const auto failed = [](const Error& error, int code = exit_bad_input) { return DebugFailure{code, error.message}; };
  const std::string& file = arguments.machine.machine_file;
  DebugRun run;
  rpc::RunFacts facts{AIRLOCK_VERSION, "", {}, {}, arguments.other, arguments.findings};
  if (!is_machine_file(file)) {
    auto recording = open_recording(file);
    if (!recording) return failed(recording.error());
    run.recording = std::make_unique<replay::Recording>(std::move(recording.value()));
    facts.recording = file;
    facts.bookmarks = run.recording->bookmarks();
    if (!run.recording->complete()) {
      facts.complaints.push_back(run.recording->ending_text());
      fmt::print(stderr, "airlock debug: {}: {}; what is before that is used\n", file, run.recording->ending_text());
    }
  }
  auto timeline = run.recording ? recorded_timeline(arguments, *run.recording) : live_timeline(arguments);
  if (!timeline) return failed(run.recording ? Error{file + ": " + timeline.error().message} : timeline.error());
  auto session = debugger::Session::over(std::move(timeline.value()), {symbol_folders(arguments), source_folders(arguments)});
  if (!session) return failed(session.error(), exit_environment);
  run.service = std::make_unique<rpc::Service>(std::move(session.value()), std::move(facts));
  return run;
}

}  // namespace cli
