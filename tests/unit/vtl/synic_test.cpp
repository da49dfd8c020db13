// Messages, event flags, ports and timers (TLFS chapters 11 and 12).
#include "tests/support/conformance.h"
#include "tests/unit/vtl/world.h"

using namespace test;

namespace {

constexpr uint64_t interrupts_on = 0x202;
constexpr uint64_t message_page = 0x30000, event_page = 0x31000;
constexpr uint8_t vector = 0x71;
constexpr uint64_t timer_config = msr::Stimer0Config, timer_count_msr = msr::Stimer0Count;

std::optional<uint8_t> check(World& world) {
  return world.hypervisor.check_interrupts(*world.current, world.now);
}

/// A processor whose SynIC has pages and SINT 2 unmasked.
struct SynicWorld : World {
  SynicWorld() {
    enable_apic();
    vp().context().rflags = interrupts_on;
    REQUIRE(wrmsr(msr::Scontrol, 1));
    REQUIRE(wrmsr(msr::Simp, message_page | 1));
    REQUIRE(wrmsr(msr::Siefp, event_page | 1));
    REQUIRE(wrmsr(msr::Sint0 + 2, vector));
  }
  Message slot(unsigned sint) {
    Message message;
    REQUIRE(memory.read(spa(message_page + sint * 256), bytes_of(message)));
    return message;
  }
  static std::span<uint8_t> bytes_of(Message& message) {
    return {reinterpret_cast<uint8_t*>(&message), sizeof message};
  }
  void free_slot(unsigned sint) { write(message_page + sint * 256, uint32_t{0}); }
  HvStatus post_direct(uint32_t type, uint32_t sint = 2) {
    PostMessageDirect input{partition_self, vp_self, 0, {}, sint, {}, 0};
    Message message{};
    message.header.type = static_cast<MessageType>(type);
    message.header.payload_size = 8;
    std::memcpy(input.message, &message, sizeof message);
    return slow(CallCode::PostMessageDirect, input);
  }
  bool in_service(uint8_t v) {
    return hypervisor.partition().vps[0]->vtls[Vtl::Vtl0].apic.in_service(v);
  }
  void take(uint8_t v) {
    REQUIRE(check(*this) == v);
    Exit exit;
    exit.reason = ExitReason::InterruptAccepted;
    exit.vector = v;
    REQUIRE(hypervisor.handle(exit, *current, now).kind == OutcomeKind::Resume);
  }
  CreatePort message_port(uint32_t id) {
    return {partition_self, id, 0, 0, 0, 0, {1, 0, 2, 0, 0, 0, 0}, 0};
  }
  CreatePort event_port(uint32_t id, uint16_t first, uint16_t count) {
    return {partition_self, id, 0, 0, 0, 0, {2, 0, 2, 0, first, count, 0}, 0};
  }
  ConnectPort connection(uint32_t id, uint32_t port, uint32_t type) {
    return {partition_self, id, 0, 0, 0, partition_self, port, 0, {type, 0, {}}, 0};
  }
  HvStatus post(uint32_t id, uint32_t type = 7, uint32_t size = 8) {
    PostMessage input{id, 0, type, size, {}};
    for (uint8_t i = 0; i < 240; ++i)
      input.payload[i] = i;
    return slow(CallCode::PostMessage, input);
  }
};

}  // namespace

