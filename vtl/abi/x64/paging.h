#pragma once
// Entries of the two translation stages, bit for bit. Freestanding: guests build their page tables
// with it. Sources: SDM vol. 3, 4.3 (32-bit), 4.4 (PAE), 4.5 (four and five levels), 4.7 (error code), 28.3 (EPT).
#include <stdint.h>

#include "abi/layout/bits.h"

namespace abi::x64 {

/// Levels of four-level paging, counted from the page: 1 page table, 2 page directory, 3
/// page-directory-pointer table, 4 PML4, 5 PML5. An entry of level n maps 4 KiB << 9 * (n - 1).
inline constexpr int page_table_level = 1;
inline constexpr int page_directory_level = 2;
inline constexpr int directory_pointer_level = 3;
inline constexpr int pml4_level = 4;
inline constexpr int pml5_level = 5;  ///< with CR4.LA57
inline constexpr uint32_t entries_per_table = 512;

/// Lowest address bit that an entry of this level (1..4) selects by: 12, 21, 30, 39, 48.
[[nodiscard]] constexpr int level_shift(int level) {
  return 12 + 9 * (level - 1);
}
/// Bytes that one entry of this level (1..4) maps.
[[nodiscard]] constexpr uint64_t level_size(int level) {
  return uint64_t{1} << level_shift(level);
}
/// Which of the 512 entries of a table of this level (1..4) an address uses.
[[nodiscard]] constexpr uint32_t level_index(uint64_t address, int level) {
  return static_cast<uint32_t>(address >> level_shift(level)) & (entries_per_table - 1);
}

/// The same in bytes from the start of the table.
[[nodiscard]] constexpr uint64_t entry_offset(uint64_t address, int level) {
  return uint64_t{8} * level_index(address, level);
}

/// Bits of a linear address in long mode: 57 with CR4.LA57 (SDM vol. 3, 4.1.1).
[[nodiscard]] constexpr int linear_address_bits(uint64_t cr4) {
  return (cr4 >> 12 & 1) != 0 ? 57 : 48;
}

/// The bits from the highest of the address to bit 63 are equal (SDM vol. 1, 3.3.7.1).
[[nodiscard]] constexpr bool is_canonical(uint64_t address, int address_bits = 48) {
  const int unused = 64 - address_bits;
  return static_cast<uint64_t>(static_cast<int64_t>(address << unused) >> unused) == address;
}

/// 32-bit paging (SDM vol. 3, 4.3): two levels of 1024 entries of 4 bytes, which have bits 0 to 8 of those of 8 bytes.
namespace legacy_paging {
inline constexpr uint32_t entries_per_table = 1024;
inline constexpr int directory_shift = 22;  ///< an entry of the directory maps 4 MiB
/// Lowest address bit that an entry of level 1 or 2 selects by.
[[nodiscard]] constexpr int level_shift(int level) {
  return level == page_table_level ? 12 : directory_shift;
}
/// In bytes from the start of the table.
[[nodiscard]] constexpr uint64_t entry_offset(uint64_t address, int level) {
  return uint64_t{4} * (address >> level_shift(level) & (entries_per_table - 1));
}
inline constexpr uint64_t address_mask = 0xffff'f000;
}  // namespace legacy_paging

/// PAE paging (SDM vol. 3, 4.4): four page-directory-pointer entries, which the processor keeps in registers of its own.
namespace pae_paging {
inline constexpr unsigned pointers = 4;
inline constexpr uint64_t table_mask = 0xffff'ffe0;      ///< of CR3: 32-byte aligned
inline constexpr uint64_t pointer_reserved = 0x1e6;      ///< bits 1, 2, 5 to 8; those from MAXPHYADDR on besides
inline constexpr uint64_t entry_reserved = 0x7ff0'0000'0000'0000;  ///< bits 52 to 62, ignored in long mode
}  // namespace pae_paging

/// Bits of a stage-1 entry, for writing `address | pte::present | pte::writable`.
namespace pte {
inline constexpr uint64_t present = uint64_t{1} << 0;
inline constexpr uint64_t writable = uint64_t{1} << 1;
inline constexpr uint64_t user = uint64_t{1} << 2;
inline constexpr uint64_t write_through = uint64_t{1} << 3;
inline constexpr uint64_t cache_disable = uint64_t{1} << 4;
inline constexpr uint64_t accessed = uint64_t{1} << 5;
inline constexpr uint64_t dirty = uint64_t{1} << 6;  ///< leaf only
inline constexpr uint64_t large_page = uint64_t{1}
                                       << 7;          ///< PS: levels 2 and 3; reserved in level 4
inline constexpr uint64_t global = uint64_t{1} << 8;  ///< leaf only
inline constexpr uint64_t no_execute = uint64_t{1} << 63;  ///< reserved while EFER.NXE = 0
inline constexpr uint64_t address_mask = 0x000f'ffff'ffff'f000;
}  // namespace pte

/// A stage-1 entry of any level (SDM vol. 3, tables 4-15 to 4-20).
struct PageTableEntry {
  using Self = PageTableEntry;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, present)
  ABI_BIT(1, writable)
  ABI_BIT(2, user)
  ABI_BIT(3, write_through)
  ABI_BIT(4, cache_disable)
  ABI_BIT(5, accessed)
  ABI_BIT(6, dirty)
  ABI_BIT(7, large_page)
  ABI_BIT(8, global)
  ABI_BIT(63, no_execute)
  /// Physical address of the table or of the page, in bytes; a large page's low bits are the
  /// caller's to mask.
  [[nodiscard]] constexpr uint64_t address() const { return raw & pte::address_mask; }
};
static_assert(sizeof(PageTableEntry) == 8);

