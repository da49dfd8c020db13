#include "vtl/synic.h"

#include <algorithm>
#include <cstddef>

namespace vtl {

using namespace abi::hv;

support::Instant Synic::first_due() const {
  support::Instant next = support::never;
  for (const SyntheticTimer& timer : timers)
    next = std::min(next, timer.next());
  return next;
}

const char* Synic::state_error() const {
  const auto legal = [](const QueuedMessage& message) { return message.sint < sint_count; };
  if (!std::all_of(queue.begin(), queue.end(), legal)) return "a message for a SINT that is not";
  if (timers_due != first_due()) return "timers are due when none expires";
  return "";
}

bool Synic::takes_messages(uint8_t index) const {
  return enabled() && (simp & 1) != 0 && message_page.value() != 0 && line(index).receives();
}

bool Synic::takes_events(uint8_t index) const {
  return enabled() && (siefp & 1) != 0 && event_page.value() != 0 && line(index).receives();
}

bool Synic::waiting() const {
  return !queue.empty() || std::any_of(timers.begin(), timers.end(), [](const auto& timer) {
    return timer.waiting.has_value();
  });
}

bool Synic::write_message(mmu::PhysicalMemory& memory, uint8_t index,
                          const Message& message) const {
  const abi::Spa slot = message_page + index * uint64_t{message_slot_bytes};
  if (memory.read<uint32_t>(slot) != 0) {
    mark_pending(memory, index);
    return false;
  }
  memory.write(slot, message);
  return true;
}

void Synic::mark_pending(mmu::PhysicalMemory& memory, uint8_t index) const {
  const abi::Spa flags =
      message_page + index * uint64_t{message_slot_bytes} + offsetof(MessageHeader, flags);
  memory.write<uint8_t>(flags, memory.read<uint8_t>(flags) | message_pending);
}

bool Synic::set_event(mmu::PhysicalMemory& memory, uint8_t index, uint16_t flag) const {
  const abi::Spa byte = event_page + index * uint64_t{event_flag_slot_bytes} + flag / 8u;
  const auto bit = static_cast<uint8_t>(1u << (flag % 8));
  const auto before = memory.read<uint8_t>(byte);
  if ((before & bit) != 0) return false;
  memory.write<uint8_t>(byte, static_cast<uint8_t>(before | bit));
  return true;
}

}  // namespace vtl
