#pragma once
// The registers of a processor after INIT, and after the start-up IPI that follows (SDM vol. 3,
// table 10-1 and 9.4.4.1).
#include <cstdint>

#include "vtl/virtual_processor.h"

namespace vtl {

/// What INIT does to the registers that `vtl` has or shares: x87, SSE, XCR0, the TSC and most MSRs
/// stay. `signature`: EDX, as CPUID 1 EAX says it.
void reset_registers(VirtualProcessor& vp, Vtl vtl, uint32_t signature);

/// The processor starts at vector << 12 in real mode.
void start_at(VirtualProcessor& vp, Vtl vtl, uint8_t vector);

}  // namespace vtl
