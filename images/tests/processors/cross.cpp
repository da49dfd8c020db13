// Hypercalls whose effect is on another processor: names, sparse sets, interrupts, messages, and TLBs that are held
// (TLFS 7.8.7, 10, 11, 15.11; sections 2.10, 3.5, 6).
#include <string.h>

#include "processors.h"

using namespace kernel;
using namespace abi::hv;
using namespace processors;

namespace {

/// The call of whoever runs this, with a page of its own: call::input_page() is the first processor's.
template <class Header>
call::Result from_own_page(unsigned index, CallCode code, const Header& header) {
  static uint64_t pages[count];
  if (pages[index] == 0) pages[index] = allocate_page();
  memcpy(reinterpret_cast<void*>(pages[index]), &header, sizeof header);
  return call::issue(control_for(code).raw, pages[index]);
}

const char* names_by_apic() {
  const GetVpIndexFromApicId header{partition_self, 0, {}};
  const ApicIdElement all[] = {{3}, {1}, {2}, {0}};
  EXPECT_STATUS(call::list(CallCode::GetVpIndexFromApicId, header, all), Success);
  for (unsigned i = 0; i < count; ++i) EXPECT_EQUAL(call::output<VpIndexElement>(i).vp_index, all[i].apic_id);
  const ApicIdElement wrong[] = {{2}, {77}, {1}};
  const call::Result result = call::list(CallCode::GetVpIndexFromApicId, header, wrong);
  EXPECT_STATUS(result, InvalidParameter);
  EXPECT_EQUAL(result.reps, 1);
  EXPECT_STATUS(call::list(CallCode::GetVpIndexFromApicId, GetVpIndexFromApicId{partition_self, 1, {}}, all), AccessDenied);
  EXPECT_STATUS(call::list(CallCode::GetVpIndexFromApicId, GetVpIndexFromApicId{42, 0, {}}, all), InvalidPartitionId);
  return nullptr;
}

uint64_t window, one, two, seen[count];

void look(unsigned index) { seen[index] = load<uint64_t>(window); }

/// Every processor holds a translation that the page table no longer has.
void make_stale() {
  one = allocate_page(), two = allocate_page();
  at<uint64_t>(one) = 1;
  at<uint64_t>(two) = 2;
  window = map_somewhere(one, 3);
  for (unsigned index = 1; index < count; ++index) have_done(index, look);
  look(0);
  leaf_entry(window) = two | 3;
}

/// Which processors see the new translation, bit n for processor n.
unsigned who_was_flushed() {
  unsigned set = 0;
  for (unsigned index = 0; index < count; ++index) {
    if (index == 0) look(0);
    else have_done(index, look);
    if (seen[index] == 2) set |= 1u << index;
  }
  return set;
}

/// A call with a set of processors; the banks are the variable header.
template <std::size_t Banks>
call::Result flush_set(VpSet set, const uint64_t (&banks)[Banks], bool list) {
  const FlushVirtualAddressSpaceEx header{arch::read_cr3(), 0, set};
  const GvaRange ranges[] = {{0x5000}, {window}};
  uint8_t* const input = call::input_page();
  memcpy(input, &header, sizeof header);
  memcpy(input + sizeof header, banks, sizeof banks);
  memcpy(input + sizeof header + sizeof banks, ranges, sizeof ranges);
  const HypercallControl control = list ? control_for(CallCode::FlushVirtualAddressListEx, 2)
                                        : control_for(CallCode::FlushVirtualAddressSpaceEx);
  return call::issue(control.with_variable_header_qwords(Banks).raw, reinterpret_cast<uint64_t>(input));
}

const char* sparse_sets() {
  for (const bool list : {false, true}) {
    make_stale();
    const uint64_t far[] = {~0ull};
    EXPECT_STATUS(flush_set({vp_set_sparse_4k, 0b10}, far, list), Success);  // processors 64 to 127, of which none is
    EXPECT_EQUAL(who_was_flushed(), 0);
    const uint64_t middle[] = {0b0110};
    EXPECT_STATUS(flush_set({vp_set_sparse_4k, 0b1}, middle, list), Success);
    EXPECT_EQUAL(who_was_flushed(), 0b0110);
    make_stale();
    const uint64_t two_banks[] = {0b1001, 0b1111};
    EXPECT_STATUS(flush_set({vp_set_sparse_4k, 0b11}, two_banks, list), Success);
    EXPECT_EQUAL(who_was_flushed(), 0b1001);
    EXPECT_STATUS(flush_set({vp_set_sparse_4k, 0b1}, two_banks, list), InvalidHypercallInput);
    EXPECT_STATUS(flush_set({7, 0b1}, middle, list), InvalidParameter);
    EXPECT_EQUAL(who_was_flushed(), 0b1001);
  }
  make_stale();
  FlushVirtualAddressSpaceEx all{arch::read_cr3(), 0, {vp_set_all, 0}};
  EXPECT_STATUS(call::simple(CallCode::FlushVirtualAddressSpaceEx, all), Success);
  EXPECT_EQUAL(who_was_flushed(), 0b1111);
  return nullptr;
}

constexpr uint8_t vector = 0x62;
std::atomic<uint32_t> arrivals[count];

void on_interrupt(TrapFrame*) {
  ++arrivals[arch::read_msr(msr::VpIndex)];
  arch::write_msr(msr::Eoi, 0);
}

void sleep_once(unsigned) {
  arch::enable_interrupts_and_halt();
  arch::disable_interrupts();
}

/// Puts the processors of the set to sleep; each goes on with the first interrupt.
void put_to_sleep(unsigned set) {
  for (auto& arrival : arrivals) arrival = 0;
  for (unsigned index = 1; index < count; ++index)
    if ((set >> index & 1) != 0) tell(index, sleep_once);
}
const char* expect_woken(unsigned set) {
  for (unsigned index = 1; index < count; ++index) {
    if ((set >> index & 1) != 0) wait_for(index);
    EXPECT_EQUAL(arrivals[index].load(), set >> index & 1);
  }
  return nullptr;
}

const char* cluster_interrupts() {
  set_interrupt_handler(vector, on_interrupt);
  SendSyntheticClusterIpi input{15, {}, 0, 0, 0b1010};
  EXPECT_STATUS(call::simple(CallCode::SendSyntheticClusterIpi, input), InvalidParameter);  // a vector below 16
  input.vector = vector;
  input.reserved = 1;
  EXPECT_STATUS(call::simple(CallCode::SendSyntheticClusterIpi, input), InvalidParameter);
  input.reserved = 0;
  put_to_sleep(0b1010);
  EXPECT_STATUS(call::simple(CallCode::SendSyntheticClusterIpi, input), Success);
  if (const char* answer = expect_woken(0b1010)) return answer;
  put_to_sleep(0b1100);
  const SendSyntheticClusterIpiEx ex{vector, {}, 0, 0, {vp_set_sparse_4k, 1}};
  const uint64_t bank = 0b1100;
  memcpy(call::input_page(), &ex, sizeof ex);
  memcpy(call::input_page() + sizeof ex, &bank, sizeof bank);
  EXPECT_STATUS(call::issue(control_for(CallCode::SendSyntheticClusterIpiEx).with_variable_header_qwords(1).raw,
                            reinterpret_cast<uint64_t>(call::input_page())),
                Success);
  return expect_woken(0b1100);
}

const char* interrupt_by_msr() {
  put_to_sleep(0b0100);
  arch::write_msr(msr::Icr, 2ull << 56 | 0x4000 | vector);  // destination 2, as in the APIC's own register
  if (const char* answer = expect_woken(0b0100)) return answer;
  EXPECT_EQUAL(arch::read_msr(msr::Icr) & 0xFF, vector);
  arch::write_msr(msr::Tpr, 0x70);
  EXPECT_EQUAL(arch::read_msr(msr::Tpr), 0x70);
  uint64_t cr8;
  asm volatile("movq %%cr8, %0" : "=r"(cr8));
  EXPECT_EQUAL(cr8, 7);
  arch::write_msr(msr::Tpr, 0);
  EXPECT_EQUAL(guarded([](void*) { arch::write_msr(msr::Tpr, 0x100); }).vector, 13);
  return nullptr;
}

const char* asserted_interrupts() {
  AssertVirtualInterrupt input{partition_self, InterruptControl{}.raw, 3, vector, 0, {}};
  put_to_sleep(0b1000);
  EXPECT_STATUS(call::simple(CallCode::AssertVirtualInterrupt, input), Success);
  if (const char* answer = expect_woken(0b1000)) return answer;
  input.vector = 15;
  EXPECT_STATUS(call::simple(CallCode::AssertVirtualInterrupt, input), InvalidParameter);
  input.vector = vector;
  input.target_vtl = 1;
  EXPECT_STATUS(call::simple(CallCode::AssertVirtualInterrupt, input), AccessDenied);
  input.target_vtl = 0;
  input.target_partition = 42;
  EXPECT_STATUS(call::simple(CallCode::AssertVirtualInterrupt, input), InvalidPartitionId);
  // An external interrupt comes in through LINT0, and is taken back before anybody accepts it.
  constexpr uint64_t apic_lint0 = 0x350;
  apic(apic_lint0) = 0x700;
  input.target_partition = partition_self;
  input.interrupt_control = InterruptControl{}.with_type(static_cast<uint32_t>(InterruptType::ExtInt)).raw;
  arrivals[0] = 0;
  EXPECT_STATUS(call::simple(CallCode::AssertVirtualInterrupt, input), Success);
  EXPECT_STATUS(call::simple(CallCode::ClearVirtualInterrupt, ClearVirtualInterrupt{partition_self}), Success);
  for (int i = 0; i < 2; ++i) {
    arch::enable_interrupts();
    arch::pause();
    arch::disable_interrupts();
    EXPECT_EQUAL(arrivals[0].load(), i);
    if (i == 0) EXPECT_STATUS(call::simple(CallCode::AssertVirtualInterrupt, input), Success);
  }
  apic(apic_lint0) = 0x10000;
  return nullptr;
}

constexpr uint32_t port = 5, event_port = 6;
constexpr uint8_t sint = 2;
uint64_t message_pages[count], event_pages[count];

/// This processor has a SynIC of its own.
void enable_synic(unsigned index) {
  arch::write_msr(msr::Simp, message_pages[index] | 1);
  arch::write_msr(msr::Siefp, event_pages[index] | 1);
  arch::write_msr(msr::Sint0 + sint, vector);
  arch::write_msr(msr::Scontrol, 1);
}

call::Result connect(uint32_t id, PortType type, uint32_t vp) {
  CreatePort create{};
  create.port_partition = create.connection_partition = partition_self;
  create.port_id = id;
  create.port_info = {static_cast<uint32_t>(type), 0, sint, vp, 0, static_cast<uint16_t>(type == PortType::Event), 0};
  if (const call::Result result = call::simple(CallCode::CreatePort, create); result.status != 0) return result;
  ConnectPort input{};
  input.connection_partition = input.port_partition = partition_self;
  input.connection_id = input.port_id = id;
  input.connection_info.type = static_cast<uint32_t>(type);
  return call::simple(CallCode::ConnectPort, input);
}

const char* messages_for_others() {
  for (unsigned index = 1; index < count; ++index) {
    message_pages[index] = allocate_page(), event_pages[index] = allocate_page();
    have_done(index, enable_synic);
  }
  EXPECT_STATUS(connect(port, PortType::Message, 2), Success);
  EXPECT_STATUS(connect(event_port, PortType::Event, 3), Success);
  PostMessage message{};
  message.connection = port;
  message.message_type = 0x71;
  put_to_sleep(0b0100);
  EXPECT_STATUS(call::simple(CallCode::PostMessage, message), Success);
  if (const char* answer = expect_woken(0b0100)) return answer;
  put_to_sleep(0b1000);
  EXPECT_STATUS(call::simple(CallCode::SignalEvent, SignalEvent{event_port, 0, 0}), Success);
  if (const char* answer = expect_woken(0b1000)) return answer;
  // Each processor's page is its own: what the first one reads there is RAM.
  EXPECT_EQUAL(at<uint32_t>(message_pages[2] + sint * message_slot_bytes), 0x71);
  EXPECT_EQUAL(at<uint32_t>(message_pages[1] + sint * message_slot_bytes), 0);
  EXPECT_EQUAL(at<uint8_t>(event_pages[3] + sint * event_flag_slot_bytes), 1);
  return nullptr;
}

std::atomic<uint32_t> flush_status;

void flush_first(unsigned index) {
  const FlushVirtualAddressSpace header{arch::read_cr3(), flush::all_virtual_address_spaces, 1};
  flush_status = from_own_page(index, CallCode::FlushVirtualAddressSpace, header).status;
}

RegisterValue register_of(RegisterName name, uint32_t vp) {
  RegisterValue value{};
  call::get_register(name, value, -1, vp);
  return value;
}

/// In VTL 1 of the first processor, whose TLB is held: processor 1 waits with its flush of it.
const char* expect_flush_waits() {
  flush_status = 0xFFFF;
  tell(1, flush_first);
  for (int i = 0; i < 20'000; ++i) arch::pause();
  EXPECT_EQUAL(flush_status.load(), 0xFFFF);
  EXPECT_EQUAL(register_of(RegisterName::VsmVpWaitForTlbLock, 1).low, 1);
  return nullptr;
}

const char* tlb_held_by_vtl1() {
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    RegisterValue config = register_of(RegisterName::VsmVpSecureConfigVtl0, vp_self);
    const auto locked = VsmVpSecureConfig{config.low}.with_tlb_locked(true);
    EXPECT_STATUS(call::set_register(RegisterName::VsmVpSecureConfigVtl0, {locked.raw, 0}), Success);
    if (const char* wrong = expect_flush_waits()) return wrong;
    EXPECT_STATUS(call::set_register(RegisterName::VsmVpSecureConfigVtl0, config), Success);
    wait_for(1);
    EXPECT_EQUAL(flush_status.load(), 0);
    EXPECT_EQUAL(register_of(RegisterName::VsmVpWaitForTlbLock, 1).low, 0);
    EXPECT_STATUS(call::set_register(RegisterName::VsmVpSecureConfigVtl0, {locked.raw, 0}), Success);
    return expect_flush_waits();
  });
  if (answer != nullptr) return answer;
  wait_for(1);  // VTL 1 returned: what it held is free
  EXPECT_EQUAL(flush_status.load(), 0);
  return nullptr;
}