TEST_CASE("a message fills its slot and raises the SINT; the next waits until EOM") {
  CONFORMANCE("HvCallPostMessageDirect", "message lies in the slot of its SINT, vector pending",
              "TLFS 11.8");
  CONFORMANCE("HV_X64_MSR_EOM", "busy slot: message_pending set, EOM delivers the next",
              "TLFS 11.8.6");
  SynicWorld world;
  REQUIRE(world.post_direct(0x11) == HvStatus::Success);
  REQUIRE(world.post_direct(0x22) == HvStatus::Success);
  REQUIRE(world.post_direct(0x33) == HvStatus::Success);
  EXPECT(world.slot(2).header.type == static_cast<MessageType>(0x11));
  EXPECT(world.slot(2).header.payload_size == 8);
  EXPECT(world.slot(2).header.flags == message_pending);
  world.take(vector);
  EXPECT(world.in_service(vector));
  REQUIRE(world.wrmsr(msr::Eom, 0));  // the slot is still full: nothing happens
  EXPECT(world.slot(2).header.type == static_cast<MessageType>(0x11));
  world.free_slot(2);
  REQUIRE(world.wrmsr(msr::Eoi, 0));  // EOI counts as EOM
  EXPECT(world.slot(2).header.type == static_cast<MessageType>(0x22));
  EXPECT(world.slot(2).header.flags == message_pending);
  world.take(vector);
  world.free_slot(2);
  REQUIRE(world.wrmsr(msr::Eom, 0));
  EXPECT(world.slot(2).header.type == static_cast<MessageType>(0x33));
  EXPECT(world.slot(2).header.flags == 0);
  EXPECT(world.rdmsr(msr::Eom) == 0);
}

TEST_CASE("SINT rules: vectors, masked, polling, auto-EOI, what is not offered") {
  CONFORMANCE("HV_X64_MSR_SINT0", "vector below 16 unmasked -> #GP", "TLFS 11.8.5");
  CONFORMANCE("HV_X64_MSR_SINT0", "masked: messages wait; polling: no interrupt", "TLFS 11.8.5");
  SynicWorld world;
  EXPECT(!world.wrmsr(msr::Sint0 + 3, 15));
  EXPECT(world.wrmsr(msr::Sint0 + 3, 15 | 0x10000));
  EXPECT(!world.wrmsr(msr::Sint0 + 3, 0x40 | uint64_t{1} << 19));
  EXPECT(!world.wrmsr(msr::Sint0 + 3, 0x40 | uint64_t{1} << 20));
  EXPECT(world.rdmsr(msr::Sint0 + 3) == (15u | 0x10000u));

  EXPECT(world.post_direct(0x44, 3) == HvStatus::Success);  // masked: it waits
  EXPECT(world.slot(3).header.type == MessageType::None);
  EXPECT(!check(world));
  REQUIRE(world.wrmsr(msr::Sint0 + 3, 0x60 | 1u << 18));  // polling
  EXPECT(world.slot(3).header.type == static_cast<MessageType>(0x44));
  EXPECT(!check(world));

  REQUIRE(world.wrmsr(msr::Sint0 + 4, 0x62 | 1u << 17));  // auto-EOI
  EXPECT(world.post_direct(0x55, 4) == HvStatus::Success);
  world.take(0x62);
  EXPECT(!world.in_service(0x62));
}

TEST_CASE("messages need an enabled SynIC, and 16 may wait for a slot") {
  CONFORMANCE("HvCallPostMessageDirect", "SynIC off -> INVALID_SYNIC_STATE", "TLFS 11.11");
  CONFORMANCE("HvCallPostMessageDirect", "no buffer left -> INSUFFICIENT_BUFFERS", "TLFS 11.11");
  CONFORMANCE("HvCallPostMessageDirect", "SINT above 15 -> INVALID_PARAMETER", "hvdef");
  SynicWorld world;
  EXPECT(world.post_direct(0x11, 16) == HvStatus::InvalidParameter);
  EXPECT(world.post_direct(0) == HvStatus::InvalidParameter);
  REQUIRE(world.post_direct(0x11) == HvStatus::Success);
  for (int i = 0; i < 16; ++i)
    REQUIRE(world.post_direct(0x22) == HvStatus::Success);
  EXPECT(world.post_direct(0x22) == HvStatus::InsufficientBuffers);
  EXPECT(world.post_direct(0x22, 4) == HvStatus::Success);  // another SINT has its own
  REQUIRE(world.wrmsr(msr::Scontrol, 0));
  EXPECT(world.post_direct(0x33) == HvStatus::InvalidSynicState);
}

