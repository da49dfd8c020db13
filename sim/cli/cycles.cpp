#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>

#include "sim/cli/cycles_watch.h"
#include "sim/cli/exit_codes.h"
#include "sim/cli/standard_output.h"
#include "sim/cli/machine_subcommands.h"
#include "sim/timing/comparison.h"
#include "sim/timing/report.h"
#include "sim/trace/reader.h"

namespace cli {
namespace {

struct CyclesArguments {
  SessionOptions session;
  std::string trace_file;
  std::vector<std::string> symbols;
  timing::ReportOptions report;
  bool json{}, shadow{}, table{};
};

int complain(int code, std::string_view message) {
  fmt::print(stderr, "airlock cycles: {}\n", message);
  return code;
}

int finish_output(StandardOutput& out, int code) {
  return out.finish() ? code : complain(exit_io, out.why());
}

std::string report_of(const CyclesArguments& arguments, const timing::CycleModel& model,
                      const timing::CallLedger& ledger) {
  return arguments.json ? timing::report_json(model, ledger, arguments.report)
                        : timing::report_text(model, ledger, arguments.report);
}

int cycles_of_machine(const CyclesArguments& arguments, StandardOutput& out) {
  SessionOptions options = arguments.session;
  options.gear = loader::GearSetting::Exact;
  auto opened = Session::open(options);
  if (!opened) return complain(exit_bad_input, opened.error().message);
  Session& session = *opened.value();
  ImageListener images{session.images()};
  session.listen(images);
  if (const support::Status started = session.start(); !started)
    return complain(exit_environment, started.error().message);

  const timing::CostTable costs;
  CyclesWatch watch{session, costs};
  std::optional<timing::Comparison> comparison;
  if (arguments.shadow) {
    const timing::CycleModel& shadow = watch.observer().add(timing::Paging::Shadow);
    comparison.emplace(
        timing::Comparison{watch.model(), shadow, watch.observer().add(timing::Paging::ShadowGivingUp)});
  }
  session.machine().observe(&watch.observer());
  const machine::StopReason stop = session.run();

  const std::string report = report_of(arguments, watch.model(), watch.ledger());
  if (!arguments.json) {
    out.print("{}{}\n{}\n", report, comparison ? timing::comparison_text(*comparison) : "",
               sentence(stop, session.machine()));
  } else if (comparison) {
    out.print("{{\"report\":{},\"comparison\":{}}}\n", report, timing::comparison_json(*comparison));
  } else {
    out.print("{}", report);
  }
  const bool good = stop == machine::StopReason::PowerOff || session.stopped_as_asked();
  return finish_output(out, good ? exit_ok : exit_abnormal);
}

int cycles_of_trace(const CyclesArguments& arguments, StandardOutput& out) {
  auto reader = trace::Reader::open(arguments.trace_file);
  if (!reader) return complain(exit_bad_input, reader.error().message);
  if (reader.value().detail() != trace::Detail::Full)
    return complain(exit_bad_input, arguments.trace_file + ": a compact trace does not know which addresses were touched; "
                                                           "record it with `airlock run --trace FILE --cycles`");
  loader::ImageCatalog images{arguments.symbols};
  const timing::CostTable costs;
  timing::TraceFeeder feeder{costs};
  timing::Phases phases{images};
  timing::CallLedger ledger{phases};
  ImageListener listener{images};
  feeder.model().listen(ledger);
  support::Status status = support::Unit{};
  for (;;) {
    auto record = reader.value().next();
    if (!record) status = record.error();
    if (!record || !record.value()) break;
    if (const auto* event = std::get_if<trace::EventRecord>(&*record.value())) listener.on(event->view());
    feeder.on(*record.value());
  }
  feeder.finish();
  const bool nothing = feeder.model().totals().instructions == 0;
  if (!nothing) out.print("{}", report_of(arguments, feeder.model(), ledger));
  if (!status) return complain(exit_bad_input, fmt::format("{}: {}", arguments.trace_file, status.error().message));
  if (const std::string doubt = feeder.doubt(); !doubt.empty())
    return complain(exit_bad_input, fmt::format("{}: {}", arguments.trace_file, doubt));
  if (nothing)
    return complain(exit_bad_input, fmt::format("{}: the trace has no instructions, so there is nothing to count",
                                                arguments.trace_file));
  return finish_output(out, exit_ok);
}

int run(const CyclesArguments& arguments) {
  StandardOutput out;
  if (arguments.table) {
    out.print("{}", arguments.json ? timing::cost_table_json() : timing::cost_table_text());
    return finish_output(out, exit_ok);
  }
  return arguments.trace_file.empty() ? cycles_of_machine(arguments, out) : cycles_of_trace(arguments, out);
}

}  // namespace

void register_cycles(CLI::App& app, int& exit_code, std::string_view default_images) {
  const auto arguments = std::make_shared<CyclesArguments>();
  if (!default_images.empty()) arguments->symbols.emplace_back(default_images);
  CLI::App* command = app.add_subcommand("cycles", "Count cycles: where those of each secure call went");
  auto* machine = command->add_option("machine", arguments->session.machine_file,
                                      "A machine file; without it, the default machine");
  auto* until = command->add_option("--until", arguments->session.until, "Stop as `airlock run --until` does");
  auto* file = command->add_option("--trace", arguments->trace_file,
                                   "Count those of a trace, as `airlock run --trace FILE --cycles` writes it");
  command->add_option("--symbols", arguments->symbols, "With --trace: folder of images and PDBs (may be repeated)");
  command->add_flag("--calls", arguments->report.each_call, "Also every single call");
  auto* shadow = command->add_flag("--shadow", arguments->shadow,
                                   "Also what the same work costs with shadow paging instead of SLAT");
  command->add_flag("--table", arguments->table, "Only print the cost table, with the source of each number");
  command->add_flag("--json", arguments->json, "One JSON document instead of text");
  file->excludes(machine)->excludes(until)->excludes(shadow);
  command->footer(std::string{"Examples:\n"
                              "  airlock cycles                               the boot of the default machine\n"
                              "  airlock cycles --shadow --until vtl-return   up to VTL 1's first return\n"
                              "  airlock cycles --table | grep choice         numbers that nobody measured\n\n"} +
                  exit_code_help);
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace cli
