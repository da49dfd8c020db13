// The synthetic interrupt controller as a guest uses it: its pages, ports and connections, messages, events, timers, within
// one VTL and between two (TLFS chapters 11 and 12; section 6).
#include <string.h>

#include "hypercalls.h"

using namespace kernel;
using namespace abi::hv;

namespace {

constexpr uint8_t message_sint = 2, event_sint = 3, quiet_sint = 4, automatic_sint = 5;
constexpr uint8_t message_vector = 0x52, event_vector = 0x53, automatic_vector = 0x55, direct_vector = 0x56;
constexpr uint8_t upper_vector = 0xE2;
constexpr uint32_t port = 7, connection = 9;

uint64_t messages, events;           // of VTL 0
uint32_t message_count, event_count, automatic_count, direct_count, upper_count;

volatile Message& slot(unsigned sint) { return at<Message>(messages + sint * message_slot_bytes); }
bool flag(unsigned sint, unsigned number) {
  return (load<uint8_t>(events + sint * event_flag_slot_bytes + number / 8) >> (number % 8) & 1) != 0;
}

void let_interrupts_in() {
  arch::enable_interrupts();
  arch::pause();
  arch::disable_interrupts();
}

/// The slot is read: the next message may come.
void take(unsigned sint) {
  slot(sint).header.type = MessageType::None;
  arch::write_msr(msr::Eom, 0);
}

CreatePort port_of(uint32_t id, PortType type, uint32_t sint, uint8_t vtl = 0) {
  CreatePort input{};
  input.port_partition = partition_self;
  input.port_id = id;
  input.port_vtl = vtl;
  input.connection_partition = partition_self;
  input.port_info.type = static_cast<uint32_t>(type);
  input.port_info.target_sint = sint;
  input.port_info.target_vp = 0;
  return input;
}

ConnectPort connection_to(uint32_t id, uint32_t to, PortType type) {
  ConnectPort input{};
  input.connection_partition = partition_self;
  input.connection_id = id;
  input.port_partition = partition_self;
  input.port_id = to;
  input.connection_info.type = static_cast<uint32_t>(type);
  return input;
}

/// A message of type `type` whose payload is twice its number.
call::Result post(uint32_t through, uint32_t type, uint32_t size = 16) {
  PostMessage input{};
  input.connection = through;
  input.message_type = type;
  input.payload_size = size;
  const uint64_t payload[2] = {type, type};
  memcpy(input.payload, payload, sizeof payload);
  return call::simple(CallCode::PostMessage, input);
}

/// SignalEvent fits into RDX: it is a fast call.
call::Result signal(uint32_t through, uint16_t number) {
  return call::issue(control_for(CallCode::SignalEvent, 0, true).raw, through | uint64_t{number} << 32);
}

const char* pages() {
  const uint64_t page = allocate_page();
  at<uint64_t>(page) = 0x77;
  arch::write_msr(msr::Simp, page | 1);
  EXPECT_EQUAL(at<uint64_t>(page), 0);
  at<uint64_t>(page) = 5;
  arch::write_msr(msr::Simp, page);
  EXPECT_EQUAL(at<uint64_t>(page), 0x77);
  messages = allocate_page();
  arch::write_msr(msr::Simp, messages | 1);
  EXPECT_EQUAL(at<uint64_t>(messages), 5);  // the page has moved with its content
  at<uint64_t>(messages) = 0;
  events = allocate_page();
  arch::write_msr(msr::Siefp, events | 1);
  EXPECT_EQUAL(arch::read_msr(msr::Simp), messages | 1);
  for (const uint32_t number : {msr::Simp, msr::Siefp, msr::VpAssistPage}) {
    static uint32_t name;
    name = number;
    EXPECT_EQUAL(guarded([](void*) { arch::write_msr(name, memory_size() | 1); }).vector, 13);  // no RAM there
  }
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_THAT((arch::read_msr(msr::Simp) & ~0xFFFull) != messages);
    EXPECT_EQUAL(arch::read_msr(msr::Siefp), 0);
    return nullptr;
  });
}

