#pragma once
// One walk of the page tables as the timing model needs it, and where walks come from.
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mmu/access.h"
#include "sim/trace/record.h"

namespace mmu {
struct WalkReport;
}

namespace timing {

/// One memory reference of a walk (mmu::WalkReference without the value).
struct WalkStep {
  bool second_stage{};
  uint8_t level{};     ///< 5 to 1, of its own stage
  bool leaf{};
  uint64_t address{};  ///< SPA of the entry
  uint64_t gpa{};      ///< first stage: of the entry; second stage: the GPA under translation
};

struct Walk {
  static constexpr size_t max_steps = 29;  ///< as mmu::WalkReport has: five levels in the first stage, four in the second
  uint64_t gva{};
  mmu::AccessKind kind{};
  bool user{};
  bool granted{};
  bool global{}, dirty{}, ram{true};
  bool writable{};        ///< a write would be granted too
  bool sets_bits{};       ///< A or D bits are set on the way
  uint8_t page_shift{12}; ///< of the page that a TLB entry covers: the smaller of both stages
  uint64_t spa{}, gpa{};  ///< of the access, if granted
  uint8_t count{};
  std::array<WalkStep, max_steps> list{};
  [[nodiscard]] std::span<const WalkStep> steps() const { return {list.data(), count}; }
};

/// What memory says at the moment of an access. Asking changes nothing.
class WalkSource {
 public:
  virtual ~WalkSource() = default;
  /// `record` is the instruction that makes the access.
  virtual Walk walk(const trace::InstructionRecord& record, uint64_t gva, mmu::AccessKind kind) = 0;
};

[[nodiscard]] Walk to_walk(const mmu::WalkReport& report, const mmu::Access& access);

/// For an event of kind Walk in a trace: a walk as bytes, and back. The bytes may come from anywhere; nothing is
/// returned for those that no walk gives.
[[nodiscard]] std::string encode(const Walk& walk);
[[nodiscard]] std::optional<Walk> decode_walk(std::string_view bytes);

/// "PML4E", "EPT PDE".
[[nodiscard]] std::string_view name_of(const WalkStep& step);

}  // namespace timing
