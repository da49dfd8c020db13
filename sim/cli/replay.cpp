// airlock replay: a recorded run again.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include "sim/cli/cycles_watch.h"
#include "sim/cli/exit_codes.h"
#include "sim/cli/machine_subcommands.h"
#include "sim/cli/run_report.h"
#include "sim/cli/session.h"
#include "sim/cli/standard_output.h"
#include "sim/loader/pe_image.h"
#include "sim/replay/bisect.h"
#include "sim/replay/recheck.h"
#include "sim/replay/recorder.h"
#include "sim/replay/replayer.h"
#include "sim/timing/report.h"
#include "sim/trace/json_text.h"
#include "sim/trace/milestones.h"

namespace cli {
namespace {

struct ReplayArguments {
  std::string file, until, disk, firmware, kernel, initrd, gear;
  bool verify{}, any_images{}, info{}, json{}, quiet{}, cycles{};
  uint64_t cycles_from{~uint64_t{0}}, cycles_to{~uint64_t{0}}, from{};
  std::vector<std::string> bookmark;  ///< instant, text
};

int complain(int code, std::string_view message) {
  fmt::print(stderr, "airlock replay: {}\n", message);
  return code;
}

/// Where the images of the replayed machine come from.
class ImageSource {
 public:
  ImageSource(const replay::Recording& recording, const ReplayArguments& arguments)
      : recording_{recording}, arguments_{arguments} {}

  /// As the command line says, else as embedded, else those of the build.
  [[nodiscard]] support::Result<machine::MachineParts> chosen() const {
    if (recording_.facts().config.board == loader::Board::Pc) return kernel();
    if (embedded() && arguments_.disk.empty() && arguments_.firmware.empty()) return recording_.images();
    machine::MachineParts parts;
    if (embedded()) parts = TRY(recording_.images());
    const std::string folder = guest_folder();
    const std::string firmware =
        !arguments_.firmware.empty() ? arguments_.firmware : embedded() ? "" : folder + "/images/firmware.efi";
    const std::string disk = !arguments_.disk.empty() ? arguments_.disk : embedded() ? "" : folder + "/disk.img";
    if (folder.empty() && (arguments_.firmware.empty() || arguments_.disk.empty()) && !embedded()) {
      return support::Error{
          "the recording carries no images and those of the build were not found beside the program; name them with "
          "--firmware and --disk"};
    }
    if (!firmware.empty()) parts.firmware = TRY(loader::read_file(firmware, replay::maximum_firmware));
    if (!disk.empty() && recording_.facts().disk) parts.disk = TRY(machine::DiskImage::open(disk));
    return parts;
  }
  [[nodiscard]] bool embedded() const { return recording_.facts().embedded; }

 private:
  /// Kernels are nobody's but their owner's: embedded or named.
  [[nodiscard]] support::Result<machine::MachineParts> kernel() const {
    machine::MachineParts parts;
    if (embedded()) parts = TRY(recording_.images());
    else if (arguments_.kernel.empty())
      return support::Error{"the recording is of a kernel and does not carry it; name it with --kernel"};
    if (!arguments_.kernel.empty()) parts.firmware = TRY(loader::read_file(arguments_.kernel, replay::maximum_firmware));
    if (!arguments_.initrd.empty()) parts.initrd = TRY(loader::read_file(arguments_.initrd, replay::maximum_image));
    return parts;
  }