const char* lines() {
  EXPECT_EQUAL(arch::read_msr(msr::Sversion), synic_version);
  for (unsigned i = 1; i < sint_count; ++i) EXPECT_EQUAL(arch::read_msr(msr::Sint0 + i), sint_reset);
  EXPECT_EQUAL(guarded([](void*) { arch::write_msr(msr::Sint0 + message_sint, 15); }).vector, 13);
  EXPECT_EQUAL(guarded([](void*) { arch::write_msr(msr::Sversion, 1); }).vector, 13);
  arch::write_msr(msr::Sint0 + message_sint, message_vector);
  arch::write_msr(msr::Sint0 + event_sint, event_vector);
  arch::write_msr(msr::Sint0 + automatic_sint, Sint{}.with_vector(automatic_vector).with_auto_eoi(true).raw);
  set_interrupt_handler(message_vector, [](TrapFrame*) {
    ++message_count;
    apic(apic_eoi) = 0;
  });
  set_interrupt_handler(event_vector, [](TrapFrame*) {
    ++event_count;
    apic(apic_eoi) = 0;
  });
  set_interrupt_handler(automatic_vector, [](TrapFrame*) { ++automatic_count; });
  set_interrupt_handler(direct_vector, [](TrapFrame*) {
    ++direct_count;
    apic(apic_eoi) = 0;
  });
  apic(apic_spurious) = 0x1FF;
  return nullptr;
}

const char* refused_ports() {
  CreatePort input = port_of(port, PortType::Message, message_sint);
  input.port_partition = 42;
  EXPECT_STATUS(call::simple(CallCode::CreatePort, input), InvalidPartitionId);
  input = port_of(1u << 24, PortType::Message, message_sint);
  EXPECT_STATUS(call::simple(CallCode::CreatePort, input), InvalidPortId);
  for (const PortType type : {PortType::Monitor, PortType::Doorbell, static_cast<PortType>(0), static_cast<PortType>(5)}) {
    input = port_of(port, type, message_sint);
    EXPECT_STATUS(call::simple(CallCode::CreatePort, input), InvalidParameter);
  }
  input = port_of(port, PortType::Message, sint_count);
  EXPECT_STATUS(call::simple(CallCode::CreatePort, input), InvalidParameter);
  input = port_of(port, PortType::Message, message_sint);
  input.port_info.target_vp = 5;
  EXPECT_STATUS(call::simple(CallCode::CreatePort, input), InvalidVpIndex);
  input = port_of(port, PortType::Message, message_sint, 1);
  EXPECT_STATUS(call::simple(CallCode::CreatePort, input), AccessDenied);  // of a VTL above the caller's
  input = port_of(port, PortType::Event, event_sint);
  EXPECT_STATUS(call::simple(CallCode::CreatePort, input), InvalidParameter);  // no flag at all
  input.port_info.base_flag_number = event_flags_per_sint - 4;
  input.port_info.flag_count = 5;
  EXPECT_STATUS(call::simple(CallCode::CreatePort, input), InvalidParameter);  // beyond the last
  EXPECT_STATUS(call::simple(CallCode::ConnectPort, connection_to(connection, port, PortType::Message)), InvalidPortId);
  EXPECT_STATUS(call::simple(CallCode::DeletePort, DeletePort{partition_self, port, 0}), InvalidPortId);
  EXPECT_STATUS(call::simple(CallCode::DisconnectPort, DisconnectPort{partition_self, connection, 0}), InvalidConnectionId);
  EXPECT_STATUS(post(connection, 1), InvalidConnectionId);
  EXPECT_STATUS(signal(connection, 0), InvalidConnectionId);
  return nullptr;
}

