#pragma once
// What people call the references of a walk, and which of them denied.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mmu/explain.h"

namespace debugger::views {

/// One reference of mmu::WalkReport, in words.
struct WalkWords {
  std::string_view name;  ///< "PDPTE"; of the second stage "S2 PDPTE"
  uint32_t index{};       ///< of the entry in its table
  std::string flags;      ///< those that are set: "P W U A D PS G NX"; of the second stage "r w kx ux"
  bool denied{};          ///< the translation ended because of this entry: at most one says so
};

/// Of each of report.references(), in their order. `space` is the one that was walked.
[[nodiscard]] std::vector<WalkWords> walk_words(const mmu::WalkReport& report, const mmu::AddressSpace& space);

}  // namespace debugger::views
