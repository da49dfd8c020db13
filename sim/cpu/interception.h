#pragma once
// Accesses that somebody above wants to know before they happen (vtl::Interceptions; TLFS 15.13.1, section 5.6). Asked
// after the checks of privilege and of the operand's memory, before the value is looked at (SDM vol. 3, 26.1.1).
#include <cstdint>
#include <optional>

#include "abi/hv/vp_registers.h"
#include "sim/cpu/system_instructions.h"

namespace cpu {

/// A write of CR0, CR4, XCR0, GDTR, IDTR, LDTR or TR: the exit that takes its place, if it is intercepted. `low` and
/// `high`: the value, as HV_REGISTER_VALUE.
[[nodiscard]] std::optional<Emulation> intercept_write(const vtl::VirtualProcessor& vp, const Instruction& in,
                                                       abi::hv::RegisterName name, uint64_t low, uint64_t high = 0);
[[nodiscard]] std::optional<Emulation> intercept_write(const vtl::VirtualProcessor& vp, const Instruction& in,
                                                       abi::hv::RegisterName name,
                                                       const vtl::DescriptorTable& table);
[[nodiscard]] std::optional<Emulation> intercept_write(const vtl::VirtualProcessor& vp, const Instruction& in,
                                                       abi::hv::RegisterName name, const vtl::Segment& segment);

/// RDMSR or WRMSR of an MSR that the processor itself owns.
[[nodiscard]] bool intercepts_msr_read(const vtl::VtlContext& context, uint32_t msr);
[[nodiscard]] bool intercepts_msr_write(const vtl::VtlContext& context, uint32_t msr, uint64_t value);

}  // namespace cpu