const char* message_arrives() {
  EXPECT_STATUS(call::simple(CallCode::CreatePort, port_of(port, PortType::Message, message_sint)), Success);
  EXPECT_STATUS(call::simple(CallCode::CreatePort, port_of(port, PortType::Message, message_sint)), InvalidPortId);
  EXPECT_STATUS(call::simple(CallCode::ConnectPort, connection_to(connection, port, PortType::Event)), InvalidPortId);
  EXPECT_STATUS(call::simple(CallCode::ConnectPort, connection_to(connection, port, PortType::Message)), Success);
  EXPECT_STATUS(call::simple(CallCode::ConnectPort, connection_to(connection, port, PortType::Message)), InvalidConnectionId);
  EXPECT_STATUS(post(connection, 0x11), InvalidSynicState);  // HV_X64_MSR_SCONTROL is 0
  arch::write_msr(msr::Scontrol, 1);
  EXPECT_STATUS(post(connection, 0), InvalidParameter);
  EXPECT_STATUS(post(connection, 0x80000011), InvalidParameter);  // the hypervisor's own
  EXPECT_STATUS(post(connection, 0x11, 241), InvalidParameter);
  EXPECT_STATUS(signal(connection, 0), InvalidPortId);  // not an event port
  let_interrupts_in();
  EXPECT_EQUAL(message_count, 0);
  EXPECT_STATUS(post(connection, 0x11), Success);
  let_interrupts_in();
  EXPECT_EQUAL(message_count, 1);
  EXPECT_EQUAL(slot(message_sint).header.type, 0x11);
  EXPECT_EQUAL(slot(message_sint).header.payload_size, 16);
  EXPECT_EQUAL(slot(message_sint).header.flags, 0);
  EXPECT_EQUAL(slot(message_sint).header.origin, port);
  const uint64_t payload = messages + message_sint * message_slot_bytes + sizeof(MessageHeader);
  EXPECT_EQUAL(load<uint64_t>(payload), 0x11);
  EXPECT_EQUAL(load<uint64_t>(payload + 8), 0x11);
  return nullptr;
}

const char* messages_wait_for_eom() {
  constexpr uint32_t buffers = 16;
  for (uint32_t i = 0; i < buffers; ++i) {
    EXPECT_STATUS(post(connection, 0x20 + i), Success);
    EXPECT_EQUAL(slot(message_sint).header.type, 0x11);
    EXPECT_EQUAL(slot(message_sint).header.flags, message_pending);
  }
  EXPECT_STATUS(post(connection, 0x99), InsufficientBuffers);
  arch::write_msr(msr::Eom, 0);  // nothing moves: the slot is not empty
  EXPECT_EQUAL(slot(message_sint).header.type, 0x11);
  message_count = 0;
  for (uint32_t i = 0; i < buffers; ++i) {
    take(message_sint);
    let_interrupts_in();
    EXPECT_EQUAL(message_count, i + 1);
    EXPECT_EQUAL(slot(message_sint).header.type, 0x20 + i);
    EXPECT_EQUAL(slot(message_sint).header.flags, i + 1 < buffers ? message_pending : 0);
  }
  take(message_sint);
  EXPECT_EQUAL(slot(message_sint).header.type, 0);
  return nullptr;
}

const char* masked_and_polling() {
  EXPECT_STATUS(call::simple(CallCode::CreatePort, port_of(port + 1, PortType::Message, quiet_sint)), Success);
  EXPECT_STATUS(call::simple(CallCode::ConnectPort, connection_to(connection + 1, port + 1, PortType::Message)), Success);
  EXPECT_STATUS(post(connection + 1, 0x31), Success);
  EXPECT_EQUAL(slot(quiet_sint).header.type, 0);  // masked: it waits
  message_count = 0;
  arch::write_msr(msr::Sint0 + quiet_sint, Sint{}.with_vector(message_vector).with_masked(true).with_polling(true).raw);
  EXPECT_EQUAL(slot(quiet_sint).header.type, 0x31);
  let_interrupts_in();
  EXPECT_EQUAL(message_count, 0);
  take(quiet_sint);
  arch::write_msr(msr::Sint0 + quiet_sint, sint_reset);
  return nullptr;
}

