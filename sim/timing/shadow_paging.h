#pragma once
// What the same guest work would cost without SLAT: the hypervisor keeps tables from GVA to SPA in software and hears of
// every change that the guest makes to its own (S10; SDM volume 3, the chapter on memory virtualisation, "virtual TLB").
//
//   - guest page tables that a shadow was built from are write-protected: each write to one exits and is emulated;
//   - MOV to CR3 and INVLPG exit; each page fault exits, and is reflected if it is the guest's own;
//   - a page that the shadow lacks, and the first write to a clean page, exit (hidden faults);
//   - a hypervisor may give up a table that the guest writes again and again, as it does when the page is no table any
//     more; until a walk uses it again, writes to it are free;
//   - in exchange a TLB miss walks one table of four levels instead of two.
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "sim/timing/caches.h"
#include "sim/timing/charge.h"
#include "sim/timing/tlb.h"

namespace timing {

struct ExitCount {
  uint64_t count{};
  Quarters cost{};
};

struct ShadowCounts {
  ExitCount hidden_faults;     ///< the shadow lacked the page
  ExitCount dirty_faults;      ///< ... or did not permit writing it yet
  ExitCount table_writes;      ///< writes to guest page tables
  ExitCount cr3_loads;
  ExitCount invalidations;     ///< INVLPG
  ExitCount reflected_faults;  ///< the guest's own page faults
  uint64_t dropped_entries{};
  uint64_t unprotected_tables{};  ///< given up, because the guest wrote them again and again
  uint64_t shadow_pages{};        ///< pages of memory that the shadow tables took
  [[nodiscard]] uint64_t exits() const {
    return hidden_faults.count + dirty_faults.count + table_writes.count + cr3_loads.count +
           invalidations.count + reflected_faults.count;
  }
  [[nodiscard]] Quarters exit_cost() const {
    return hidden_faults.cost + dirty_faults.cost + table_writes.cost + cr3_loads.cost +
           invalidations.cost + reflected_faults.cost;
  }
};

class ShadowPaging {
 public:
  ShadowPaging(const CostTable& costs, bool gives_up) : costs_{costs}, gives_up_{gives_up} {}

  /// Pages whose translations are gone: the caller takes them out of its TLB.
  using Dropped = std::vector<std::pair<TlbTag, uint64_t>>;

  /// A TLB miss: the walk of the shadow, after a hidden fault where it lacks the page. `cost.walk` is what the guest's
  /// tables say; levels and total are set to those of the shadow's walk. Returns what the exit cost, if there was one.
  Quarters miss(TlbTag tag, uint64_t cr3, WalkCost& cost, Caches& caches);
  /// Whether a write to this GPA would exit.
  [[nodiscard]] bool protects(uint64_t gpa) const { return tables_.contains(gpa >> 12); }
  /// A guest write to a protected page.
  Quarters write(uint64_t gpa, uint16_t size, Dropped& dropped);
  Quarters load_cr3();
  Quarters invalidate_address(TlbTag tag, uint64_t cr3, uint64_t gva);
  Quarters reflect_fault();
  /// Rights of guest physical pages changed: their shadow entries go.
  void protection_changed(uint8_t below_vtl, uint64_t first_gpa, uint64_t pages);

  [[nodiscard]] const ShadowCounts& counts() const { return counts_; }

 private:
  using SpaceKey = std::pair<uint8_t, uint64_t>;    // VTL, CR3
  using PageKey = std::pair<uint8_t, uint64_t>;     // shift, GVA >> shift
  using EntryKey = std::pair<SpaceKey, PageKey>;
  struct Entry {
    uint16_t pcid{};
    bool writable{};
    uint64_t gpa{};
  };
  struct Space {
    std::map<PageKey, Entry> entries;
    std::map<PageKey, uint64_t> tables;  ///< SPA of the shadow's own tables, by what one covers
  };
  struct GuestTable {
    uint32_t writes{};  ///< since a walk used it
    std::map<uint64_t, std::set<EntryKey>> dependents;  ///< by the GPA of the guest's entry
  };

  Quarters hidden_fault(Space& space, const SpaceKey& key, TlbTag tag, const WalkCost& cost, Caches& caches);
  void walk_shadow(Space& space, WalkCost& cost, Caches& caches);
  uint64_t table_address(Space& space, unsigned level, uint64_t gva);
  Quarters drop(const std::set<EntryKey>& entries, Dropped& dropped);
  static Entry* find(Space& space, uint64_t gva);

  const CostTable& costs_;
  bool gives_up_;
  std::map<SpaceKey, Space> spaces_;
  std::map<uint64_t, GuestTable> tables_;  ///< by GPA >> 12
  ShadowCounts counts_;
};

}  // namespace timing
