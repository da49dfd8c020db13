#pragma once
// Which values a register of a virtual processor can hold (SDM vol. 3, 2.5, 11.12; TLFS 7.9,
// 15.6.2). Used wherever values come from a guest as data.
#include <cstdint>

#include "abi/hv/structs.h"
#include "abi/hv/vp_registers.h"
#include "vtl/virtual_processor.h"

namespace vtl {

/// How wide addresses are: physical ones limit CR3, linear ones decide what is canonical (48, or 57 with CR4.LA57: SDM vol. 1,
/// 3.3.7.1).
struct AddressBits {
  uint8_t physical{};
  int linear{48};
};

/// Each of the eight memory types of IA32_PAT exists.
[[nodiscard]] bool valid_pat(uint64_t value);

/// `value` may be written to the register, seen alone.
[[nodiscard]] bool valid_register(abi::hv::RegisterName name, uint64_t value, AddressBits bits);

/// What is stored for a value that is valid: bits that exist and have a fixed value get it.
[[nodiscard]] uint64_t stored_register(abi::hv::RegisterName name, uint64_t value);

/// Base canonical where it has 64 bits, reserved attributes clear.
[[nodiscard]] bool valid_segment(const abi::hv::SegmentRegister& segment, AddressBits bits);

/// HV_INITIAL_VP_CONTEXT of a VTL above 0, which can only start in 64-bit mode at CPL 0 with paging
/// (section 3.7).
[[nodiscard]] bool valid_initial_context(const abi::hv::InitialVpContext& context,
                                         uint8_t physical_address_bits);

/// HV_INITIAL_VP_CONTEXT of VTL 0, which can start in every mode that the registers agree about.
[[nodiscard]] bool valid_start_context(const abi::hv::InitialVpContext& context,
                                       uint8_t physical_address_bits);

/// The private registers with which such a VTL starts; what the context does not name has its reset
/// value.
[[nodiscard]] VtlContext initial_registers(const abi::hv::InitialVpContext& context);

[[nodiscard]] Segment segment_of(const abi::hv::SegmentRegister& segment);
[[nodiscard]] abi::hv::SegmentRegister segment_register_of(const Segment& segment);

}  // namespace vtl
