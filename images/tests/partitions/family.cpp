// What a parent may do to its child, and a child to its parent: memory with rights, translations, answers, exceptions,
// privileges, messages in both directions, interrupts (TLFS chapters 4, 5, 11; sections 2.8 to 2.10, 5).
#include <string.h>

#include "abi/hv/cpuid.h"
#include "partitions.h"

using namespace kernel;
using namespace abi::hv;
using namespace parent;
using call::CallCode;
using call::RegisterName;

extern "C" {
extern const uint8_t touching_begin[], touching_end[], calling_begin[], calling_end[], failing_begin[], failing_end[];
extern const uint8_t waiting_begin[], waiting_end[], waking_begin[], waking_end[], waking_handler[];
}

namespace {

Child child;
Message told[8];
unsigned told_count;

const char* make_from(const uint8_t* begin, const uint8_t* end_of_code, uint64_t flags = 0) {
  told_count = 0;
  return make(child, begin, static_cast<std::size_t>(end_of_code - begin), flags);
}

const InterceptHeader& note(const Message& message) {
  if (told_count < 8) memcpy(&told[told_count], &message, sizeof message);
  ++told_count;
  return *reinterpret_cast<const InterceptHeader*>(message.payload);
}
template <class Payload>
Payload payload(unsigned index) {
  Payload out;
  memcpy(&out, told[index].payload, sizeof out);
  return out;
}
#define EXPECT_TOLD(index, wanted) EXPECT_EQUAL(told[index].header.type, MessageType::wanted)

/// Until the child has halted or fallen: its VP is suspended with a message that nobody answers.
void run_to_message(unsigned count) {
  const uint32_t before = heard;
  (void)start(child);
  wait_for(before + count);
}

const char* end_child() {
  unsigned pages = 0;
  return end(child, pages);
}

Result map(unsigned page, uint32_t rights) {
  return one(CallCode::MapGpaPages, MapGpaPages{child.id, page, rights, 0}, GpaPage{child.pages[page] / 4096});
}

Result unmap(unsigned page) {
  const UnmapGpaPages input{child.id, page, 0, 0};
  memcpy(call::input_page(), &input, sizeof input);
  return call::issue(control_for(CallCode::UnmapGpaPages, 1).raw, reinterpret_cast<uint64_t>(call::input_page()));
}

TranslateResult translate(uint64_t gva, uint64_t flags, uint64_t& gpa_page) {
  simple(CallCode::TranslateVirtualAddress, TranslateVirtualAddress{child.id, started_vp, 0, flags, gva / 4096});
  const auto out = call::output<TranslateVirtualAddressOutput>();
  gpa_page = out.gpa_page;
  return static_cast<TranslateResult>(out.result_code);
}

const char* rights_of_mappings() {
  if (const char* answer = make_from(touching_begin, touching_end)) return answer;
  EXPECT_STATUS(map(11, map_gpa::readable), Success);
  EXPECT_STATUS(map(11, map_gpa::writable), InvalidParameter);  // W without R
  EXPECT_STATUS(unmap(12), Success);
  child.at<uint64_t>(0xC008) = 0x2222;
  on_message([](const Message& message) {
    note(message);
    if (told_count == 1) map(11, map_gpa::readable | map_gpa::writable);
    if (told_count == 2) map(12, map_gpa::readable);
    if (told_count < 3) resume(child);  // the instruction happens again
  });
  run_to_message(3);
  EXPECT_TOLD(0, GpaIntercept);
  EXPECT_EQUAL(told[0].header.origin, child.id);
  EXPECT_EQUAL(payload<MemoryIntercept>(0).header.access, InterceptAccess::Write);
  EXPECT_EQUAL(payload<MemoryIntercept>(0).header.vp_index, started_vp);
  EXPECT_EQUAL(payload<MemoryIntercept>(0).gpa, 0xB008);
  EXPECT_TOLD(1, UnmappedGpa);
  EXPECT_EQUAL(payload<MemoryIntercept>(1).header.access, InterceptAccess::Read);
  EXPECT_EQUAL(payload<MemoryIntercept>(1).gpa, 0xC008);
  EXPECT_TOLD(2, X64Halt);
  EXPECT_EQUAL(child.at<uint64_t>(0xB008), 0x1111);
  EXPECT_EQUAL(child.at<uint64_t>(0xA000), 0x2222);
  return nullptr;
}

const char* translations_of_the_child() {
  using namespace translate_gva;
  uint64_t page = 0;
  EXPECT_EQUAL(translate(0xB123, validate_read | validate_write, page), TranslateResult::Success);
  EXPECT_EQUAL(page, 0xB);
  EXPECT_EQUAL(translate(0xC000, validate_write, page), TranslateResult::GpaNoWriteAccess);
  EXPECT_EQUAL(translate(0x10000, validate_read, page), TranslateResult::GpaUnmapped);
  EXPECT_EQUAL(translate(0x200000, validate_read, page), TranslateResult::PageNotPresent);
  // Nobody flushes its TLB until it goes on.
  EXPECT_EQUAL(get(child, RegisterName::InterceptSuspend), 1);
  EXPECT_EQUAL(translate(0xB123, validate_read | tlb_flush_inhibit, page), TranslateResult::Success);
  EXPECT_EQUAL(get(child, RegisterName::InterceptSuspend), 3);
  EXPECT_STATUS(set(child, RegisterName::InterceptSuspend, 1), Success);
  EXPECT_EQUAL(get(child, RegisterName::InterceptSuspend), 1);
  EXPECT_STATUS(set(child, RegisterName::InterceptSuspend, 3), InvalidRegisterValue);
  return end_child();
}

/// A call in the child's table.
void plan(unsigned index, uint64_t control, uint64_t rdx, uint64_t r8 = 0) {
  const uint64_t entry = 0x9000 + 32 * index;
  child.at<uint64_t>(entry) = control;
  child.at<uint64_t>(entry + 8) = rdx;
  child.at<uint64_t>(entry + 16) = r8;
}
HypercallResult planned(unsigned index) { return {child.at<uint64_t>(0x9000 + 32 * index + 24)}; }
#define EXPECT_PLANNED(index, wanted) EXPECT_EQUAL(planned(index).status(), static_cast<uint16_t>(HvStatus::wanted))

constexpr uint8_t letter_vector = 0x71, letter_sint = 2;
constexpr uint32_t letter_port = 3, letter_connection = 4;
uint32_t letters;
uint64_t slots;  // of the parent

/// A port of the parent, and the child's connection to it.
const char* make_letter_box() {
  slots = arch::read_msr(msr::Simp) & ~0xFFFull;
  set_interrupt_handler(letter_vector, [](TrapFrame*) {
    ++letters;
    at<uint32_t>(0xFEE000B0) = 0;
  });
  arch::write_msr(msr::Sint0 + letter_sint, letter_vector);
  CreatePort create{};
  create.port_partition = partition_self;
  create.port_id = letter_port;
  create.connection_partition = child.id;
  create.port_info = {static_cast<uint32_t>(PortType::Message), 0, letter_sint, 0, 0, 0, 0};
  EXPECT_STATUS(simple(CallCode::CreatePort, create), Success);
  ConnectPort connect{};
  connect.connection_partition = partition_self;
  connect.connection_id = letter_connection;
  connect.port_partition = partition_self;
  connect.port_id = letter_port;
  connect.connection_info.type = static_cast<uint32_t>(PortType::Message);
  EXPECT_STATUS(simple(CallCode::ConnectPort, connect), InvalidPortId);  // the port is for the child
  connect.connection_partition = child.id;
  EXPECT_STATUS(simple(CallCode::ConnectPort, connect), Success);
  return nullptr;
}

/// The parameters of the planned calls, in the child's pages 4 to 7.
void write_parameters() {
  PostMessage letter{};
  letter.connection = letter_connection;
  letter.message_type = 0x33;
  letter.payload_size = 8;
  letter.payload[0] = 0x44;
  memcpy(reinterpret_cast<void*>(child.pages[4]), &letter, sizeof letter);
  const GetVpRegisters registers{1, started_vp, {}, {}};  // of the root
  memcpy(reinterpret_cast<void*>(child.pages[5]), &registers, sizeof registers);
}

const char* calls_of_a_child() {
  if (const char* answer = make_from(calling_begin, calling_end)) return answer;
  if (const char* answer = make_letter_box()) return answer;
  GetPartitionProperty get_property{child.id, partition_property::privilege_flags, 0};
  EXPECT_STATUS(simple(CallCode::GetPartitionProperty, get_property), Success);
  const PrivilegeMask few{call::output<uint64_t>()};
  EXPECT_THAT(!few.post_messages() && !few.create_partitions() && !few.access_vp_registers());
  SetPartitionProperty property{child.id, partition_property::privilege_flags, 0, ~0ull};
  EXPECT_STATUS(simple(CallCode::SetPartitionProperty, property), PropertyValueOutOfRange);
  property.code = 0x123;
  EXPECT_STATUS(simple(CallCode::SetPartitionProperty, property), UnknownProperty);
  write_parameters();
  plan(0, control_for(CallCode::PostMessage).raw, 0x4000);
  plan(1, control_for(CallCode::GetPartitionId).raw, 0, 0x6000);
  plan(2, control_for(CallCode::GetVpRegisters, 1).raw, 0x5000, 0x6000);
  plan(3, control_for(CallCode::CreatePartition).raw, 0x7000, 0x6000);
  plan(4, 0x7777, 0);
  plan(5, control_for(CallCode::PostMessage).raw, 0x100000);  // no memory of its own
  on_message([](const Message& message) { note(message); });
  run_to_message(1);
  EXPECT_TOLD(0, X64Halt);
  for (const unsigned index : {0u, 1u, 2u, 3u}) EXPECT_PLANNED(index, AccessDenied);
  EXPECT_PLANNED(4, InvalidHypercallCode);
  EXPECT_EQUAL(letters, 0);
  return nullptr;
}

/// Behind a halt: at the beginning of its code again.
void run_again() {
  set(child, RegisterName::Rip, code_at);
  const uint32_t before = heard;
  told_count = 0;
  resume(child);
  wait_for(before + 1);
}

const char* privileges_are_given() {
  SetPartitionProperty property{child.id, partition_property::privilege_flags, 0, 0};
  GetPartitionProperty get_property{child.id, partition_property::privilege_flags, 0};
  EXPECT_STATUS(simple(CallCode::GetPartitionProperty, get_property), Success);
  property.value = PrivilegeMask{call::output<uint64_t>()}
                       .with_post_messages(true)
                       .with_create_partitions(true)
                       .with_access_partition_id(true)
                       .with_access_vp_registers(true)
                       .raw;
  EXPECT_STATUS(simple(CallCode::SetPartitionProperty, property), Success);
  run_again();
  EXPECT_PLANNED(0, Success);
  EXPECT_PLANNED(1, Success);
  EXPECT_EQUAL(child.at<uint64_t>(0x6000), child.id);
  EXPECT_PLANNED(2, InvalidPartitionId);  // its parent
  EXPECT_PLANNED(3, PartitionTooDeep);
  EXPECT_EQUAL(letters, 1);
  const volatile auto& slot = at<Message>(slots + letter_sint * message_slot_bytes);
  EXPECT_EQUAL(slot.header.type, 0x33);
  EXPECT_EQUAL(slot.header.origin, letter_port);
  EXPECT_EQUAL(slot.payload[0], 0x44);
  at<uint32_t>(slots + letter_sint * message_slot_bytes) = 0;
  // A parent may want to see its child's hypercalls instead.
  EXPECT_STATUS(install(child, InterceptType::Hypercall, intercept_access::execute, 0), Success);
  run_again();
  EXPECT_TOLD(0, HypercallIntercept);
  EXPECT_EQUAL(payload<HypercallIntercept>(0).rcx, control_for(CallCode::PostMessage).raw);
  EXPECT_EQUAL(payload<HypercallIntercept>(0).rdx, 0x4000);
  if (const char* answer = end_child()) return answer;
  EXPECT_STATUS(simple(CallCode::DeletePort, DeletePort{partition_self, letter_port, 0}), InvalidPortId);  // gone with it
  return nullptr;
}

const char* answers_and_exceptions() {
  if (const char* answer = make_from(failing_begin, failing_end)) return answer;
  RegisterInterceptResult result{};
  result.partition = child.id;
  result.vp = vp_any;
  result.type = InterceptType::X64Cpuid;
  result.leaf = 0x40000001;
  result.eax = 0xABCD0000;
  result.eax_mask = 0xFFFF0000;
  EXPECT_STATUS(simple(CallCode::RegisterInterceptResult, result), Success);
  result.partition = partition_self;
  EXPECT_STATUS(simple(CallCode::RegisterInterceptResult, result), AccessDenied);
  EXPECT_STATUS(install(child, InterceptType::Exception, intercept_access::execute, 6), Success);
  EXPECT_STATUS(install(child, InterceptType::X64MsrIndex, intercept_access::read, msr::VpIndex), Success);
  on_message([](const Message& message) {
    const InterceptHeader& header = note(message);
    if (told_count == 1) {
      set(child, RegisterName::Rax, 0x99);
      skip(child, header);
      resume(child);
    } else if (told_count == 2) {
      set(child, RegisterName::Rip, header.rip + 2);  // UD2 is not executed, so that it has no length
      resume(child);
    }
  });
  run_to_message(3);
  EXPECT_TOLD(0, MsrIntercept);
  EXPECT_EQUAL(payload<MsrIntercept>(0).msr, msr::VpIndex);
  EXPECT_EQUAL(child.at<uint32_t>(0xA000), 0x99);
  EXPECT_EQUAL(child.at<uint32_t>(0xA004), 0xABCD0000 | (arch::cpuid(0x40000001).eax & 0xFFFF));
  EXPECT_TOLD(1, ExceptionIntercept);
  EXPECT_EQUAL(payload<ExceptionIntercept>(1).vector, 6);
  EXPECT_EQUAL(payload<ExceptionIntercept>(1).gpr[0], child.at<uint32_t>(0xA004));
  EXPECT_EQUAL(child.at<uint32_t>(0xA008), 0x600D);
  EXPECT_TOLD(2, UnrecoverableException);
  return end_child();
}

const char* message_for_the_child() {
  if (const char* answer = make_from(waiting_begin, waiting_end)) return answer;
  PostMessageDirect letter{};
  letter.target_partition = child.id;
  letter.target_vp = started_vp;
  letter.sint_index = 2;
  const MessageHeader header{static_cast<MessageType>(0x55), 8, 0, 0, 0};
  const uint64_t text = 0x1234567890;
  memcpy(letter.message, &header, sizeof header);
  memcpy(letter.message + sizeof header, &text, sizeof text);
  EXPECT_STATUS(simple(CallCode::PostMessageDirect, letter), InvalidSynicState);
  on_message([](const Message& message) { note(message); });
  const uint32_t before = heard;
  if (const char* answer = start(child)) return answer;
  while (child.at<uint32_t>(0xA000) == 0) arch::pause();
  EXPECT_STATUS(simple(CallCode::PostMessageDirect, letter), Success);
  wait_for(before + 1);
  EXPECT_TOLD(0, X64Halt);
  EXPECT_EQUAL(child.at<uint32_t>(0xA004), 0x55);
  EXPECT_EQUAL(child.at<uint64_t>(0xA008), text);
  EXPECT_EQUAL(child.at<uint32_t>(0xD200), 0);  // below the child's message page its RAM is as it was
  return end_child();
}

const char* interrupt_for_the_child() {
  if (const char* answer = make_from(waking_begin, waking_end, create_partition::lapic_enabled)) return answer;
  constexpr uint8_t vector = 0x61;
  const uint64_t handler = code_at + static_cast<uint64_t>(waking_handler - waking_begin);
  // IDT at 0x4000, GDT at 0x5000, and their pseudo-descriptors at 0xE000 and 0xE010.
  child.at<uint64_t>(0x4000 + 16 * vector) = (handler & 0xFFFF) | 8 << 16 | 0x8E00ull << 32;
  child.at<uint16_t>(0xE000) = 0xFFF;
  child.at<uint64_t>(0xE002) = 0x4000;
  child.at<uint64_t>(0x5008) = 0x00209B0000000000;
  child.at<uint64_t>(0x5010) = 0x0000930000000000;
  child.at<uint16_t>(0xE010) = 0x17;
  child.at<uint64_t>(0xE012) = 0x5000;
  EXPECT_STATUS(install(child, InterceptType::X64IoPort, intercept_access::write, 0x10), Success);
  on_message([](const Message& message) { note(message); });
  const uint32_t before = heard;
  if (const char* answer = start(child)) return answer;
  while (child.at<uint32_t>(0xA000) == 0) arch::pause();
  for (int i = 0; i < 1000; ++i) arch::pause();
  EXPECT_EQUAL(told_count, 0);  // HLT is no message: it waits in its own local APIC
  EXPECT_EQUAL(child.at<uint32_t>(0xA004), 0);
  const AssertVirtualInterrupt input{child.id, 0, started_vp, vector, 0, {}};
  EXPECT_STATUS(simple(CallCode::AssertVirtualInterrupt, input), Success);
  wait_for(before + 1);
  EXPECT_TOLD(0, X64IoPortIntercept);
  EXPECT_EQUAL(child.at<uint32_t>(0xA008), 1);
  EXPECT_EQUAL(child.at<uint32_t>(0xA004), 1);
  return nullptr;
}

const char* children_are_listed() {
  Child other{};
  CreatePartition create{};
  EXPECT_STATUS(simple(CallCode::CreatePartition, create), Success);
  other.id = call::output<uint64_t>();
  uint64_t found[3];
  uint64_t previous = 0;
  for (uint64_t& id : found) {
    EXPECT_STATUS(simple(CallCode::GetNextChildPartition, GetNextChildPartition{partition_self, previous}), Success);
    id = previous = call::output<uint64_t>();
    if (id == 0) break;
  }
  EXPECT_EQUAL(found[0], child.id);
  EXPECT_EQUAL(found[1], other.id);
  EXPECT_EQUAL(found[2], 0);
  EXPECT_STATUS(simple(CallCode::DeletePartition, PartitionIdOnly{other.id}), InvalidPartitionState);
  EXPECT_STATUS(simple(CallCode::FinalizePartition, PartitionIdOnly{other.id}), Success);
  EXPECT_STATUS(simple(CallCode::InitializePartition, PartitionIdOnly{other.id}), InvalidPartitionState);
  EXPECT_STATUS(simple(CallCode::DeletePartition, PartitionIdOnly{other.id}), Success);
  const DeleteVp vp{child.id, started_vp, 0};
  EXPECT_STATUS(simple(CallCode::DeleteVp, vp), Success);
  EXPECT_STATUS(simple(CallCode::DeleteVp, vp), InvalidVpIndex);
  EXPECT_STATUS(set(child, RegisterName::Rip, 0), InvalidVpIndex);
  CreateVp again{};
  again.partition = child.id;
  again.vp = 5;
  EXPECT_STATUS(simple(CallCode::CreateVp, again), Success);
  EXPECT_STATUS(simple(CallCode::CreateVp, again), InvalidVpIndex);
  return end_child();
}

const kernel::Test tests[] = {
    {"a child meets the rights that its parent mapped with, and what is not mapped", rights_of_mappings},
    {"a parent translates its child's addresses, and holds its TLB until it lets it go on", translations_of_the_child},
    {"a child without privileges is refused, each call by its status", calls_of_a_child},
    {"with privileges from its parent a child sends it a message, and names nobody above", privileges_are_given},
    {"a parent decides CPUID beforehand, answers MSRs and exceptions, and hears of a triple fault", answers_and_exceptions},
    {"a parent sends a message to a SINT of its child", message_for_the_child},
    {"a parent interrupts a child that sleeps in a local APIC of its own", interrupt_for_the_child},
    {"children are listed, and their processors come and go", children_are_listed},
};

}  // namespace

std::span<const kernel::Test> family_tests() { return tests; }