TEST_CASE("an event flag raises its SINT when it becomes set") {
  CONFORMANCE("HvCallSignalEventDirect", "sets the flag, says whether it was clear", "hvdef");
  CONFORMANCE("HvCallSignalEventDirect", "flag above 2047 -> INVALID_PARAMETER", "TLFS 11.9");
  SynicWorld world;
  const auto signal = [&](uint16_t flag) {
    return world.slow(CallCode::SignalEventDirect,
                      SignalEventDirect{partition_self, 0, 0, 2, flag});
  };
  REQUIRE(signal(1027) == HvStatus::Success);
  EXPECT(world.read<uint8_t>(output_page) == 1);
  EXPECT(world.read<uint8_t>(event_page + 2 * 256 + 128) == 0x08);
  world.take(vector);
  REQUIRE(world.wrmsr(msr::Eoi, 0));
  REQUIRE(signal(1027) == HvStatus::Success);
  EXPECT(world.read<uint8_t>(output_page) == 0);
  EXPECT(!check(world));
  EXPECT(signal(2048) == HvStatus::InvalidParameter);
  REQUIRE(world.wrmsr(msr::Siefp, event_page));
  EXPECT(signal(5) == HvStatus::InvalidSynicState);
}

TEST_CASE("direct calls reach no higher VTL, no other partition and no missing processor") {
  CONFORMANCE("HvCallSignalEventDirect", "VTL above the caller's -> ACCESS_DENIED", "hvdef");
  CONFORMANCE("HvCallSignalEventDirect", "bad partition -> INVALID_PARTITION_ID", "hvdef");
  CONFORMANCE("HvCallSignalEventDirect", "bad VP -> INVALID_VP_INDEX", "hvdef");
  SynicWorld world;
  const auto signal = [&](uint64_t partition, uint32_t vp, uint8_t vtl) {
    return world.slow(CallCode::SignalEventDirect, SignalEventDirect{partition, vp, vtl, 2, 1});
  };
  EXPECT(signal(42, 0, 0) == HvStatus::InvalidPartitionId);
  EXPECT(signal(partition_self, 9, 0) == HvStatus::InvalidVpIndex);
  EXPECT(signal(partition_self, 0, 1) == HvStatus::AccessDenied);
  EXPECT(signal(partition_self, 0, 7) == HvStatus::InvalidParameter);
}

TEST_CASE("a message goes through a connection to its port") {
  CONFORMANCE("HvCallPostMessage", "header names type, size and port; payload copied",
              "TLFS 11.11.1");
  CONFORMANCE("HvCallPostMessage", "no connection -> INVALID_CONNECTION_ID", "TLFS 11.11.1");
  CONFORMANCE("HvCallPostMessage", "more than 240 bytes, or a type of the hypervisor's -> "
              "INVALID_PARAMETER", "TLFS 11.11.1");
  CONFORMANCE("HvCallPostMessage", "port deleted -> INVALID_PORT_ID", "TLFS 11.11.1");
  SynicWorld world;
  EXPECT(world.post(5) == HvStatus::InvalidConnectionId);
  REQUIRE(world.slow(CallCode::CreatePort, world.message_port(0x77)) == HvStatus::Success);
  REQUIRE(world.slow(CallCode::ConnectPort, world.connection(5, 0x77, 1)) == HvStatus::Success);
  EXPECT(world.post(5, 7, 241) == HvStatus::InvalidParameter);
  EXPECT(world.post(5, 0x80000001) == HvStatus::InvalidParameter);
  EXPECT(world.post(5, 0) == HvStatus::InvalidParameter);
  REQUIRE(world.post(5, 7, 240) == HvStatus::Success);
  const Message message = world.slot(2);
  EXPECT(message.header.type == static_cast<MessageType>(7));
  EXPECT(message.header.payload_size == 240);
  EXPECT(message.header.origin == 0x77);
  EXPECT(message.payload[239] == 239);
  EXPECT(check(world) == vector);
  for (int i = 0; i < 16; ++i)
    REQUIRE(world.post(5) == HvStatus::Success);
  EXPECT(world.post(5) == HvStatus::InsufficientBuffers);
  REQUIRE(world.wrmsr(msr::Scontrol, 0));
  EXPECT(world.post(5) == HvStatus::InvalidSynicState);
  REQUIRE(world.slow(CallCode::DeletePort, DeletePort{partition_self, 0x77, 0}) ==
          HvStatus::Success);
  EXPECT(world.post(5) == HvStatus::InvalidPortId);
  REQUIRE(world.slow(CallCode::DisconnectPort, DisconnectPort{partition_self, 5, 0}) ==
          HvStatus::Success);
  EXPECT(world.post(5) == HvStatus::InvalidConnectionId);
}