  const replay::Recording& recording_;
  const ReplayArguments& arguments_;
};

replay::SubjectFactory factory(const loader::MachineConfig& config, const replay::Recording& recording,
                               std::function<support::Result<machine::MachineParts>()> parts) {
  return [config, &recording, parts](support::EventSink* events) -> support::Result<std::unique_ptr<replay::Subject>> {
    machine::MachineParts images = TRY(parts());
    std::unique_ptr<machine::Machine> machine = TRY(machine::Machine::create(config, std::move(images), events));
    TRY(replay::Replayer::schedule(recording, *machine));
    return std::make_unique<replay::Subject>(std::move(machine));
  };
}

/// Looks for the first instruction that differs, if there is something to compare with: the recording's own gear or images
/// against those of this replay.
int explain_divergence(StandardOutput& out, const replay::Recording& recording, const replay::Divergence& divergence,
                       const loader::MachineConfig& config, const ImageSource& images, bool other_images) {
  out.print("\nThe replay diverges from the recording. All was equal up to instant {}.\n  {}\n", divergence.after.ticks,
             divergence.what);
  const bool other_gear = config.gear != recording.facts().config.gear;
  if (!other_gear && !other_images) {
    const auto again = replay::recheck(recording, divergence, factory(config, recording, [&] { return images.chosen(); }));
    if (!again) return complain(exit_internal, again.error().message);
    out.print(
        "{}To find the instruction, record the same run with the program that made this recording, more closely: `airlock run "
        "--record close.air --hash-window {}-{}`, and replay that with this one; once more with the smaller stretch that "
        "comes out. Or replay with what may be the cause: another --gear, or the recording's own images (--embed).\n",
        replay::to_text(again.value()), divergence.after.ticks, divergence.at.ticks + 1);
    return exit_different;
  }
  loader::MachineConfig recorded = recording.facts().config;
  const auto own_images = [&] { return images.embedded() ? recording.images() : images.chosen(); };
  if (other_images && !images.embedded()) return exit_different;
  const auto found = replay::first_difference(factory(config, recording, [&] { return images.chosen(); }), factory(recorded, recording, own_images),
                                              divergence.after, divergence.at + 1);
  if (!found) return complain(exit_internal, found.error().message);
  if (found.value()) out.print("Against the recording's own {}, {}", other_images ? "images" : "gear", to_text(*found.value()));
  else out.print("Run again, it does not diverge: this host does not compute the same thing twice.\n");
  return exit_different;
}

std::string ending_word(const replay::Foot& foot) { return word(replay::to_reason(static_cast<replay::Ending>(foot.ending))); }

void print_info(StandardOutput& out, const replay::Recording& recording) {
  const replay::Facts& facts = recording.facts();
  const auto line = [&](std::string_view name, std::string_view value) { out.print("{:<16} {}\n", name, value); };
  std::string config = replay::canonical(facts.config);
  for (char& c : config)
    if (c == '\t') c = ' ';
  out.text(config);
  line("semantics", fmt::format("{}", facts.semantics));
  line("engine", loader::printable(facts.engine));
  line("program", loader::printable(facts.program));
  line("firmware", replay::to_hex(facts.firmware.hash));
  line("disk", facts.disk ? replay::to_hex(facts.disk->hash) : "none");
  line("images", facts.embedded ? "embedded" : "not in the file");
  line("hashes", fmt::format("{}", recording.points().size()));
  line("events", fmt::format("{}", recording.events()));
  line("inputs", fmt::format("{}", recording.inputs().size()));
  line("keyframes", fmt::format("{}", recording.keyframes().size()));
  for (const auto& [name, count] : recording.statistics()) line("  " + loader::printable(name), fmt::format("{}", count));
  line("last instant", fmt::format("{}", recording.end().ticks));
  if (recording.complete()) line("ended by", ending_word(*recording.foot()));
  for (const replay::Bookmark& bookmark : recording.bookmarks())
    line("bookmark", fmt::format("{} {}", bookmark.at.ticks, loader::printable(bookmark.text)));
}

int add_bookmark(const ReplayArguments& arguments) {
  uint64_t instant = 0;
  if (!CLI::detail::lexical_cast(arguments.bookmark[0], instant))
    return complain(exit_usage, fmt::format("--bookmark {}: no instant", arguments.bookmark[0]));
  const auto added = replay::save_bookmark(arguments.file, {replay::BookmarkEdit::Kind::Add, 0, {instant}, arguments.bookmark[1]});
  return added ? static_cast<int>(exit_ok) : complain(exit_bad_input, added.error().message);
}

/// What the replay came to, for people or programs.
void print_result(StandardOutput& out, const ReplayArguments& arguments, Session& session, machine::StopReason stop,
                  const replay::Replayer& replayer, double seconds) {
  const RunReport report = report_of(session, stop, seconds);
  if (arguments.json) {
    trace::JsonLine json;
    json.text("stop", word(stop)).text("fingerprint", report.fingerprint).number("instructions", report.instructions);
    json.number("instant", session.machine().now().ticks).raw("verified", arguments.verify ? "true" : "false");
    json.number("hashes_equal", replayer.points_compared()).number("events_equal", replayer.events_compared());
    json.raw("reached_end", replayer.reached_end() ? "true" : "false");
    json.raw("diverged", replayer.divergence() ? "true" : "false");
    if (replayer.divergence()) json.text("divergence", replayer.divergence()->what);
    out.line(json.text("wall_seconds", fmt::format("{:.3f}", seconds)).line());
    return;
  }
  out.text(to_text(report, false));
  if (arguments.verify && !replayer.divergence())
    out.print("\nVerified: {} hashes and {} events are as recorded.\n", replayer.points_compared(), replayer.events_compared());
}

int run_replay(const ReplayArguments& arguments) {
  if (!arguments.bookmark.empty()) return add_bookmark(arguments);
  const auto opened = replay::Recording::open(arguments.file);
  if (!opened) return complain(exit_bad_input, opened.error().message);
  const replay::Recording& recording = opened.value();
  StandardOutput out;
  if (arguments.info) {
    print_info(out, recording);
    if (!out.finish()) return complain(exit_io, out.why());
    return recording.complete() ? exit_ok : complain(exit_bad_input, fmt::format("{}: {}", arguments.file, recording.ending_text()));
  }

  if (const std::string why = replay::mismatch(recording.facts()); !why.empty()) return complain(exit_environment, why);
  const ImageSource images{recording, arguments};
  auto parts = images.chosen();
  if (!parts) return complain(exit_environment, parts.error().message);
  const std::string other = replay::mismatch(recording.facts(), parts.value());
  if (!other.empty() && !arguments.any_images) return complain(exit_environment, other);

  loader::MachineConfig config = recording.facts().config;
  if (!arguments.gear.empty())
    config.gear = arguments.gear == "exact" ? loader::GearSetting::Exact : loader::GearSetting::Fast;
  if (arguments.cycles) config.gear = loader::GearSetting::Exact;
  auto made = Session::over(config, std::move(parts.value()), arguments.until);
  if (!made) return complain(exit_usage, made.error().message);
  Session& session = *made.value();
  replay::Replayer replayer{recording, arguments.verify};
  session.give(recording.inputs());
  session.listen(replayer);
  bool heard = true;
  trace::MilestonePrinter milestones{[&](const trace::RunLine& line) {
                                       if (heard && !arguments.quiet && !arguments.json) out.line(trace::to_text(line));
                                     },
                                     session.images(),
                                     {.images = false, .debug_print = false}};
  session.listen(milestones);
  if (const support::Status started = session.start(); !started) return complain(exit_environment, started.error().message);
  replay::Subject subject{session.machine()};
  const auto begun = replayer.begin_near(subject, {arguments.from});
  if (!begun) return complain(exit_bad_input, fmt::format("{}: {}", arguments.file, begun.error().message));
  heard = false;  // the names that were announced before are known, not announced again
  if (const support::Status told = replayer.tell_before(milestones); !told) return complain(exit_bad_input, told.error().message);
  heard = true;
  if (arguments.from != 0 && !arguments.json) out.print("The replay begins at instant {}.\n", begun.value().ticks);
  session.run_through([&](machine::Machine&, support::Instant deadline) { return replayer.run(subject, deadline); });
  const timing::CostTable costs;
  std::optional<CyclesWatch> cycles;
  if (arguments.cycles) {
    session.machine().observe(&cycles.emplace(session, costs).observer());
    if (arguments.cycles_from != ~uint64_t{0}) cycles->print(out, arguments.cycles_from, arguments.cycles_to);
  }

  const auto begin = std::chrono::steady_clock::now();  // tidy: report only
  const machine::StopReason stop = session.run();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;  // tidy: report only
  print_result(out, arguments, session, stop, replayer, elapsed.count());
  if (cycles) out.print("\n{}", timing::report_text(cycles->model(), cycles->ledger(), {}));
  if (replayer.divergence()) {
    const int code = arguments.json ? static_cast<int>(exit_different)
                                    : explain_divergence(out, recording, *replayer.divergence(), config, images, !other.empty());
    return out.finish() ? code : complain(exit_io, out.why());
  }
  if (!out.finish()) return complain(exit_io, out.why());
  if (!recording.complete() && replayer.reached_end())
    return complain(exit_bad_input, fmt::format("{}: {}", arguments.file, recording.ending_text()));
  return exit_ok;
}

}  // namespace

void register_replay(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<ReplayArguments>();
  CLI::App* command = app.add_subcommand("replay", "Repeat a recorded run");
  command->add_option("file", arguments->file, "The recording, as `airlock run --record FILE` writes it")->required();
  command->add_flag("--verify", arguments->verify, "Compare every hash and every event; name the first difference");
  command->add_option("--until", arguments->until, "Stop earlier, as in airlock run --until");
  auto* begin = command->add_option("--from", arguments->from,
                                    "Begin at the last keyframe at or before this instant (airlock run --keyframes)");
  command->add_option("--gear", arguments->gear, "exact or fast, instead of the recorded one; results are equal")
      ->check(CLI::IsMember({"exact", "fast"}));
  command->add_option("--firmware", arguments->firmware, "The firmware image, if it is not the build's");
  command->add_option("--disk", arguments->disk, "The disk image, if it is not the build's");
  command->add_option("--kernel", arguments->kernel, "The kernel of a run with --kernel that the recording does not carry");
  command->add_option("--initrd", arguments->initrd, "Its module");
  command->add_flag("--any-images", arguments->any_images,
                    "Replay although an image is not the recorded one, to see where the runs part (with --verify)");
  command->add_flag("--info", arguments->info, "Only what the file says about the run");
  command->add_option("--bookmark", arguments->bookmark, "Add a bookmark: an instant and a text")->expected(2);
  auto* cycles = command->add_flag("--cycles", arguments->cycles,
                                   "Count cycles and report where they went; they are those of the recorded run");
  auto* from = command->add_option("--cycles-from", arguments->cycles_from,
                                   "With --cycles: print each instruction with its cycle from this instant on");
  auto* to = command->add_option("--cycles-to", arguments->cycles_to, "... and up to this one");
  from->needs(cycles);
  to->needs(from);
  command->add_flag("-q,--quiet", arguments->quiet, "Only the end report");
  auto* json = command->add_flag("--json", arguments->json, "One JSON document instead of text");
  cycles->excludes(json)->excludes(begin);
  command->footer(std::string{"Examples:\n"
                              "  airlock run --record boot.air --embed     record a boot with its images\n"
                              "  airlock replay boot.air --verify          the same boot, checked\n"
                              "  airlock replay boot.air --verify --gear exact\n\n"} +
                  exit_code_help);
  command->callback([arguments, &exit_code] { exit_code = run_replay(*arguments); });
}

}  // namespace cli
