#pragma once
// The TLB of the timing model: two levels, bounded, with replacement by use. It sees each access, which the machine's own
// TLB does not; what it holds changes cycles and nothing else.
#include <cstdint>

#include "sim/timing/cost_table.h"
#include "sim/timing/set_associative.h"

namespace timing {

/// Whose translation it is, as VPID, PCID and EP4TA tag them (section 8.5). A TLB belongs to one VP.
struct TlbTag {
  uint8_t vtl{};
  uint16_t pcid{};
  friend constexpr bool operator==(TlbTag, TlbTag) = default;
};

/// A combined translation of one page of 2^shift bytes.
struct TlbPage {
  uint64_t number{};  ///< GVA >> shift
  uint8_t shift{12};  ///< 12, 21 or 30
  TlbTag tag;
  bool global{}, dirty{};  ///< dirty: a write needs no further walk
  bool ram{true};
  uint64_t spa{}, gpa{};  ///< of the page
};

enum class TlbAnswer : uint8_t { First, Second, Miss };

class Tlb {
 public:
  explicit Tlb(const CostTable& costs);

  struct Lookup {
    TlbAnswer answer{TlbAnswer::Miss};
    TlbPage page;  ///< unless it was a miss
  };
  /// A write asks for an entry that is dirty; one that is not counts as a miss, and its walk replaces it.
  [[nodiscard]] Lookup look_up(TlbTag tag, uint64_t gva, bool code, bool write);
  void fill(const TlbPage& page, bool code);

  /// INVLPG: the page of this address, global or not.
  void invalidate_address(TlbTag tag, uint64_t gva);
  /// MOV to CR3: what is not global, of one PCID.
  void invalidate_pcid(TlbTag tag);
  /// Everything of one VTL.
  void invalidate_vtl(uint8_t vtl);

 private:
  using Pages = SetAssociative<TlbPage>;
  TlbPage* find(Pages& pages, TlbTag tag, uint64_t gva);
  template <class Predicate>
  void remove_if(Predicate predicate);

  Pages code_, data_, second_;
  bool has_2m_{}, has_1g_{};  ///< saves looking for what was never filled
};

}  // namespace timing