TEST_CASE("an event goes through a connection, counted from the port's first flag") {
  CONFORMANCE("HvCallSignalEvent", "flag = base of the port + flag of the call", "TLFS 11.11.2");
  CONFORMANCE("HvCallSignalEvent", "flag beyond the port's -> INVALID_PARAMETER", "TLFS 11.11.2");
  CONFORMANCE("HvCallSignalEvent", "message port -> INVALID_PORT_ID", "TLFS 11.11.2");
  CONFORMANCE("HvCallSignalEvent", "no connection -> INVALID_CONNECTION_ID", "TLFS 11.11.2");
  SynicWorld world;
  REQUIRE(world.slow(CallCode::CreatePort, world.event_port(1, 16, 4)) == HvStatus::Success);
  REQUIRE(world.slow(CallCode::CreatePort, world.message_port(2)) == HvStatus::Success);
  REQUIRE(world.slow(CallCode::ConnectPort, world.connection(1, 1, 2)) == HvStatus::Success);
  const auto signal = [&](uint32_t id, uint16_t flag, uint16_t reserved = 0) {
    return world.slow(CallCode::SignalEvent, SignalEvent{id, flag, reserved});
  };
  EXPECT(signal(1, 3) == HvStatus::Success);
  EXPECT(world.read<uint8_t>(event_page + 2 * 256 + 2) == 0x08);
  EXPECT(check(world) == vector);
  EXPECT(signal(1, 4) == HvStatus::InvalidParameter);
  EXPECT(signal(1, 0, 1) == HvStatus::InvalidParameter);
  EXPECT(signal(3, 0) == HvStatus::InvalidConnectionId);
  EXPECT(world.slow(CallCode::ConnectPort, world.connection(2, 2, 2)) == HvStatus::InvalidPortId);
  REQUIRE(world.slow(CallCode::ConnectPort, world.connection(2, 2, 1)) == HvStatus::Success);
  EXPECT(signal(2, 0) == HvStatus::InvalidPortId);
  EXPECT(world.post(1) == HvStatus::InvalidPortId);
}