const char* automatic_end_of_interrupt() {
  EXPECT_STATUS(call::simple(CallCode::CreatePort, port_of(port + 2, PortType::Message, automatic_sint)), Success);
  EXPECT_STATUS(call::simple(CallCode::ConnectPort, connection_to(connection + 2, port + 2, PortType::Message)), Success);
  for (uint32_t i = 1; i <= 2; ++i) {
    EXPECT_STATUS(post(connection + 2, 0x40 + i), Success);
    let_interrupts_in();
    EXPECT_EQUAL(automatic_count, i);  // though the handler of the first wrote no EOI
    EXPECT_EQUAL(slot(automatic_sint).header.type, 0x40 + i);
    take(automatic_sint);
  }
  return nullptr;
}

const char* events_arrive() {
  CreatePort input = port_of(port + 3, PortType::Event, event_sint);
  input.port_info.base_flag_number = 40;
  input.port_info.flag_count = 8;
  EXPECT_STATUS(call::simple(CallCode::CreatePort, input), Success);
  EXPECT_STATUS(call::simple(CallCode::ConnectPort, connection_to(connection + 3, port + 3, PortType::Event)), Success);
  EXPECT_STATUS(post(connection + 3, 1), InvalidPortId);
  EXPECT_STATUS(signal(connection + 3, 8), InvalidParameter);  // the port has 8
  EXPECT_STATUS(signal(connection + 3, 3), Success);
  EXPECT_STATUS(signal(connection + 3, 3), Success);
  let_interrupts_in();
  EXPECT_EQUAL(event_count, 1);  // the second found its flag set
  for (unsigned i = 0; i < 128; ++i) EXPECT_EQUAL(flag(event_sint, i), i == 43);
  EXPECT_STATUS(signal(connection + 3, 4), Success);
  let_interrupts_in();
  EXPECT_EQUAL(event_count, 2);
  at<uint64_t>(events + event_sint * event_flag_slot_bytes) = 0;
  EXPECT_STATUS(signal(connection + 3, 3), Success);
  let_interrupts_in();
  EXPECT_EQUAL(event_count, 3);
  return nullptr;
}

const char* ports_end() {
  EXPECT_STATUS(call::simple(CallCode::DeletePort, DeletePort{partition_self, port + 1, 1}), InvalidParameter);
  EXPECT_STATUS(call::simple(CallCode::DeletePort, DeletePort{partition_self, port + 1, 0}), Success);
  EXPECT_STATUS(post(connection + 1, 1), InvalidPortId);
  EXPECT_STATUS(call::simple(CallCode::DisconnectPort, DisconnectPort{partition_self, connection + 1, 1}), InvalidParameter);
  EXPECT_STATUS(call::simple(CallCode::DisconnectPort, DisconnectPort{partition_self, connection + 1, 0}), Success);
  EXPECT_STATUS(post(connection + 1, 1), InvalidConnectionId);
  return nullptr;
}

uint64_t upper_messages;
Message upper_message;

void on_upper_message(TrapFrame*) {
  ++upper_count;
  auto* const found = reinterpret_cast<volatile Message*>(upper_messages + message_sint * message_slot_bytes);
  memcpy(&upper_message, const_cast<Message*>(found), sizeof upper_message);
  found->header.type = MessageType::None;
  apic(apic_eoi) = 0;
}

const char* message_for_vtl1() {
  constexpr uint32_t open = 20, closed = 21;
  set_interrupt_handler(upper_vector, on_upper_message);
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    upper_messages = arch::read_msr(msr::Simp) & ~0xFFFull;
    arch::write_msr(msr::Sint0 + message_sint, upper_vector);
    EXPECT_STATUS(call::simple(CallCode::CreatePort, port_of(open, PortType::Message, message_sint, 1)), Success);
    CreatePort input = port_of(closed, PortType::Message, message_sint, 1);
    input.min_connection_vtl = 1;
    EXPECT_STATUS(call::simple(CallCode::CreatePort, input), Success);
    return nullptr;
  });
  if (answer != nullptr) return answer;
  EXPECT_STATUS(call::simple(CallCode::ConnectPort, connection_to(closed, closed, PortType::Message)), AccessDenied);
  ConnectPort above = connection_to(closed, closed, PortType::Message);
  above.connection_vtl = 1;
  EXPECT_STATUS(call::simple(CallCode::ConnectPort, above), AccessDenied);
  EXPECT_STATUS(call::simple(CallCode::DeletePort, DeletePort{partition_self, open, 0}), AccessDenied);
  EXPECT_STATUS(call::simple(CallCode::ConnectPort, connection_to(open, open, PortType::Message)), Success);
  EXPECT_STATUS(post(open, 0x51), Success);
  EXPECT_EQUAL(upper_count, 1);  // VTL 1 has run, though VTL 0 has its interrupts off
  EXPECT_EQUAL(upper_message.header.type, 0x51);
  EXPECT_EQUAL(upper_message.header.origin, open);
  EXPECT_EQUAL(slot(message_sint).header.type, 0);
  return upper::run([](upper::Saved*) -> const char* {
    EXPECT_STATUS(call::simple(CallCode::DeletePort, DeletePort{partition_self, open, 0}), Success);
    EXPECT_STATUS(call::simple(CallCode::DeletePort, DeletePort{partition_self, closed, 0}), Success);
    return nullptr;
  });
}

