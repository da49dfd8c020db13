#include "sim/timing/cost_table.h"

#include <fmt/format.h>

#include <iterator>

#include "sim/trace/json_text.h"

namespace timing {
namespace {

constexpr CostRow rows[] = {
#define COST_CLASS(name, quarters, what, source) {#name, quarters, "quarters", what, source},
#include "sim/timing/cost_table.def"
#define COST(name, value, unit, what, source) {#name, value, unit, what, source},
#include "sim/timing/cost_table.def"
};

/// 1 quarter: "0.25 cycles".
std::string value_text(const CostRow& row) {
  if (row.unit != "quarters") return fmt::format("{} {}", row.value, row.unit);
  static constexpr std::string_view fractions[] = {"", ".25", ".5", ".75"};
  return fmt::format("{}{} cycles", row.value / quarters_per_cycle,
                     fractions[row.value % quarters_per_cycle]);
}

}  // namespace

std::span<const CostRow> cost_rows() { return rows; }

std::string_view name_of(InstructionClass kind) {
  const auto index = static_cast<size_t>(kind);
  return index < instruction_classes ? rows[index].name : "unknown";
}

std::string cost_table_text() {
  std::string text;
  for (const CostRow& row : rows)
    fmt::format_to(std::back_inserter(text), "{:<22} {:>15}  {}{}[{}]\n", row.name, value_text(row),
                   row.what, row.what.empty() ? "" : "  ", row.source);
  return text;
}

std::string cost_table_json() {
  std::string text;
  for (const CostRow& row : rows) {
    trace::JsonLine line;
    line.text("name", row.name).number("value", row.value).text("unit", row.unit);
    line.text("what", row.what).text("source", row.source);
    text += (text.empty() ? "[" : ",\n ") + line.line();
  }
  return text + "]\n";
}

}  // namespace timing
