#pragma once
// How this hypervisor writes EPT entries. One bit that hardware ignores tells "mapped without
// rights" from "not mapped".
#include <cstdint>

#include "abi/x64/paging.h"
#include "mmu/access.h"

namespace mmu::slat_entry {

/// Set in every leaf. Bits 52 to 56 are ignored by processors in all EPT entries (SDM vol. 3,
/// tables 28-1 to 28-6).
inline constexpr uint64_t mapped = uint64_t{1} << 52;

/// Four levels translate 48 bits.
inline constexpr int address_bits = 48;

[[nodiscard]] constexpr uint64_t rights_bits(Rights rights) {
  return (rights.read ? abi::x64::ept::read : 0) | (rights.write ? abi::x64::ept::write : 0) |
         (rights.kernel_execute ? abi::x64::ept::execute : 0) |
         (rights.user_execute ? abi::x64::ept::user_execute : 0);
}

[[nodiscard]] constexpr Rights rights_of(uint64_t entry) {
  return {(entry & abi::x64::ept::read) != 0, (entry & abi::x64::ept::write) != 0,
          (entry & abi::x64::ept::execute) != 0, (entry & abi::x64::ept::user_execute) != 0};
}

/// Points to a table of the level below.
[[nodiscard]] constexpr bool is_table(uint64_t entry, int level) {
  return level > abi::x64::page_table_level && (entry & abi::x64::ept::read) != 0 &&
         (entry & (abi::x64::ept::large_page | mapped)) == 0;
}

}  // namespace mmu::slat_entry
