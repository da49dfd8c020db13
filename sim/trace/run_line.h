#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "sim/support/events.h"

namespace trace {

/// One line of what `airlock run` tells while the machine runs.
struct RunLine {
  support::Instant at;
  uint32_t vp{};
  abi::hv::Vtl vtl{};  ///< which level speaks
  unsigned depth{};    ///< of indentation
  std::string image;   ///< milestones: the image that speaks, or empty
  std::string text;
};
using RunLineSink = std::function<void(const RunLine&)>;

/// "    1,234,567  VTL1  securekernel.exe text", with two spaces of indentation per depth.
[[nodiscard]] std::string to_text(const RunLine& line);
/// "1,234,567".
[[nodiscard]] std::string grouped(uint64_t number);

}  // namespace trace
