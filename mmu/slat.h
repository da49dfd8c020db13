#pragma once
// Stage 2 of one partition and VTL: real EPT entries in pages that no guest can reach.
#include <cstdint>
#include <set>
#include <vector>

#include "mmu/access.h"
#include "mmu/physical_memory.h"
#include "sim/support/state_fields.h"

namespace mmu {

/// Pages for SLAT tables, out of a region of RAM that no SLAT maps, and out of pages that were
/// deposited. Handed out in ascending order, freed pages first (last freed, first reused).
class SlatPageAllocator {
 public:
  /// The region [first, first + bytes): page-aligned and inside RAM (CHECK).
  SlatPageAllocator(PhysicalMemory& memory, Spa first, uint64_t bytes);

  /// A page of zeros; false when the region is used up.
  [[nodiscard]] bool allocate(Spa& page);
  /// `page` came from allocate() and is not used any more.
  void free(Spa page);
  [[nodiscard]] uint64_t available_pages() const;
  /// Inside the region.
  [[nodiscard]] bool owns(Spa address) const { return address >= first_ && address < end_; }
  /// One more page, which lies outside the region and must not be mapped by any SLAT from now on.
  void deposit(Spa page);
  /// Gives back a deposited page that is not in use, full of zeros; false if there is none.
  [[nodiscard]] bool withdraw(Spa& page);
  [[nodiscard]] const std::vector<Spa>& deposited() const { return deposited_; }  ///< ascending
  /// A page that allocate() gave out and that was not freed since; linear in the pages freed.
  [[nodiscard]] bool in_use(Spa page) const;

  STATE_FIELDS((memory_), (first_), next_, (end_), freed_, deposited_)

 private:
  [[nodiscard]] const char* state_error() const;
  [[nodiscard]] bool was_given_out(Spa page) const;

  PhysicalMemory& memory_;
  Spa first_, next_, end_;
  std::vector<Spa> freed_;
  std::vector<Spa> deposited_;
};

enum class PageSize : uint8_t {
  Size4K = 1,
  Size2M = 2,
  Size1G = 3
};  ///< the value is the level of the leaf
[[nodiscard]] constexpr uint64_t bytes_of(PageSize size) {
  return abi::page_size << (9 * (static_cast<unsigned>(size) - 1));
}

enum class SlatStatus : uint8_t {
  Ok,
  OutOfTables,    ///< the allocator is used up; what was mapped before still is
  Misaligned,     ///< an address is not a multiple of the page size, or beyond 48 bits
  NotMapped,      ///< protect, unmap: nothing is there
  InvalidRights,  ///< W, KX or UX without R, or KX without UX (section 5.1)
};

/// What stage 2 says about one GPA.
struct SlatMapping {
  bool mapped{};  ///< false: nothing is there. A page mapped with no rights is mapped.
  Spa spa;        ///< of the very byte asked for
  Rights rights;  ///< AND over the levels
  PageSize size{PageSize::Size4K};
};

/// One SLAT. Changing it invalidates nothing: who lowers rights or unmaps calls
/// Translator::invalidate_guest_physical, as a hypervisor executes INVEPT.
class Slat {
 public:
  /// Takes its first table from the allocator when something is mapped.
  Slat(PhysicalMemory& memory, SlatPageAllocator& allocator);
  ~Slat();
  Slat(const Slat&) = delete;
  Slat& operator=(const Slat&) = delete;

  /// Maps one page; replaces what was there (a table below included). An SPA outside RAM is a
  /// device page. Rights without KX = UX mean something only to address spaces with MBEC.
  [[nodiscard]] SlatStatus map(Gpa gpa, Spa spa, Rights rights, PageSize size = PageSize::Size4K);
  /// Maps [gpa, gpa + bytes) to [spa, spa + bytes) with the largest pages that fit; all multiples
  /// of 4096.
  [[nodiscard]] SlatStatus map_range(Gpa gpa, Spa spa, uint64_t bytes, Rights rights);
  /// Removes one 4 KiB page; splits a larger one.
  [[nodiscard]] SlatStatus unmap(Gpa gpa);
  /// Changes the rights of one 4 KiB page and keeps its SPA; splits a larger one, if the rights
  /// differ.
  [[nodiscard]] SlatStatus protect(Gpa gpa, Rights rights);
  [[nodiscard]] SlatMapping lookup(Gpa gpa) const;

  /// W, KX, UX need R; KX needs UX (section 5.1). No rights at all are valid.
  [[nodiscard]] static bool valid(Rights rights);

  /// SPA of the PML4, or 0 while nothing was ever mapped.
  [[nodiscard]] Spa root() const { return root_; }
  /// EPTP as hardware would have it: write-back, four levels, no A/D (SDM vol. 3, table 25-9).
  [[nodiscard]] uint64_t eptp() const { return root_.value() | (3u << 3) | 6u; }

  /// The tables are in memory; what else there is to know is where they begin.
  STATE_FIELDS((memory_), (allocator_), root_)
  /// Before it is destroyed because its state never was: leaves tables and allocator alone.
  void abandon() { root_ = Spa{}; }
  /// After a restore from bytes that nobody vouches for: every table is a page of its own that the allocator gave
  /// out. `tables` collects them, also over several SLATs.
  [[nodiscard]] bool tables_are_sound(std::set<Spa>& tables) const;

 private:
  [[nodiscard]] uint64_t leaf(Spa spa, Rights rights, int level) const;
  [[nodiscard]] SlatStatus descend(Gpa gpa, int leaf_level, Spa& entry_address);
  void split(uint64_t entry, int level, Spa below);
  void free_table(Spa table, int level);
  [[nodiscard]] bool table_is_sound(Spa table, int level, std::set<Spa>& tables) const;

  PhysicalMemory& memory_;
  SlatPageAllocator& allocator_;
  Spa root_;
};

}  // namespace mmu