PostMessageDirect direct_message(uint8_t vtl) {
  PostMessageDirect input{};
  input.target_partition = partition_self;
  input.target_vp = vp_self;
  input.target_vtl = vtl;
  input.sint_index = message_sint;
  const MessageHeader header{static_cast<MessageType>(0x61), 8, 0, 0, 0x1234};
  memcpy(input.message, &header, sizeof header);
  return input;
}

const char* direct_from_vtl1() {
  EXPECT_STATUS(call::simple(CallCode::PostMessageDirect, direct_message(1)), AccessDenied);
  const SignalEventDirect above{partition_self, vp_self, 1, event_sint, 1};
  EXPECT_STATUS(call::simple(CallCode::SignalEventDirect, above), AccessDenied);
  at<uint64_t>(events + event_sint * event_flag_slot_bytes) = 0;
  message_count = event_count = 0;
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    EXPECT_STATUS(call::simple(CallCode::PostMessageDirect, direct_message(0)), Success);
    SignalEventDirect event{partition_self, vp_self, 0, event_sint, 1};
    EXPECT_STATUS(call::simple(CallCode::SignalEventDirect, event), Success);
    EXPECT_EQUAL(call::output<SignalEventDirectOutput>().newly_signaled, 1);
    EXPECT_STATUS(call::simple(CallCode::SignalEventDirect, event), Success);
    EXPECT_EQUAL(call::output<SignalEventDirectOutput>().newly_signaled, 0);
    event.flag_number = event_flags_per_sint;
    EXPECT_STATUS(call::simple(CallCode::SignalEventDirect, event), InvalidParameter);
    return nullptr;
  });
  if (answer != nullptr) return answer;
  let_interrupts_in();
  EXPECT_EQUAL(message_count, 1);
  EXPECT_EQUAL(event_count, 1);
  EXPECT_EQUAL(slot(message_sint).header.type, 0x61);
  EXPECT_EQUAL(slot(message_sint).header.origin, 0x1234);
  EXPECT_THAT(flag(event_sint, 1));
  take(message_sint);
  return nullptr;
}

uint64_t now() { return arch::read_msr(msr::TimeRefCount); }
void wait_until(uint64_t time) {
  while (now() < time) arch::pause();
}

const char* one_shot_timer() {
  message_count = 0;
  const auto config = SyntheticTimerConfig{}.with_enabled(true).with_sint(message_sint);
  const uint64_t due = now() + 50;
  arch::write_msr(msr::Stimer0Count, due);
  arch::write_msr(msr::Stimer0Config, config.raw);
  let_interrupts_in();
  EXPECT_EQUAL(message_count, 0);
  wait_until(due + 1);
  let_interrupts_in();
  EXPECT_EQUAL(message_count, 1);
  EXPECT_EQUAL(slot(message_sint).header.type, MessageType::TimerExpired);
  TimerMessage expired;
  memcpy(&expired, const_cast<uint8_t*>(slot(message_sint).payload), sizeof expired);
  EXPECT_EQUAL(expired.timer_index, 0);
  EXPECT_EQUAL(expired.expiration_time, due);
  EXPECT_THAT(expired.delivery_time >= due && expired.delivery_time <= now());
  EXPECT_EQUAL(arch::read_msr(msr::Stimer0Config) & 1, 0);  // done
  take(message_sint);
  // Without a SINT it cannot be enabled.
  arch::write_msr(msr::Stimer0Config, SyntheticTimerConfig{}.with_enabled(true).raw);
  EXPECT_EQUAL(arch::read_msr(msr::Stimer0Config) & 1, 0);
  return nullptr;
}

