#pragma once
// A small machine for the tests of mmu/: RAM, a SLAT that moves every page (so that a GPA taken for an SPA shows), and
// guest page tables built by hand.
#include <cstdint>

#include "abi/x64/paging.h"
#include "mmu/explain.h"
#include "mmu/physical_memory.h"
#include "mmu/slat.h"
#include "mmu/translator.h"

namespace test {

namespace pte = abi::x64::pte;
using abi::Gpa;
using abi::Gva;
using abi::Spa;
using mmu::Access;
using mmu::AccessKind;
using mmu::AddressSpace;
using mmu::FaultKind;
using mmu::Rights;
using mmu::TranslationResult;
using mmu::WalkRule;

inline constexpr uint64_t MiB = 1024 * 1024;
inline constexpr uint64_t GiB = 1024 * MiB;
inline constexpr uint64_t cr0 = uint64_t{1} << 31 | uint64_t{1} << 16 | 1;  // PG, WP, PE
inline constexpr uint64_t cr4 = uint64_t{1} << 5 | uint64_t{1} << 7;        // PAE, PGE
inline constexpr uint64_t efer = 0xd00;                                     // NXE, LMA, LME
inline constexpr uint64_t rw = pte::present | pte::writable;
inline constexpr uint64_t rwu = rw | pte::user;

/// RAM is [0, 64 MiB). GPA [0, 32 MiB) lies at SPA 8 MiB and up, in 4 KiB pages. SLAT tables are above 48 MiB.
struct World {
  static constexpr uint64_t shift = 8 * MiB;
  static constexpr uint64_t guest_size = 32 * MiB;

  explicit World(mmu::TranslatorConfig config = {}) : translator{memory, config} {
    if (slat.map_range(Gpa{0}, Spa{shift}, guest_size, mmu::all_rights) != mmu::SlatStatus::Ok)
      std::abort();
    // map_range uses 2 MiB pages; the tests count references of 4 KiB pages.
    for (uint64_t gpa = 0; gpa < guest_size; gpa += 2 * MiB)
      split(Gpa{gpa});
    space.partition = 1;
    space.slat = &slat;
    space.stage1 = {cr0, 0, cr4, efer, false};
    space.stage1.cr3 = new_table();
  }

  void split(Gpa gpa) {
    const mmu::SlatMapping mapping = slat.lookup(gpa);
    if (slat.protect(gpa, {}) != mmu::SlatStatus::Ok) std::abort();
    if (slat.protect(gpa, mapping.rights) != mmu::SlatStatus::Ok) std::abort();
  }

  uint64_t new_table() {
    const uint64_t gpa = next_table;
    next_table += 4096;
    return gpa;
  }
  static Spa spa_of(uint64_t gpa) { return Spa{gpa + shift}; }

  /// The entry of `level` that translates `address`: its GPA. Tables above it are made with all rights.
  uint64_t entry_gpa(uint64_t address, int level) {
    uint64_t table = space.stage1.cr3 & pte::address_mask;
    for (int at = 4; at > level; --at) {
      const uint64_t entry = table + 8 * abi::x64::level_index(address, at);
      if (read(entry) == 0) write(entry, new_table() | rwu);
      table = read(entry) & pte::address_mask;
    }
    return table + 8 * abi::x64::level_index(address, level);
  }
  void map(uint64_t address, uint64_t gpa, uint64_t flags, int level = 1) {
    if (level > 1) flags |= pte::large_page;
    write(entry_gpa(address, level), gpa | flags);
  }
  uint64_t read(uint64_t gpa) const { return memory.read<uint64_t>(spa_of(gpa)); }
  void write(uint64_t gpa, uint64_t value) { memory.write(spa_of(gpa), value); }
  uint64_t entry(uint64_t address, int level = 1) { return read(entry_gpa(address, level)); }
  void protect(uint64_t gpa, Rights rights) {
    if (slat.protect(Gpa{gpa}.page_base(), rights) != mmu::SlatStatus::Ok) std::abort();
  }

  TranslationResult access(uint64_t address, AccessKind kind, bool user = false) {
    return translator.translate(space, {Gva{address}, kind, user, false});
  }
  TranslationResult read_at(uint64_t address, bool user = false) {
    return access(address, AccessKind::Read, user);
  }
  TranslationResult write_at(uint64_t address, bool user = false) {
    return access(address, AccessKind::Write, user);
  }
  TranslationResult fetch_at(uint64_t address, bool user = false) {
    return access(address, AccessKind::Execute, user);
  }
  mmu::WalkReport explain(uint64_t address, AccessKind kind, bool user = false) const {
    return mmu::explain(translator, space, {Gva{address}, kind, user, false});
  }

  mmu::PhysicalMemory memory{64 * MiB};
  mmu::SlatPageAllocator allocator{memory, Spa{48 * MiB}, 16 * MiB};
  mmu::Slat slat{memory, allocator};
  mmu::Translator translator;
  AddressSpace space;
  uint64_t next_table{0x100000};
};

/// #PF error code of a result, or all ones if it is something else.
inline uint32_t error_code(const TranslationResult& result) {
  return !result.ok && result.fault.kind == FaultKind::PageFault ? result.fault.error_code : ~0u;
}
inline bool slat_violation(const TranslationResult& result) {
  return !result.ok && result.fault.kind == FaultKind::SlatViolation;
}

inline constexpr Rights none{};
inline constexpr Rights r{true, false, false, false};
inline constexpr Rights r_w{true, true, false, false};
inline constexpr Rights r_ux{true, false, false, true};
inline constexpr Rights r_kx_ux{true, false, true, true};
inline constexpr Rights r_w_ux{true, true, false, true};

}  // namespace test
