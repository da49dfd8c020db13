#pragma once
// Four processors that do what the first one tells them. The launch, hypercalls and VTL 1 come from the hypervisor's tests.
#include <atomic>

#include "tests/hypervisor/tests.h"

std::span<const kernel::Test> start_tests();     ///< processors start by hypercall
std::span<const kernel::Test> together_tests();  ///< share memory, interrupts and translations
std::span<const kernel::Test> level_tests();     ///< and have VTL 1 each
std::span<const kernel::Test> cross_tests();     ///< hypercalls whose effect is on another processor

namespace processors {

inline constexpr unsigned count = 4;

/// What a processor is told to do; it knows its index.
using Work = void (*)(unsigned index);

/// The context in which processor `index` begins to wait for work.
abi::hv::InitialVpContext waiting_context(unsigned index);
bool waits_for_work(unsigned index);
/// Has `index` (not 0) do `work`; at once back.
void tell(unsigned index, Work work);
/// Until `index` is done with what it was told.
void wait_for(unsigned index);
inline void have_done(unsigned index, Work work) {
  tell(index, work);
  wait_for(index);
}

/// The local APIC of the processor that asks, by its page.
inline volatile uint32_t& apic(uint64_t offset) { return kernel::at<uint32_t>(0xFEE00000 + offset); }
inline constexpr uint64_t apic_eoi = 0xB0, apic_spurious = 0xF0, apic_command_low = 0x300, apic_command_high = 0x310;

}  // namespace processors
