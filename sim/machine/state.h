#pragma once
// The whole state of a machine at one instant, apart from any machine.
#include <cstdint>
#include <span>
#include <vector>

#include "sim/support/instant.h"
#include "sim/support/result.h"
#include "sim/support/state.h"
#include "sim/support/state_hash.h"

namespace machine {

/// Made by Machine::save(), or by state_from_bytes() from what nobody vouches for.
struct State {
  uint32_t semantics{};              ///< semantics_version of the machine that was saved
  support::StateHash configuration;  ///< Machine::configuration(): which machines it fits
  support::Instant at;
  std::vector<uint8_t> fields;    ///< everything but memory, as Machine lists it
  std::vector<uint64_t> pages;    ///< ascending numbers of the pages that are not all zeros
  std::vector<uint8_t> contents;  ///< of those, 4096 bytes each
  STATE_FIELDS(semantics, configuration, at, fields, pages, contents)

  [[nodiscard]] const uint8_t* page(size_t position) const { return contents.data() + position * 4096; }
};

[[nodiscard]] std::vector<uint8_t> to_bytes(const State& state);
/// Refuses what is no state, or a damaged one as far as its form tells; whether it fits a machine says Machine::restore().
[[nodiscard]] support::Result<State> state_from_bytes(std::span<const uint8_t> bytes);

/// The first byte that differs in each page that differs, as `memory[0x1234]`.
[[nodiscard]] std::vector<support::StateDifference> diff_memory(const State& a, const State& b);

}  // namespace machine