TEST_CASE("ports and connections: what is refused") {
  CONFORMANCE("HvCallCreatePort", "identifier in use or above 24 bits -> INVALID_PORT_ID",
              "TLFS HvCallCreatePort");
  CONFORMANCE("HvCallCreatePort", "SINT, flags, type, reserved -> INVALID_PARAMETER",
              "TLFS HvCallCreatePort");
  CONFORMANCE("HvCallCreatePort", "bad partition -> INVALID_PARTITION_ID; bad VP -> INVALID_VP_INDEX",
              "TLFS HvCallCreatePort");
  CONFORMANCE("HvCallConnectPort", "no port -> INVALID_PORT_ID; identifier in use -> "
              "INVALID_CONNECTION_ID", "TLFS HvCallConnectPort");
  CONFORMANCE("HvCallDeletePort", "no port -> INVALID_PORT_ID", "TLFS HvCallDeletePort");
  CONFORMANCE("HvCallDisconnectPort", "no connection -> INVALID_CONNECTION_ID",
              "TLFS HvCallDisconnectPort");
  SynicWorld world;
  const auto create = [&](const CreatePort& port) { return world.slow(CallCode::CreatePort, port); };
  const auto with = [&](auto change) {
    CreatePort port = world.message_port(9);
    change(port);
    return create(port);
  };
  EXPECT(with([](CreatePort& p) { p.port_partition = 42; }) == HvStatus::InvalidPartitionId);
  EXPECT(with([](CreatePort& p) { p.connection_partition = 42; }) == HvStatus::InvalidPartitionId);
  EXPECT(with([](CreatePort& p) { p.port_id = 1u << 24; }) == HvStatus::InvalidPortId);
  EXPECT(with([](CreatePort& p) { p.port_vtl = 3; }) == HvStatus::InvalidParameter);
  EXPECT(with([](CreatePort& p) { p.port_vtl = 1; }) == HvStatus::AccessDenied);
  EXPECT(with([](CreatePort& p) { p.reserved = 1; }) == HvStatus::InvalidParameter);
  EXPECT(with([](CreatePort& p) { p.port_info.type = 3; }) == HvStatus::InvalidParameter);
  EXPECT(with([](CreatePort& p) { p.port_info.target_sint = 16; }) == HvStatus::InvalidParameter);
  EXPECT(with([](CreatePort& p) { p.port_info.target_vp = 7; }) == HvStatus::InvalidVpIndex);
  EXPECT(with([](CreatePort& p) { p.port_info.flag_count = 1; }) == HvStatus::InvalidParameter);
  EXPECT(create(world.event_port(9, 2047, 2)) == HvStatus::InvalidParameter);
  EXPECT(create(world.event_port(9, 0, 0)) == HvStatus::InvalidParameter);
  REQUIRE(create(world.message_port(9)) == HvStatus::Success);
  EXPECT(create(world.message_port(9)) == HvStatus::InvalidPortId);

  const auto connect = [&](const ConnectPort& c) { return world.slow(CallCode::ConnectPort, c); };
  EXPECT(connect(world.connection(1, 8, 1)) == HvStatus::InvalidPortId);
  EXPECT(connect(world.connection(1u << 24, 9, 1)) == HvStatus::InvalidConnectionId);
  ConnectPort bad = world.connection(1, 9, 1);
  bad.connection_info.words[2] = 1;
  EXPECT(connect(bad) == HvStatus::InvalidParameter);
  bad = world.connection(1, 9, 1);
  bad.connection_vtl = 1;
  EXPECT(connect(bad) == HvStatus::AccessDenied);
  bad = world.connection(1, 9, 1);
  bad.port_partition = 42;
  EXPECT(connect(bad) == HvStatus::InvalidPartitionId);
  REQUIRE(connect(world.connection(1, 9, 1)) == HvStatus::Success);
  EXPECT(connect(world.connection(1, 9, 1)) == HvStatus::InvalidConnectionId);
  EXPECT(world.slow(CallCode::DeletePort, DeletePort{partition_self, 8, 0}) ==
         HvStatus::InvalidPortId);
  EXPECT(world.slow(CallCode::DeletePort, DeletePort{partition_self, 9, 1}) ==
         HvStatus::InvalidParameter);
  EXPECT(world.slow(CallCode::DisconnectPort, DisconnectPort{partition_self, 2, 0}) ==
         HvStatus::InvalidConnectionId);
}

TEST_CASE("calls of the SynIC need their privilege") {
  CONFORMANCE("HvCallPostMessage", "without PostMessages -> ACCESS_DENIED", "TLFS 11.11.1");
  CONFORMANCE("HvCallSignalEvent", "without SignalEvents -> ACCESS_DENIED", "TLFS 11.11.2");
  CONFORMANCE("HvCallCreatePort", "without CreatePort -> ACCESS_DENIED", "TLFS HvCallCreatePort");
  CONFORMANCE("HvCallConnectPort", "without ConnectPort -> ACCESS_DENIED",
              "TLFS HvCallConnectPort");
  vtl::HypervisorConfig config;
  config.privileges = config.privileges.with_post_messages(false)
                          .with_signal_events(false)
                          .with_create_port(false)
                          .with_connect_port(false);
  World world{config};
  EXPECT(world.slow(CallCode::PostMessage, PostMessage{}) == HvStatus::AccessDenied);
  EXPECT(world.slow(CallCode::SignalEvent, SignalEvent{}) == HvStatus::AccessDenied);
  EXPECT(world.slow(CallCode::CreatePort, CreatePort{}) == HvStatus::AccessDenied);
  EXPECT(world.slow(CallCode::DeletePort, DeletePort{}) == HvStatus::AccessDenied);
  EXPECT(world.slow(CallCode::ConnectPort, ConnectPort{}) == HvStatus::AccessDenied);
  EXPECT(world.slow(CallCode::DisconnectPort, DisconnectPort{}) == HvStatus::AccessDenied);
}