/// Error code of #PF (SDM vol. 3, figure 4-12; section 8.3).
namespace page_fault {
inline constexpr uint32_t present = 1u << 0;  ///< 0: a level was not present
inline constexpr uint32_t write = 1u << 1;
inline constexpr uint32_t user = 1u << 2;      ///< CPL 3
inline constexpr uint32_t reserved = 1u << 3;  ///< a reserved bit was set in some level
inline constexpr uint32_t fetch = 1u << 4;     ///< only while EFER.NXE or CR4.SMEP is set
}  // namespace page_fault

/// Bits of a stage-2 (EPT) entry (SDM vol. 3, tables 28-1 to 28-6; section 8.1).
namespace ept {
inline constexpr uint64_t read = uint64_t{1} << 0;
inline constexpr uint64_t write = uint64_t{1} << 1;
inline constexpr uint64_t execute = uint64_t{1}
                                    << 2;  ///< with MBEC: supervisor-mode linear addresses only
inline constexpr uint64_t memory_type_shift = 3;  ///< leaf only: 0 UC, 1 WC, 4 WT, 5 WP, 6 WB
inline constexpr uint64_t memory_type_mask = uint64_t{7} << memory_type_shift;
inline constexpr uint64_t write_back = uint64_t{6} << memory_type_shift;
inline constexpr uint64_t ignore_pat = uint64_t{1} << 6;
inline constexpr uint64_t large_page = uint64_t{1} << 7;  ///< levels 2 and 3
inline constexpr uint64_t accessed = uint64_t{1} << 8;
inline constexpr uint64_t dirty = uint64_t{1} << 9;
inline constexpr uint64_t user_execute = uint64_t{1} << 10;  ///< ignored without MBEC
inline constexpr uint64_t address_mask = 0x000f'ffff'ffff'f000;
}  // namespace ept

/// A stage-2 entry of any level.
struct EptEntry {
  using Self = EptEntry;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BIT(0, read)
  ABI_BIT(1, write)
  ABI_BIT(2, execute)
  ABI_BITS(5, 3, uint8_t, memory_type)
  ABI_BIT(6, ignore_pat)
  ABI_BIT(7, large_page)
  ABI_BIT(10, user_execute)
  [[nodiscard]] constexpr uint64_t address() const { return raw & ept::address_mask; }
};
static_assert(sizeof(EptEntry) == 8);

/// Exit qualification of an EPT violation (SDM vol. 3, table 27-7; section 8.4).
namespace ept_violation {
inline constexpr uint64_t data_read = uint64_t{1} << 0;
inline constexpr uint64_t data_write = uint64_t{1} << 1;
inline constexpr uint64_t fetch = uint64_t{1} << 2;
inline constexpr uint64_t readable = uint64_t{1} << 3;  ///< AND over the levels walked
inline constexpr uint64_t writable = uint64_t{1} << 4;
inline constexpr uint64_t executable = uint64_t{1} << 5;
inline constexpr uint64_t user_executable = uint64_t{1} << 6;  ///< only with MBEC
inline constexpr uint64_t linear_address_valid = uint64_t{1} << 7;
inline constexpr uint64_t final_translation = uint64_t{1}
                                              << 8;      ///< 0: an access to a paging structure
inline constexpr uint64_t user_page = uint64_t{1} << 9;  ///< final translation only, as 10 and 11
inline constexpr uint64_t writable_page = uint64_t{1} << 10;
inline constexpr uint64_t no_execute_page = uint64_t{1} << 11;
}  // namespace ept_violation

}  // namespace abi::x64
