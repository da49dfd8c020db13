#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include "sim/cli/code_view.h"
#include "sim/cli/cycles_watch.h"
#include "sim/cli/exit_codes.h"
#include "sim/cli/machine_subcommands.h"
#include "sim/cli/record_options.h"
#include "sim/cli/run_report.h"
#include "sim/cli/session.h"
#include "sim/cli/standard_output.h"
#include "sim/timing/report.h"
#include "sim/trace/call_tree.h"
#include "sim/trace/milestones.h"
#include "sim/trace/writer.h"

namespace cli {
namespace {

struct RunArguments {
  SessionOptions session;
  RecordOptions record;
  std::string trace_file;
  std::string gear;
  std::optional<std::string> append;
  bool quiet{}, verbose{}, json{}, events_only{}, full{}, cycles{};
  uint32_t cpus{};

  [[nodiscard]] bool traces_instructions() const { return !trace_file.empty() && !events_only; }
  /// Cycles are counted from the addresses that instructions touch.
  [[nodiscard]] trace::Detail detail() const {
    return full || cycles ? trace::Detail::Full : trace::Detail::Control;
  }
};

/// Prints lines as they come, or keeps them for the JSON document.
class Narrator {
 public:
  Narrator(const RunArguments& arguments, Session& session, StandardOutput& out)
      : out_{out},
        quiet_{arguments.quiet || session.boots_kernel()},
        json_{arguments.json},
        colour_{isatty(STDOUT_FILENO) != 0},
        milestones_{[this](const trace::RunLine& line) { say(line, milestone_lines_, "36"); },
                    session.images(),
                    {.images = arguments.verbose, .debug_print = arguments.verbose}},
        calls_{[this](const trace::RunLine& line) { say(line, call_lines_, ""); },
               {.hypercalls = arguments.verbose, .images = arguments.verbose, .debug_print = arguments.verbose}} {
    session.listen(calls_);  // first: an open call is printed before the milestones inside it
    session.listen(milestones_);
  }

  void finish() { calls_.finish(); }
  [[nodiscard]] bool colour() const { return colour_; }
  [[nodiscard]] const std::vector<trace::RunLine>& milestone_lines() const { return milestone_lines_; }
  [[nodiscard]] const std::vector<trace::RunLine>& call_lines() const { return call_lines_; }

 private:
  void say(const trace::RunLine& line, std::vector<trace::RunLine>& lines, const char* colour) {
    if (json_) {
      lines.push_back(line);
      return;
    }
    if (quiet_) return;
    if (colour_ && *colour != 0) out_.print("\x1b[{}m{}\x1b[0m\n", colour, trace::to_text(line));
    else out_.print("{}\n", trace::to_text(line));
  }

  StandardOutput& out_;
  bool quiet_, json_, colour_;
  std::vector<trace::RunLine> milestone_lines_, call_lines_;
  trace::MilestonePrinter milestones_;
  trace::CallTreePrinter calls_;
};

int complain(int code, std::string_view message) {
  fmt::print(stderr, "airlock run: {}\n", message);
  return code;
}

trace::Meta trace_meta(const loader::MachineConfig& config) {
  return {{"memory", fmt::format("{}", config.memory_bytes)}, {"seed", fmt::format("{}", config.seed)}};
}

/// What leaves a kernel's serial port, as it comes. A terminal or a test suite reads it, so that it stands alone on standard
/// output: the report goes to standard error.
class SerialOutput {
 public:
  explicit SerialOutput(StandardOutput& out) : out_{out} {}
  ~SerialOutput() { flush(); }
  void byte(uint8_t value) {
    pending_.push_back(static_cast<char>(value));
    if (value == '\n' || pending_.size() >= 4096) flush();
  }
  /// A run that somebody ends from outside has shown every line of its guest.
  void flush() {
    out_.text(pending_);
    (void)out_.finish();
    pending_.clear();
  }

