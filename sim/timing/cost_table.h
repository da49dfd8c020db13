#pragma once
// The numbers of the timing model, from cost_table.def.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace timing {

/// What an instruction costs by itself, before memory.
enum class InstructionClass : uint8_t {
#define COST_CLASS(name, quarters, what, source) name,
#include "sim/timing/cost_table.def"
};

inline constexpr size_t instruction_classes = 0
#define COST_CLASS(name, quarters, what, source) +1
#include "sim/timing/cost_table.def"
    ;

/// Quarters of a cycle: the unit in which everything is added up, in integers.
using Quarters = uint64_t;
inline constexpr Quarters quarters_per_cycle = 4;
[[nodiscard]] constexpr Quarters cycles(uint64_t whole) { return whole * quarters_per_cycle; }

/// One member per row, so that a test or an experiment may change a number.
struct CostTable {
  std::array<uint32_t, instruction_classes> class_quarters{
#define COST_CLASS(name, quarters, what, source) quarters,
#include "sim/timing/cost_table.def"
  };
#define COST(name, value, unit, what, source) uint32_t name{value};
#include "sim/timing/cost_table.def"

  [[nodiscard]] Quarters of(InstructionClass kind) const {
    return class_quarters[static_cast<size_t>(kind)];
  }
};

/// A row as the file states it.
struct CostRow {
  std::string_view name;
  uint32_t value{};
  std::string_view unit, what, source;
};
/// Classes first, then everything else, in the order of the file.
[[nodiscard]] std::span<const CostRow> cost_rows();
[[nodiscard]] std::string_view name_of(InstructionClass kind);

/// The table for people: one line per row.
[[nodiscard]] std::string cost_table_text();
/// The same as one JSON array.
[[nodiscard]] std::string cost_table_json();

}  // namespace timing
