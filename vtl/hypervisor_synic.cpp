// Messages, events and timers on their way into a VTL's pages (TLFS chapters 11 and 12).
#include <algorithm>
#include <cstring>
#include <utility>

#include "vtl/hypervisor.h"

namespace vtl {

using namespace abi::hv;

namespace {

/// Messages that may wait behind one slot (TLFS 11.3: a port has at least one buffer).
constexpr size_t messages_per_sint = 16;

constexpr uint16_t timer_expired_bytes = sizeof(TimerMessage);

}  // namespace

/// The interrupt of a SINT after its message or event was written.
void Hypervisor::raise_sint(VpState& vp, Vtl vtl, uint8_t index) {
  const Sint line = vp.vtls[vtl].synic.line(index);
  if (!line.masked() && !line.polling())
    request_interrupt(vp, vtl, line.vector(), line.auto_eoi());
}

/// A message for a SINT: into its slot, or behind what waits for it.
HvStatus Hypervisor::post_message(VpState& vp, Vtl vtl, uint8_t index, const Message& message) {
  Synic& synic = vp.vtls[vtl].synic;
  if (!synic.enabled()) return HvStatus::InvalidSynicState;
  const auto ahead = static_cast<size_t>(
      std::count_if(synic.queue.begin(), synic.queue.end(),
                    [&](const QueuedMessage& other) { return other.sint == index; }));
  if (ahead == 0 && synic.takes_messages(index) && synic.write_message(memory_, index, message)) {
    raise_sint(vp, vtl, index);
    return HvStatus::Success;
  }
  if (ahead == messages_per_sint) return HvStatus::InsufficientBuffers;
  QueuedMessage& waiting = synic.queue.emplace_back();
  waiting.sint = index;
  std::memcpy(waiting.bytes.data(), &message, sizeof message);
  return HvStatus::Success;
}

HvStatus Hypervisor::signal_event(VpState& vp, Vtl vtl, uint8_t index, uint16_t flag,
                                  bool& newly) {
  Synic& synic = vp.vtls[vtl].synic;
  newly = false;
  if (!synic.takes_events(index)) return HvStatus::InvalidSynicState;
  newly = synic.set_event(memory_, index, flag);
  if (newly) raise_sint(vp, vtl, index);
  return HvStatus::Success;
}

/// Slots may have become free: EOM or EOI was written, or a register that kept messages out. Queued
/// messages in their order, then timers.
void Hypervisor::deliver_waiting(VpState& vp, Vtl vtl, Instant now) {
  Synic& synic = vp.vtls[vtl].synic;
  if (!synic.waiting()) return;
  std::array<bool, sint_count> done{};  // one message per slot: behind it the next ones wait
  for (auto waiting = synic.queue.begin(); waiting != synic.queue.end();) {
    const uint8_t index = waiting->sint;
    Message message;
    std::memcpy(&message, waiting->bytes.data(), sizeof message);
    const bool first = !std::exchange(done[index], true);
    if (first && synic.takes_messages(index) && synic.write_message(memory_, index, message)) {
      waiting = synic.queue.erase(waiting);
      raise_sint(vp, vtl, index);
    } else {
      if (!first && synic.takes_messages(index)) synic.mark_pending(memory_, index);
      ++waiting;
    }
  }
  for (uint8_t i = 0; i < timer_count; ++i) {
    if (synic.timers[i].waiting) post_timer_message(vp, vtl, i, now);
  }
}

void Hypervisor::post_timer_message(VpState& vp, Vtl vtl, uint8_t index, Instant now) {
  Synic& synic = vp.vtls[vtl].synic;
  SyntheticTimer& timer = synic.timers[index];
  const uint8_t sint = timer.sint();
  Message message{};
  message.header = {.type = MessageType::TimerExpired,
                    .payload_size = timer_expired_bytes,
                    .flags = 0,
                    .reserved = 0,
                    .origin = 0};
  const TimerMessage payload{.timer_index = index,
                             .reserved = 0,
                             .expiration_time = *timer.waiting,
                             .delivery_time = reference_time(now)};
  std::memcpy(message.payload, &payload, sizeof payload);
  if (!synic.takes_messages(sint) || !synic.write_message(memory_, sint, message)) return;
  timer.waiting.reset();
  raise_sint(vp, vtl, sint);
}

void Hypervisor::fire_synthetic_timers(VpState& vp, Vtl vtl, Instant now) {
  Synic& synic = vp.vtls[vtl].synic;
  for (uint8_t i = 0; i < timer_count; ++i) {
    SyntheticTimer& timer = synic.timers[i];
    const auto expired = timer.advance(now);
    synic.timers_changed();
    if (!expired) continue;
    if (timer.direct()) {
      request_interrupt(vp, vtl, timer.vector());
    } else if (!timer.waiting) {  // else one message already tells of it
      timer.waiting = expired;
      post_timer_message(vp, vtl, i, now);
    }
  }
}

// --- Calls that name a SINT of a processor (hvdef): for partitions below, and from higher VTLs.

HvStatus Hypervisor::find_sint(const CallContext& context, uint64_t partition, uint32_t vp_index,
                               uint8_t vtl, uint32_t sint, VpState*& vp) {
  Partition* const target = target_partition(context, partition);
  if (target == nullptr) return HvStatus::InvalidPartitionId;
  const bool own = target == &context.partition;
  vp = target->find_vp(own && vp_index == vp_self ? context.registers.index : vp_index);
  if (vp == nullptr) return HvStatus::InvalidVpIndex;
  if (sint >= sint_count || vtl >= implemented_vtls) return HvStatus::InvalidParameter;
  if (own && vtl > static_cast<uint8_t>(context.vtl)) return HvStatus::AccessDenied;
  return vp->enabled(static_cast<Vtl>(vtl)) ? HvStatus::Success : HvStatus::InvalidVtlState;
}

CallResult Hypervisor::on(Tag<CallCode::SignalEventDirect>, const CallContext& context,
                          const abi::hv::SignalEventDirect& input,
                          abi::hv::SignalEventDirectOutput& output) {
  VpState* vp{};
  const HvStatus found = find_sint(context, input.target_partition, input.target_vp,
                                   input.target_vtl, input.target_sint, vp);
  if (found != HvStatus::Success) return found;
  if (input.flag_number >= event_flags_per_sint) return HvStatus::InvalidParameter;
  bool newly{};
  const HvStatus status = signal_event(*vp, static_cast<Vtl>(input.target_vtl), input.target_sint,
                                       input.flag_number, newly);
  output.newly_signaled = newly ? 1 : 0;
  return status;
}

CallResult Hypervisor::on(Tag<CallCode::PostMessageDirect>, const CallContext& context,
                          const abi::hv::PostMessageDirect& input) {
  VpState* vp{};
  const HvStatus found = find_sint(context, input.target_partition, input.target_vp,
                                   input.target_vtl, input.sint_index, vp);
  if (found != HvStatus::Success) return found;
  Message message;
  std::memcpy(&message, input.message, sizeof message);
  if (message.header.payload_size > sizeof message.payload ||
      message.header.type == MessageType::None) {
    return HvStatus::InvalidParameter;
  }
  message.header.flags = 0;
  message.header.reserved = 0;
  return post_message(*vp, static_cast<Vtl>(input.target_vtl),
                      static_cast<uint8_t>(input.sint_index), message);
}

}  // namespace vtl
