#pragma once
// The instruction engine behind Cpu: Unicorn 2.1.1, one engine per VTL. Who uses it does not see the library.
#include <cstdint>
#include <memory>

#include "sim/cpu/cpu.h"
#include "sim/support/events.h"
#include "sim/support/result.h"

namespace cpu {

struct CpuConfig {
  Gear gear{Gear::Fast};
  uint64_t seed{};      ///< of RDRAND and RDSEED
  uint32_t vp_index{};  ///< VirtualProcessor::number; each virtual processor has its own stream
  bool yield_at_pause{};   ///< PAUSE leaves with ExitReason::Yield when it has retired
  bool yield_at_locked{};  ///< so does each locked instruction (LOCK prefix, XCHG with memory)
};

/// One virtual processor's engine; engines of VTLs are made when they first run. Refuses, with the reason, if the library
/// is not the one whose private layout this program calibrates itself to. Everything passed must outlive the result;
/// `events` may be null.
[[nodiscard]] support::Result<std::unique_ptr<Cpu>> make_unicorn_cpu(
    const CpuConfig& config, mmu::PhysicalMemory& memory, mmu::Translator& translator, MmioBus& bus,
    const AddressSpaceProvider& spaces, support::EventSink* events);

}  // namespace cpu
