#pragma once
#include <array>
#include <cstdint>

#include "abi/x64/paging.h"
#include "mmu/access.h"

namespace mmu {

class Slat;

/// The registers that stage 1 depends on (SDM vol. 3, 4.1).
struct Stage1Registers {
  uint64_t cr0{}, cr3{}, cr4{}, efer{};
  bool alignment_check{};  ///< RFLAGS.AC, which lifts SMAP for explicit supervisor data accesses
  std::array<uint64_t, 4> pdpte{};  ///< PAE paging: as loaded by the last MOV CR0, CR3 or CR4
};

/// Who translates: the tag of TLB entries plus both stages' roots. Cheap to copy, built per slice.
struct AddressSpace {
  uint8_t partition{};
  abi::hv::Vtl vtl{};
  uint8_t
      vp{};  ///< index of the virtual processor: TLB entries belong to one processor, as with VPID
  Stage1Registers stage1;
  const Slat* slat{};  ///< null on a bare machine: GPA and SPA are then the same number
  bool mbec{};  ///< mode-based execute control is enabled for this VTL on this VP (TLFS 15.10)
};

/// The bits of the control registers that translation looks at (SDM vol. 3, 4.1.3).
namespace control {
inline constexpr uint64_t cr0_write_protect = uint64_t{1} << 16;
inline constexpr uint64_t cr0_paging = uint64_t{1} << 31;
inline constexpr uint64_t cr4_page_size = uint64_t{1} << 4;
inline constexpr uint64_t cr4_pae = uint64_t{1} << 5;
inline constexpr uint64_t cr4_page_global = uint64_t{1} << 7;
inline constexpr uint64_t cr4_pcid = uint64_t{1} << 17;
inline constexpr uint64_t cr4_smep = uint64_t{1} << 20;
inline constexpr uint64_t cr4_smap = uint64_t{1} << 21;
inline constexpr uint64_t efer_long_mode_active = uint64_t{1} << 10;
inline constexpr uint64_t efer_no_execute = uint64_t{1} << 11;
inline constexpr uint64_t cr3_pcid_mask = 0xfff;
}  // namespace control

[[nodiscard]] constexpr bool paging_enabled(const AddressSpace& space) {
  return (space.stage1.cr0 & control::cr0_paging) != 0;
}

/// Which tables stage 1 walks (SDM vol. 3, 4.1.1).
enum class PagingMode : uint8_t { None, Bits32, Pae, FourLevel, FiveLevel };
[[nodiscard]] constexpr PagingMode paging_mode(const Stage1Registers& registers) {
  if ((registers.cr0 & control::cr0_paging) == 0) return PagingMode::None;
  if ((registers.efer & control::efer_long_mode_active) != 0)
    return abi::x64::linear_address_bits(registers.cr4) == 57 ? PagingMode::FiveLevel : PagingMode::FourLevel;
  return (registers.cr4 & control::cr4_pae) != 0 ? PagingMode::Pae : PagingMode::Bits32;
}

/// The current PCID: 0 unless CR4.PCIDE (SDM vol. 3, 4.10.1).
[[nodiscard]] constexpr uint16_t current_pcid(const AddressSpace& space) {
  return (space.stage1.cr4 & control::cr4_pcid) != 0
             ? static_cast<uint16_t>(space.stage1.cr3 & control::cr3_pcid_mask)
             : uint16_t{0};
}

/// Whether UX governs fetches from user pages. If not, KX governs all: MBEC is off, or SMEP, which
/// this processor has, is disabled (section 5.2).
[[nodiscard]] constexpr bool user_execute_governs(const AddressSpace& space) {
  return space.mbec && (space.stage1.cr4 & control::cr4_smep) != 0;
}

}  // namespace mmu
