#pragma once
// Differences that are known, each with a name, a reason and a test that pins it (known_test.cpp). What a rule covers is taken
// out of a result; what is left is a failure.
#include <span>
#include <string_view>
#include <vector>

#include "tests/oracle/comparison.h"

namespace oracle {

/// Whose fault it is.
enum class Fault : uint8_t {
  Engine,  ///< Airlock's instruction engine differs from the processor
  Other,   ///< the other machine (KVM's emulator, or the host's rules) differs from the processor
  Vendor,  ///< AMD and Intel differ; Airlock follows what `text` says
};

struct KnownDifference {
  std::string_view name;
  Fault fault;
  std::string_view text;
};
std::span<const KnownDifference> known_differences();

/// Removes from `result` what is known of this program. Names of the rules that applied are added to `names`.
void forgive_known(const Program& program, const KvmKind& kind, Result& result,
                   std::vector<std::string_view>& names);

}  // namespace oracle
