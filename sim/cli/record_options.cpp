#include "sim/cli/record_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace cli {
namespace {

constexpr double million = 1 << 20;

constexpr uint64_t hashes_in_window = 4096;

support::Result<replay::CloseWindow> parse_window(const std::string& text) {
  const size_t dash = text.find('-');
  replay::CloseWindow window;
  const bool numbers = dash != std::string::npos && CLI::detail::lexical_cast(text.substr(0, dash), window.from.ticks) &&
                       CLI::detail::lexical_cast(text.substr(dash + 1), window.to.ticks);
  if (!numbers || window.to <= window.from) return support::Error{"--hash-window takes two instants, FROM-TO"};
  window.interval = (window.to - window.from + hashes_in_window - 1) / hashes_in_window;
  return window;
}

}  // namespace

void add_record_options(CLI::App& command, RecordOptions& options) {
  auto* record = command.add_option("--record", options.file,
                                    "Record how to repeat this run, and what came out, into this file (see airlock replay)");
  command.add_flag("--embed", options.embed, "With --record: put the images into the file")->needs(record);
  command
      .add_option("--hash-interval", options.interval,
                  "With --record: millions (2^20) of instructions between two hashes of the state")
      ->needs(record)
      ->check(CLI::Range(1 / million, 1e6))
      ->capture_default_str();
  command
      .add_option("--hash-window", options.window,
                  "With --record: FROM-TO, two instants between which there are up to 4,096 more hashes: one at each "
                  "instruction of a short stretch")
      ->needs(record);
  command
      .add_option("--keyframes", options.keyframes, "With --record: the state every N millions of instructions, where replay --from and seek can begin")
      ->needs(record);
}

support::Result<std::unique_ptr<replay::Recorder>> start_recording(Session& session, const RecordOptions& options) {
  if (options.file.empty()) return std::unique_ptr<replay::Recorder>{};
  replay::RecorderOptions wanted;
  wanted.program = AIRLOCK_VERSION;
  wanted.point_interval = std::max<uint64_t>(1, static_cast<uint64_t>(options.interval * million));
  wanted.keyframe_interval = options.keyframes << 20;
  wanted.embed = options.embed;
  if (!options.window.empty()) wanted.window = TRY(parse_window(options.window));
  auto recorder = TRY(replay::Recorder::create(options.file, session.config(), session.parts(), wanted));
  for (const machine::Input& input : session.inputs()) recorder->input(input);
  session.listen(*recorder);
  session.run_through([running = recorder.get()](machine::Machine& machine, support::Instant deadline) {
    return running->run(machine, deadline);
  });
  return recorder;
}

}  // namespace cli
