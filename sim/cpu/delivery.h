#pragma once
// One attempt to deliver an event: what exceptions.cpp (long mode) and legacy_delivery.cpp share.
#include <optional>

#include "abi/x64/exceptions.h"
#include "sim/cpu/exceptions.h"

namespace cpu {

/// Delivered, or what went wrong.
struct Attempt {
  std::optional<vtl::PendingException> fault;
  std::optional<MemoryFault> refused;
  [[nodiscard]] bool delivered() const { return !fault && !refused; }
};

[[nodiscard]] Attempt delivery_failed(abi::x64::Vector vector, uint32_t error_code);
[[nodiscard]] Attempt delivery_failed(const MemoryFault& fault);

/// Outside long mode: through the vector table of real mode, or the gates of 8 bytes of protected mode (SDM vol. 3, 6.11,
/// 6.12, 20.3, 21.1.4). Task gates are not implemented: they are answered like gates of an invalid type.
[[nodiscard]] Attempt deliver_in_legacy_mode(vtl::VirtualProcessor& vp, const ProcessorMemory& memory,
                                             const EventDelivery& event);

}  // namespace cpu
