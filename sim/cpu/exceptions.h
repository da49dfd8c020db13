#pragma once
// Delivery of exceptions and interrupts through the guest's IDT (SDM vol. 3, chapter 6). Knows no engine.
#include <cstdint>
#include <optional>

#include "sim/cpu/processor_memory.h"
#include "vtl/virtual_processor.h"

namespace cpu {

/// Where an event comes from: decides the privilege check of the gate, RF, and the EXT bit of errors on the way.
enum class EventSource : uint8_t {
  Fault,              ///< RIP at the instruction, RF is pushed set
  Trap,               ///< RIP behind the instruction
  SoftwareInterrupt,  ///< INT n, INT3, INTO: RIP behind it; the gate's DPL counts
  External,
};

struct EventDelivery {
  vtl::PendingException exception;
  EventSource source{EventSource::Fault};
  uint64_t return_rip{};  ///< what is pushed
};

enum class DeliveryStatus : uint8_t {
  Delivered,
  Intercepted,  ///< stage 2 refused an access on the way: nothing changed; `refused` says what
  ExceptionIntercepted,  ///< `delivered` arose on the way, and somebody intercepts it: nothing changed
  TripleFault,
};

struct DeliveryResult {
  DeliveryStatus status{};
  vtl::PendingException
      delivered;    ///< what was delivered at last: the event, or what took its place
  bool replaced{};  ///< something took its place
  MemoryFault refused;
};

/// Delivers in the active VTL. `parameter` of a #PF goes to CR2; that of a #DB has the bits of DR6 that it sets. A fault on the way is delivered instead, becomes a double fault, or shuts the processor
/// down (SDM vol. 3, table 6-5). With `source` SoftwareInterrupt such a fault is the INT instruction's own: it returns
/// to `instruction_rip`.
[[nodiscard]] DeliveryResult deliver_event(vtl::VirtualProcessor& vp, const ProcessorMemory& memory,
                                           const EventDelivery& event, uint64_t instruction_rip);

/// #DB for these bits of DR6.
[[nodiscard]] vtl::PendingException debug_trap(uint64_t dr6_bits);

/// Whether exception `second`, met while `first` is delivered, makes a double fault (SDM vol. 3, table 6-5).
[[nodiscard]] bool makes_double_fault(uint8_t first, uint8_t second);

/// #GP(0) or #PF for a linear address that did not translate; nothing if stage 2 refused (an intercept, not an exception).
[[nodiscard]] std::optional<vtl::PendingException> exception_of(const mmu::Fault& fault,
                                                                bool stack_segment = false);

}  // namespace cpu
