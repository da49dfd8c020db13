#pragma once
// The synthetic interrupt controller of one VTL on one virtual processor (TLFS chapter 11): messages and event flags
// that end in the VTL's pages, and the timers that send some of them. What raises the interrupt is the caller.
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "abi/hv/messages.h"
#include "abi/hv/synic.h"
#include "abi/layout/address.h"
#include "mmu/physical_memory.h"
#include "sim/support/state_fields.h"
#include "vtl/synthetic_timer.h"

namespace vtl {

/// A message that waits for its slot.
struct QueuedMessage {
  uint8_t sint{};
  std::array<uint8_t, abi::hv::message_slot_bytes> bytes{};
  STATE_FIELDS(sint, bytes)
};

struct Synic {
  uint64_t scontrol{}, siefp{}, simp{}, sirbp{};
  std::array<uint64_t, abi::hv::sint_count> sint{};
  /// 0 until first enabled; the content stays while disabled.
  abi::Spa message_page, event_page, ring_page;
  std::array<SyntheticTimer, abi::hv::timer_count> timers;
  std::vector<QueuedMessage> queue;  ///< in the order in which they came
  Synic() { sint.fill(abi::hv::sint_reset); }
  support::Instant timers_due{support::never};  ///< first_due()
  STATE_FIELDS(scontrol, siefp, simp, sirbp, sint, message_page, event_page, ring_page, timers,
               queue, timers_due)
  /// After a restore: empty, or what is wrong.
  [[nodiscard]] const char* state_error() const;

  /// When the next of its timers expires: asked before every slice.
  [[nodiscard]] support::Instant next_timer() const { return timers_due; }
  /// After each change of a timer.
  void timers_changed() { timers_due = first_due(); }
  [[nodiscard]] support::Instant first_due() const;
  [[nodiscard]] bool enabled() const { return abi::hv::Scontrol{scontrol}.enable(); }
  [[nodiscard]] abi::hv::Sint line(uint8_t index) const { return {sint[index]}; }
  /// A message could be put into the SINT's slot if that were free.
  [[nodiscard]] bool takes_messages(uint8_t index) const;
  [[nodiscard]] bool takes_events(uint8_t index) const;
  /// Something waits for a slot.
  [[nodiscard]] bool waiting() const;

  /// Puts the message into its slot: false if the slot is busy, which is then marked so that the
  /// guest writes EOM.
  [[nodiscard]] bool write_message(mmu::PhysicalMemory& memory, uint8_t index,
                                   const abi::hv::Message& message) const;
  /// Marks a busy slot: another message waits.
  void mark_pending(mmu::PhysicalMemory& memory, uint8_t index) const;
  /// Sets a flag; true if it was clear.
  [[nodiscard]] bool set_event(mmu::PhysicalMemory& memory, uint8_t index, uint16_t flag) const;
};

}  // namespace vtl