TEST_CASE("a one-shot timer sends its message once, with both times") {
  CONFORMANCE("HV_X64_MSR_STIMER0_CONFIG", "one-shot: message TimerExpired, then disabled",
              "TLFS 12.3");
  SynicWorld world;
  REQUIRE(world.wrmsr(timer_count_msr, 40));
  REQUIRE(world.wrmsr(timer_config, 1 | 2u << 16));
  EXPECT(world.hypervisor.next_event(world.vp()) == Instant{8000});
  world.now = Instant{7999};
  EXPECT(!check(world));
  world.now = Instant{8200};
  EXPECT(check(world) == vector);
  const Message message = world.slot(2);
  EXPECT(message.header.type == MessageType::TimerExpired);
  EXPECT(message.header.payload_size == 24);
  TimerMessage payload;
  std::memcpy(&payload, message.payload, sizeof payload);
  EXPECT(payload.timer_index == 0);
  EXPECT(payload.expiration_time == 40);
  EXPECT(payload.delivery_time == 41);
  EXPECT(world.rdmsr(timer_config) == 2u << 16);
  EXPECT(world.rdmsr(timer_count_msr) == 40);
  EXPECT(world.hypervisor.next_event(world.vp()) == support::never);
}

TEST_CASE("a periodic timer goes on, and has one message at a time") {
  CONFORMANCE("HV_X64_MSR_STIMER0_CONFIG", "periodic: one message waits at most", "TLFS 12.3");
  SynicWorld world;
  REQUIRE(world.wrmsr(timer_count_msr + 2, 10));
  REQUIRE(world.wrmsr(timer_config + 2, 3 | 2u << 16));
  EXPECT(world.hypervisor.next_event(world.vp()) == Instant{3000});  // 5 + 10 units
  world.now = Instant{3000};
  world.take(vector);
  world.now = Instant{5000};
  EXPECT(!check(world));
  EXPECT(world.slot(2).header.flags == message_pending);
  world.now = Instant{7000};
  EXPECT(!check(world));
  world.free_slot(2);
  REQUIRE(world.wrmsr(msr::Eom, 0));
  TimerMessage payload;
  std::memcpy(&payload, world.slot(2).payload, sizeof payload);
  EXPECT(payload.timer_index == 1);
  EXPECT(payload.expiration_time == 25);
  EXPECT(payload.delivery_time == 35);
  EXPECT(world.slot(2).header.flags == 0);
  EXPECT(world.hypervisor.next_event(world.vp()) == Instant{9000});
}

TEST_CASE("timer registers: SINT 0, auto-enable, a count of nothing, direct mode, reserved bits") {
  CONFORMANCE("HV_X64_MSR_STIMER0_CONFIG", "SINT 0 without direct mode: stays disabled",
              "TLFS 12.3.1");
  CONFORMANCE("HV_X64_MSR_STIMER0_CONFIG", "reserved bit -> #GP", "TLFS 12.3.1");
  CONFORMANCE("HV_X64_MSR_STIMER0_COUNT", "auto-enable starts, 0 stops", "TLFS 12.3.2");
  SynicWorld world;
  REQUIRE(world.wrmsr(timer_config, 1));
  EXPECT(world.rdmsr(timer_config) == 0);
  EXPECT(!world.wrmsr(timer_config, 1u << 13));
  EXPECT(!world.wrmsr(timer_config, 1u << 20));
  REQUIRE(world.wrmsr(timer_config, 8 | 2u << 16));
  REQUIRE(world.wrmsr(timer_count_msr, 100));
  EXPECT(world.rdmsr(timer_config) == (9u | 2u << 16));
  REQUIRE(world.wrmsr(timer_count_msr, 0));
  EXPECT(world.rdmsr(timer_config) == (8u | 2u << 16));
  EXPECT(world.hypervisor.next_event(world.vp()) == support::never);

  EXPECT(!world.wrmsr(timer_config, 1 | 1u << 12 | 15u << 4));  // vector 15
  REQUIRE(world.wrmsr(timer_config, 1 | 1u << 12 | 0x55u << 4));
  REQUIRE(world.wrmsr(timer_count_msr, 1));  // in the past
  REQUIRE(world.wrmsr(timer_config, 1 | 1u << 12 | 0x55u << 4));
  EXPECT(check(world) == 0x55);
  EXPECT(world.slot(2).header.type == MessageType::None);
}

