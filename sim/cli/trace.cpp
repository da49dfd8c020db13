#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "sim/cli/exit_codes.h"
#include "sim/cli/standard_output.h"
#include "sim/cli/subcommands.h"
#include "sim/timing/cycle_trace.h"
#include "sim/timing/live_observer.h"
#include "sim/trace/call_tree.h"
#include "sim/trace/formatter.h"
#include "sim/trace/reader.h"

namespace cli {
namespace {

struct TraceArguments {
  std::string file;
  trace::FormatOptions format;
  int vtl{-1};
  bool calls{}, cycles{};
  bool summary{};
  std::vector<std::string> symbols;
};

/// Feeds one kind of consumer with the records of a trace.
using Consumer = std::function<void(const trace::Record&)>;

struct Counts {
  uint64_t instructions{}, events{}, vtl_instructions[3]{};
  void on(const trace::Record& record) {
    if (const auto* executed = std::get_if<trace::InstructionRecord>(&record)) {
      ++instructions;
      ++vtl_instructions[static_cast<uint8_t>(executed->vtl)];
    } else {
      ++events;
    }
  }
};

/// Reads to the end or to the first thing that is wrong; records before that were shown.
support::Status read_all(trace::Reader& reader, uint64_t to, const StandardOutput& output,
                         const Consumer& consumer) {
  for (;;) {
    const support::Result<trace::Record*> record = reader.read();
    if (!record) return record.error();
    if (record.value() == nullptr || output.failed()) return support::Unit{};
    // Events may carry an instant a little before their neighbours', so stop only well behind the
    // end.
    const auto* executed = std::get_if<trace::InstructionRecord>(record.value());
    if (executed != nullptr && executed->at.ticks > to) return support::Unit{};
    consumer(*record.value());
  }
}

void print_summary(StandardOutput& output, const trace::Reader& reader, const Counts& counts) {
  for (const auto& [key, value] : reader.meta())
    if (key != "events")
      output.line(fmt::format("{:<16} {}", loader::printable(key), loader::printable(value)));
  output.line(fmt::format("{:<16} {} (VTL 0: {}, VTL 1: {}, VTL 2: {})", "instructions",
                          counts.instructions, counts.vtl_instructions[0],
                          counts.vtl_instructions[1], counts.vtl_instructions[2]));
  output.line(fmt::format("{:<16} {}", "events", counts.events));
}

/// Everything before the range is counted too, so that caches and TLB are as they were in the run.
support::Status show_cycles(trace::Reader& reader, const TraceArguments& arguments, loader::ImageCatalog& images,
                            StandardOutput& output) {
  if (reader.detail() != trace::Detail::Full)
    return support::Error{
        "a compact trace does not know which addresses were touched; record it with `airlock run --trace FILE --cycles`"};
  const trace::FormatOptions& format = arguments.format;
  const timing::CostTable costs;
  timing::TraceFeeder feeder{costs};
  timing::CycleTrace lines{{.vtl = format.vtl,
                            .from = format.from,
                            .to = format.to,
                            .events_only = format.events_only,
                            .image = format.image,
                            .json = format.json,
                            .colour = format.colour},
                           costs, images, [&](std::string_view line) { output.line(line); }};
  feeder.model().listen(lines);
  TRY(read_all(reader, format.to, output, [&](const trace::Record& record) { feeder.on(record); }));
  feeder.finish();
  const std::string doubt = feeder.doubt();
  if (doubt.empty()) return support::Unit{};
  return support::Error{doubt};
}

support::Status show(trace::Reader& reader, const TraceArguments& arguments,
                     loader::ImageCatalog& images, StandardOutput& output) {
  if (arguments.summary) {
    Counts counts;
    support::Status status =
        read_all(reader, ~uint64_t{0}, output, [&](const trace::Record& r) { counts.on(r); });
    print_summary(output, reader, counts);
    return status;
  }
  if (arguments.calls) {
    trace::CallTreePrinter tree{
        [&](const trace::RunLine& line) { output.line(trace::to_text(line)); },
        {.hypercalls = true}};
    support::Status status =
        read_all(reader, arguments.format.to, output, [&](const trace::Record& record) {
          const auto* event = std::get_if<trace::EventRecord>(&record);
          if (event != nullptr && event->event.at.ticks >= arguments.format.from)
            tree.on(event->view());
        });
    tree.finish();
    return status;
  }
  if (arguments.cycles) return show_cycles(reader, arguments, images, output);
  trace::Formatter formatter{arguments.format, images,
                             [&](std::string_view line) { output.line(line); }};
  reader.skip_to(arguments.format.from);
  return read_all(reader, arguments.format.to, output,
                  [&](const trace::Record& record) { formatter.on(record); });
}

int run_trace(TraceArguments arguments) {
  if (arguments.vtl >= 0) arguments.format.vtl = static_cast<uint8_t>(arguments.vtl);
  arguments.format.colour = isatty(STDOUT_FILENO) != 0 && !arguments.format.json;
  auto reader = trace::Reader::open(arguments.file);
  if (!reader) {
    fmt::print(stderr, "airlock trace: {}\n", reader.error().message);
    return exit_bad_input;
  }
  if (arguments.format.registers && reader.value().detail() != trace::Detail::Full) {
    fmt::print(stderr, "airlock trace: {}: a compact trace has no registers; record it with `airlock run --trace FILE "
               "--trace-full`, or replay a recording up to the instant\n", arguments.file);
    return exit_bad_input;
  }
  loader::ImageCatalog images{arguments.symbols};
  StandardOutput output;
  const support::Status status = show(reader.value(), arguments, images, output);
  const bool written = output.finish();
  for (const std::string& complaint : images.complaints())
    fmt::print(stderr, "airlock trace: {}\n", complaint);
  if (!status) {
    fmt::print(stderr, "airlock trace: {}: {}\n", arguments.file, status.error().message);
    return exit_bad_input;
  }
  if (!written) {
    fmt::print(stderr, "airlock trace: {}\n", output.why());
    return exit_io;
  }
  return exit_ok;
}

}  // namespace

void register_trace(CLI::App& app, int& exit_code, std::string_view default_images) {
  const auto arguments = std::make_shared<TraceArguments>();
  if (!default_images.empty()) arguments->symbols.emplace_back(default_images);
  CLI::App* command =
      app.add_subcommand("trace", "Show the instructions and events of a recorded run");
  command->add_option("file", arguments->file, "The trace, as `airlock run --trace FILE` writes it")
      ->required();
  command->add_option("--vtl", arguments->vtl, "Only this virtual trust level")
      ->check(CLI::Range(0, 2));
  command->add_option("--from", arguments->format.from, "First instant, in instructions");
  command->add_option("--to", arguments->format.to, "Last instant");
  command->add_option("--image", arguments->format.image,
                      "Only this image, such as securekernel or lsaiso.exe");
  command->add_flag("--events-only", arguments->format.events_only, "No instructions");
  command->add_flag("--registers", arguments->format.registers,
                    "The registers before each instruction (of a full trace)");
  auto* cycles =
      command->add_flag("--cycles", arguments->cycles,
                        "With the cycle of each instruction, and each reference of each page-table walk");
  auto* calls =
      command->add_flag("--calls", arguments->calls, "VTL calls and hypercalls as a tree");
  auto* summary =
      command->add_flag("--summary", arguments->summary, "Only what was recorded and how much");
  auto* json = command->add_flag("--json", arguments->format.json, "JSON lines instead of text");
  calls->excludes(json)->excludes(summary);
  summary->excludes(json);
  cycles->excludes(calls)->excludes(summary);
  command->add_option("--symbols", arguments->symbols,
                      "Folder of images and PDBs (may be repeated)");
  command->footer(
      std::string{"Examples:\n"
                  "  airlock trace run.trace --vtl 1 --image securekernel\n"
                  "  airlock trace run.trace --from 4012698 --to 4012760 --registers\n"
                  "  airlock trace run.trace --events-only --json | grep Intercept\n\n"
                  "A compact trace, the default of `airlock run --trace`, knows which instructions were executed and "
                  "when.\nRegisters and the addresses of memory operands are in a full one (`--trace-full`), or come "
                  "from replaying a\nrecording.\n\n"} +
      exit_code_help);
  command->callback([arguments, &exit_code] { exit_code = run_trace(*arguments); });
}

}  // namespace cli