const char* periodic_timer() {
  message_count = 0;
  const auto config = SyntheticTimerConfig{}.with_periodic(true).with_auto_enable(true).with_sint(message_sint);
  arch::write_msr(msr::Stimer0Config + 2, config.raw);
  arch::write_msr(msr::Stimer0Count + 2, 40);  // a count enables it
  EXPECT_EQUAL(arch::read_msr(msr::Stimer0Config + 2) & 1, 1);
  for (uint32_t i = 1; i <= 3; ++i) {
    wait_until(now() + 45);
    let_interrupts_in();
    EXPECT_EQUAL(message_count, i);
    EXPECT_EQUAL(slot(message_sint).header.type, MessageType::TimerExpired);
    take(message_sint);
  }
  arch::write_msr(msr::Stimer0Count + 2, 0);
  EXPECT_EQUAL(arch::read_msr(msr::Stimer0Config + 2) & 1, 0);
  take(message_sint);
  let_interrupts_in();
  slot(message_sint).header.type = MessageType::None;
  return nullptr;
}

const char* direct_timer_and_vtl1s() {
  const auto config = SyntheticTimerConfig{}.with_enabled(true).with_direct_mode(true).with_apic_vector(direct_vector);
  arch::write_msr(msr::Stimer0Config + 4, config.raw);
  arch::write_msr(msr::Stimer0Count + 4, now() + 30);
  arch::write_msr(msr::Stimer0Config + 4, config.raw);
  wait_until(now() + 40);
  let_interrupts_in();
  EXPECT_EQUAL(direct_count, 1);
  upper_count = 0;
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(arch::read_msr(msr::Stimer0Config + 4), 0);  // its own
    arch::write_msr(msr::Stimer0Count, now() + 50);
    arch::write_msr(msr::Stimer0Config, SyntheticTimerConfig{}.with_enabled(true).with_sint(message_sint).raw);
    return nullptr;
  });
  if (answer != nullptr) return answer;
  EXPECT_EQUAL(upper_count, 0);
  wait_until(now() + 60);  // interrupts are off in VTL 0
  EXPECT_EQUAL(upper_count, 1);
  EXPECT_EQUAL(upper_message.header.type, MessageType::TimerExpired);
  return nullptr;
}

constexpr Test tests[] = {
    {"message and event pages hide RAM, keep what they hold, and are each VTL's own", pages},
    {"synthetic interrupts are masked at first, and take no vector below 16", lines},
    {"ports and connections that cannot be are refused by name", refused_ports},
    {"a message goes through a connection into the slot of its port's SINT, with an interrupt", message_arrives},
    {"sixteen messages wait behind a full slot, and each EOM brings the next", messages_wait_for_eom},
    {"a masked SINT keeps its messages, a polled one interrupts nobody", masked_and_polling},
    {"with auto-EOI the second message interrupts though no handler ended the first", automatic_end_of_interrupt},
    {"an event sets its port's flag and interrupts once", events_arrive},
    {"nothing goes through a port that is deleted or a connection that is cut", ports_end},
    {"VTL 0 sends a message to VTL 1, which alone decides who may", message_for_vtl1},
    {"VTL 1 sends to a SINT of VTL 0 by its number, VTL 0 to none above it", direct_from_vtl1},
    {"a one-shot timer sends its message once, with its times", one_shot_timer},
    {"a periodic timer sends again until its count is 0", periodic_timer},
    {"a timer in direct mode is an interrupt, and VTL 1's enters VTL 1", direct_timer_and_vtl1s},
};

}  // namespace

std::span<const Test> message_tests() { return tests; }