const char* tlb_held_by_translation() {
  make_stale();
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    using namespace translate_gva;
    constexpr uint64_t of_vtl0 = 0x10ull << 56;
    TranslateVirtualAddress input{partition_self, vp_self, 0, of_vtl0 | validate_read | tlb_flush_inhibit,
                                  (window + 4096) / 4096};
    EXPECT_STATUS(call::simple(CallCode::TranslateVirtualAddress, input), Success);  // not mapped: nothing is held
    EXPECT_THAT(call::output<TranslateVirtualAddressOutput>().result_code != 0);
    flush_status = 0xFFFF;
    have_done(1, flush_first);
    EXPECT_EQUAL(flush_status.load(), 0);
    input.gva_page = window / 4096;
    EXPECT_STATUS(call::simple(CallCode::TranslateVirtualAddress, input), Success);
    EXPECT_EQUAL(call::output<TranslateVirtualAddressOutput>().result_code, 0);
    return expect_flush_waits();
  });
  if (answer != nullptr) return answer;
  wait_for(1);
  EXPECT_EQUAL(flush_status.load(), 0);
  return nullptr;
}

constexpr Test tests[] = {
    {"local APICs name their processors, up to the first that nobody has", names_by_apic},
    {"sparse sets of processors are flushed bank by bank, as a whole and by list", sparse_sets},
    {"cluster interrupts wake the processors of a mask, or of a sparse set", cluster_interrupts},
    {"HV_X64_MSR_ICR interrupts another processor, EOI ends it, TPR is CR8", interrupt_by_msr},
    {"asserted interrupts reach the local APIC of their destination, and can be taken back", asserted_interrupts},
    {"messages and events go to the processor of their port, into pages of its own", messages_for_others},
    {"a TLB that VTL 1 holds keeps others' flushes waiting until it lets go or returns", tlb_held_by_vtl1},
    {"a translation with TLB_FLUSH_INHIBIT holds the TLB if it succeeds", tlb_held_by_translation},
};

}  // namespace

std::span<const Test> cross_tests() { return tests; }