TEST_CASE("VTL 1's synthetic timer forces an entry; VTL 0's waits for the return") {
  CONFORMANCE("HV_X64_MSR_STIMER0_CONFIG", "VTL 1's timer forces entry, VTL 0's fires on return",
              "KUT");
  SynicWorld world;
  REQUIRE(world.wrmsr(timer_config, 1 | 1u << 12 | 0x55u << 4));
  REQUIRE(world.wrmsr(timer_count_msr, 50));
  REQUIRE(world.wrmsr(timer_config, 1 | 1u << 12 | 0x55u << 4));
  world.enter_vtl1_ready();
  EXPECT(world.rdmsr(timer_config) == 0);  // its own instance
  REQUIRE(world.wrmsr(timer_count_msr, 60));
  REQUIRE(world.wrmsr(timer_config, 1 | 1u << 12 | 0x66u << 4));
  world.now = Instant{10000};
  EXPECT(!check(world));
  REQUIRE(world.vtl_return(1).vtl_changed);
  world.take(0x55);
  REQUIRE(world.wrmsr(msr::Eoi, 0));
  world.now = Instant{12000};
  EXPECT(check(world) == 0x66);
  EXPECT(world.vp().active == Vtl::Vtl1);
}

TEST_CASE("GUEST_IDLE is left for an interrupt even with RFLAGS.IF clear") {
  CONFORMANCE("HV_X64_MSR_GUEST_IDLE", "any interrupt wakes, RFLAGS.IF ignored", "TLFS 10.4");
  SynicWorld world;
  world.vp().context().rflags = 2;
  Exit exit;
  exit.reason = ExitReason::MsrRead;
  exit.msr = msr::GuestIdle;
  const Outcome outcome = world.hypervisor.handle(exit, *world.current, world.now);
  EXPECT(outcome.kind == OutcomeKind::Halt);
  EXPECT(outcome.length == 2);
  EXPECT(world.vp().halted);
  EXPECT(!check(world));
  EXPECT(world.vp().halted);
  REQUIRE(world.wrmsr(msr::Icr, 0x40000 | 0x44));
  EXPECT(check(world) == 0x44);
  EXPECT(!world.vp().halted);
}

TEST_CASE("run time, ring page and TSC invariant control") {
  CONFORMANCE("HV_X64_MSR_VP_RUNTIME", "100 ns units, read-only", "TLFS 7.8.3");
  CONFORMANCE("HV_X64_MSR_TSC_INVARIANT_CONTROL", "bit 0 once, others #GP", "hvdef");
  SynicWorld world;
  world.vp().run_ticks = 4100;
  EXPECT(world.rdmsr(msr::VpRuntime) == 20);
  EXPECT(!world.wrmsr(msr::VpRuntime, 0));
  EXPECT(world.wrmsr(msr::Sirbp, 0x32001));
  EXPECT(world.rdmsr(msr::Sirbp) == 0x32001);
  EXPECT(!world.wrmsr(msr::TscInvariantControl, 2));
  EXPECT(world.wrmsr(msr::TscInvariantControl, 1));
  EXPECT(!world.wrmsr(msr::TscInvariantControl, 0));
  EXPECT(world.rdmsr(msr::TscInvariantControl) == 1);
}

TEST_CASE("NPIEP is a register of each VTL with four bits") {
  CONFORMANCE("HV_X64_MSR_NPIEP_CONFIG", "bits 3:0, others #GP; private to a VTL", "TLFS 13.3");
  World world;
  EXPECT(!world.wrmsr(msr::NpiepConfig, 0x10));
  EXPECT(world.wrmsr(msr::NpiepConfig, 0xF));
  EXPECT(world.rdmsr(msr::NpiepConfig) == 0xF);
  world.enter_vtl1_ready();
  EXPECT(world.rdmsr(msr::NpiepConfig) == 0);
}
