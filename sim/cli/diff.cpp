// airlock diff: two recordings side by side.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "sim/cli/exit_codes.h"
#include "sim/cli/standard_output.h"
#include "sim/cli/machine_subcommands.h"
#include "sim/loader/pe_image.h"
#include "sim/replay/compare.h"
#include "sim/replay/replayer.h"
#include "sim/trace/json_text.h"

namespace cli {
namespace {

struct DiffArguments {
  std::string left, right;
  uint64_t limit{40};
  bool json{};
};

int complain(int code, std::string_view message) {
  fmt::print(stderr, "airlock diff: {}\n", message);
  return code;
}

void print_line(StandardOutput& out, const replay::DifferenceLine& line, bool json) {
  using Side = replay::DifferenceLine::Side;
  const bool left = line.side == Side::Left;
  const support::Event event = line.event.view();
  if (!json) {
    out.print("  {} {}\n", left ? '<' : '>', replay::to_text(event));
    return;
  }
  out.print("{}\n", trace::JsonLine{}
                         .text("side", left ? "left" : "right")
                         .number("tick", event.at.ticks)
                         .number("vp", event.vp)
                         .number("vtl", static_cast<uint64_t>(event.vtl))
                         .text("event", replay::to_text(event))
                         .line());
}

void print_totals(StandardOutput& out, const replay::Comparison& result, uint64_t shown, uint64_t limit) {
  if (shown > limit) out.print("  ... {} more (--limit)\n", shown - limit);
  out.print("\n{} events are equal", result.equal_events);
  if (result.first_event)
    out.print("; from the first difference on, {} are only on the left, {} only on the right, {} on both", result.only_left,
               result.only_right, result.common);
  out.print(".\n{}\n", result.equal()      ? "The runs are the same."
                        : result.same_end ? "The runs end in the same state."
                                          : "The runs do not end in the same state.");
}

void print_heads(StandardOutput& out, const replay::Comparison& result) {
  for (const std::string& fact : result.facts) out.print("{}\n", loader::printable(fact));
  if (!result.input.empty()) out.print("{}\n", result.input);
  if (result.first_state) out.print("first hash that differs: instant {}: {}\n", result.first_state->ticks, result.state);
  if (result.first_event) out.print("first event that differs: instant {}\n", result.first_event->ticks);
}

void print_json(StandardOutput& out, const replay::Comparison& result) {
  trace::JsonLine json;
  json.raw("equal", result.equal() ? "true" : "false").raw("same_end", result.same_end ? "true" : "false");
  if (result.first_state) json.number("first_state", result.first_state->ticks).text("state", result.state);
  if (result.first_event) json.number("first_event", result.first_event->ticks);
  if (!result.input.empty()) json.text("input", result.input);
  json.number("equal_events", result.equal_events).number("only_left", result.only_left);
  json.number("only_right", result.only_right).number("common", result.common);
  out.print("{}\n", json.line());
}

int run_diff(const DiffArguments& arguments) {
  const auto left = replay::Recording::open(arguments.left);
  if (!left) return complain(exit_bad_input, left.error().message);
  const auto right = replay::Recording::open(arguments.right);
  if (!right) return complain(exit_bad_input, right.error().message);

  StandardOutput out;
  // The heads come first on paper, but are known last.
  std::vector<replay::DifferenceLine> lines;
  uint64_t count = 0;
  const auto compared = replay::compare(left.value(), right.value(), [&](const replay::DifferenceLine& line) {
    if (++count <= arguments.limit) lines.push_back(line);
    return true;
  });
  if (!compared) return complain(exit_bad_input, compared.error().message);
  const replay::Comparison& result = compared.value();
  if (!arguments.json) print_heads(out, result);
  for (const replay::DifferenceLine& line : lines) print_line(out, line, arguments.json);
  if (arguments.json) print_json(out, result);
  else print_totals(out, result, count, arguments.limit);
  for (const auto* each : {&left, &right})
    if (!each->value().complete()) complain(exit_bad_input, each->value().ending_text());
  if (!out.finish()) return complain(exit_io, out.why());
  return result.equal() ? exit_ok : exit_different;
}

}  // namespace

void register_diff(CLI::App& app, int& exit_code) {
  const auto arguments = std::make_shared<DiffArguments>();
  CLI::App* command = app.add_subcommand("diff", "Compare two recordings: where they part and which events differ");
  command->add_option("left", arguments->left, "A recording")->required();
  command->add_option("right", arguments->right, "Another one")->required();
  command->add_option("--limit", arguments->limit, "How many differing events to show")->capture_default_str();
  command->add_flag("--json", arguments->json, "JSON lines instead of text");
  command->footer(std::string{"Example:\n"
                              "  airlock run machines/vsm.toml -q --record with.air\n"
                              "  airlock run machines/no-vsm.toml -q --record without.air\n"
                              "  airlock diff with.air without.air\n\n"} +
                  exit_code_help);
  command->callback([arguments, &exit_code] { exit_code = run_diff(*arguments); });
}

}  // namespace cli
