#pragma once
// Hypercalls from inside, in the right VTL: their forms, and the calls that no other kernel makes. The launch, hypercalls
// and VTL 1 come from the hypervisor's tests.
#include "tests/hypervisor/tests.h"

// VTL 1 exists and has its pages; each list leaves VTL 1 as it found it.
std::span<const kernel::Test> form_tests();         ///< fast, XMM-fast, variable header, rep with continuation
std::span<const kernel::Test> message_tests();      ///< ports, messages, events, synthetic timers
std::span<const kernel::Test> time_tests();         ///< reference time, idle, NPIEP
std::span<const kernel::Test> translation_tests();  ///< what addresses mean to others, and small questions
std::span<const kernel::Test> interception_tests();    ///< what VTL 1 asks to be told of VTL 0

namespace kernel {

inline constexpr uint64_t page_bytes = 4096;
/// The local APIC of the level that asks, by its page.
inline volatile uint32_t& apic(uint64_t offset) { return at<uint32_t>(0xFEE00000 + offset); }
inline constexpr uint64_t apic_eoi = 0xB0, apic_spurious = 0xF0, apic_timer = 0x320, apic_initial_count = 0x380,
                          apic_divide = 0x3E0;

}  // namespace kernel