 private:
  StandardOutput& out_;
  std::string pending_;
};

int verdict_for_the_shell(Session& session, const RunReport& report) {
  if (report.stop == machine::StopReason::GuestExit) return session.machine().exit_status();
  if (report.stop == machine::StopReason::PowerOff || session.stopped_as_asked()) return exit_ok;
  return complain(exit_abnormal,
                  fmt::format("{} The last milestone was: {}", report.stop_text, session.last_milestone()));
}

/// The trace that was asked for, listening already; null if none was.
support::Result<std::unique_ptr<trace::Writer>> start_trace(const RunArguments& arguments, Session& session,
                                                            CodeView& code) {
  if (arguments.trace_file.empty()) return std::unique_ptr<trace::Writer>{};
  auto writer = TRY(trace::Writer::create(arguments.trace_file, trace_meta(session.config()), &code,
                                          {.instructions = !arguments.events_only, .detail = arguments.detail()}));
  session.listen(*writer);
  return writer;
}

int run(RunArguments arguments) {
  if (arguments.gear == "exact" || arguments.cycles || arguments.traces_instructions()) {
    arguments.session.gear = loader::GearSetting::Exact;
  } else if (arguments.gear == "fast") {
    arguments.session.gear = loader::GearSetting::Fast;
  }
  arguments.session.append = arguments.append;
  if (arguments.cpus != 0) arguments.session.processors = arguments.cpus;
  auto opened = Session::open(arguments.session);
  if (!opened) return complain(exit_bad_input, opened.error().message);
  Session& session = *opened.value();

  StandardOutput out;
  Narrator narrator{arguments, session, out};
  CodeView code{session};
  auto traced = start_trace(arguments, session, code);
  if (!traced) return complain(exit_io, traced.error().message);
  trace::Writer* writer = traced.value().get();
  auto recorder = start_recording(session, arguments.record);
  if (!recorder) return complain(exit_io, recorder.error().message);
  if (const support::Status started = session.start(); !started) {
    return complain(exit_environment, started.error().message);
  }
  SerialOutput serial{out};
  if (session.boots_kernel() && !arguments.json)
    session.machine().listen_to_serial([&serial](uint8_t value) { serial.byte(value); });
  const timing::CostTable costs;
  std::optional<CyclesWatch> cycles;
  ObserverFanout observers;
  if (writer && !arguments.events_only) observers.add(*writer);
  if (arguments.cycles) {
    observers.add(cycles.emplace(session, costs).observer());
    if (arguments.traces_instructions()) cycles->observer().record_walks(writer);
  }
  if (!observers.empty()) session.machine().observe(&observers);

  // Wall time is for the reader alone; nothing in the machine sees it.
  const auto begin = std::chrono::steady_clock::now();  // tidy: report only
  const machine::StopReason stop = session.run();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;  // tidy: report only
  narrator.finish();
  serial.flush();

  const RunReport report = report_of(session, stop, elapsed.count());
  if (arguments.json) out.text(to_json(report, narrator.milestone_lines(), narrator.call_lines()));
  else if (!session.boots_kernel()) out.text(to_text(report, narrator.colour()));
  else if (!arguments.quiet) fmt::print(stderr, "{}", kernel_text(report));
  if (cycles) out.print("\n{}", timing::report_text(cycles->model(), cycles->ledger(), {}));
  if (writer) {
    if (const support::Status closed = writer->close(); !closed) return complain(exit_io, closed.error().message);
  }
  if (recorder.value()) {
    if (const support::Status closed = recorder.value()->close(); !closed) return complain(exit_io, closed.error().message);
  }
  if (!out.finish()) return complain(exit_io, out.why());
  return verdict_for_the_shell(session, report);
}

}  // namespace

void register_run(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<RunArguments>();
  CLI::App* command = app.add_subcommand("run", "Boot a machine and watch it");
  command->add_option("machine", arguments->session.machine_file, "A machine file; without it, the default machine");
  command->add_option("--until", arguments->session.until,
                      "Stop at an instruction count, or at the first vtl-call, vtl-return, hypercall[:Name], intercept, "
                      "exception[:vector], image[:name], process[:name], milestone[:text], print[:text], protection, "
                      "hypervisor, power-off");
  auto* trace = command->add_option("--trace", arguments->trace_file,
                                    "Record every instruction and event into this file: where and when, and the code");
  auto* full = command->add_flag("--trace-full", arguments->full,
                                 "With --trace: also registers and what is read from memory; twice the size");
  auto* events_only = command->add_flag("--events-only", arguments->events_only, "With --trace: no instructions");
  full->needs(trace)->excludes(events_only);
  command->add_option("--input", arguments->session.input_file,
                      "What arrives from outside, a line each: INSTANT serial \"text\\r\"  or  INSTANT serial 64 69 72 0d");
  add_record_options(*command, arguments->record);
  command->add_option("--gear", arguments->gear, "exact or fast: how instructions are counted; results are equal")
      ->check(CLI::IsMember({"exact", "fast"}));
  auto* cycles = command->add_flag("--cycles", arguments->cycles,
                                   "Count cycles and report where they went; with --trace, record the walks of page "
                                   "tables too, so that the trace can be read with its cycles");
  command->add_option("--kernel", arguments->session.kernel,
                      "Boot this Multiboot 1 kernel (ELF, flat or raw) on a PC; its serial port is standard output");
  command->add_option("--append", arguments->append, "With --kernel: its command line");
  command->add_option("--initrd", arguments->session.initrd, "With --kernel: a file to load beside it as a module");
  command->add_option("--memory", arguments->session.memory, "RAM of the machine, such as 64MiB");
  command->add_option("--cpus", arguments->cpus, "Processors of the machine")
      ->check(CLI::Range(1u, loader::maximum_processors));
  command->add_flag("--no-hypervisor", arguments->session.no_hypervisor,
                    "With --kernel: a plain PC, without the hypervisor and its CPUID leaves");
  auto* quiet = command->add_flag("-q,--quiet", arguments->quiet, "Only the end report");
  auto* verbose = command->add_flag("-v,--verbose", arguments->verbose, "Also images, guest output and hypercalls");
  auto* json = command->add_flag("--json", arguments->json, "One JSON document instead of text");
  quiet->excludes(verbose);
  cycles->excludes(json);
  command->footer(
      "Examples:\n"
      "  airlock run                                  the default machine, with VSM\n"
      "  airlock run machines/no-vsm.toml -q          the same thief on the same disk without VTL 1\n"
      "  airlock run --until intercept --trace t.atr  record up to the first intercept\n"
      "  airlock run --kernel k.elf --cpus 4          your own kernel on a PC; see docs/own-kernel.md");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace cli
