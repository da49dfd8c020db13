// VTL 1 of these tests: it runs the function that VTL 0 left for it, on a stack and page tables of its own.
#include <string.h>

#include "tests.h"

using namespace abi::hv;

namespace upper {

Seen seen;

void refuse(const Message&) {
  const auto event = PendingExceptionEvent{}.with_event_pending(true).with_vector(13).with_deliver_error_code(true).with_error_code(0);
  call::set_register(RegisterName::PendingEvent0, {event.raw, 0}, 0);
}

void pass_over(const Message& message) {
  const auto& header = *reinterpret_cast<const InterceptHeader*>(message.payload);
  call::set_register(RegisterName::Rip, {header.rip + (header.length_and_cr8 & 0xF), 0}, 0);
}

namespace {

constexpr uint64_t stack_pages = 4;
constexpr uint8_t intercept_vector = 0xF0;
Work pending_work;
const char* answer;
bool slowly;
Reply reply = refuse;
struct Gift {
  uint64_t Saved::*name;
  uint64_t value;
};
Gift gifts[4];
unsigned gift_count;
uint64_t assist, messages;
bool has_assist_page;  // in VTL 1; before that every entry is a call
constexpr uint64_t apic_spurious = 0xFEE000F0, apic_eoi = 0xFEE000B0;

uint64_t own_page_tables() {
  // The same translations at first: only the root is another page.
  const uint64_t root = kernel::allocate_page();
  memcpy(reinterpret_cast<void*>(root), reinterpret_cast<void*>(arch::read_cr3() & ~0xFFFull), 4096);
  return root;
}

void on_intercept(kernel::TrapFrame*) {
  auto slot = reinterpret_cast<volatile Message*>(messages);
  ++seen.count;
  seen.type = slot->header.type;
  memcpy(&seen.message, const_cast<uint8_t*>(slot->payload), sizeof seen.message);
  memcpy(&seen.whole, const_cast<Message*>(slot), sizeof seen.whole);
  seen.reason = assist_page()->vtl_control.entry_reason;
  slot->header.type = MessageType::None;
  reply(seen.whole);
  kernel::at<uint32_t>(apic_eoi) = 0;
}

/// The message is in the assist page, and no interrupt told of it (VsmPartitionConfig.InterceptPage).
void on_intercept_page() {
  ++seen.count;
  memcpy(&seen.whole, &assist_page()->intercept_message, sizeof seen.whole);
  memcpy(&seen.message, seen.whole.payload, sizeof seen.message);
  seen.type = seen.whole.header.type;
  seen.reason = assist_page()->vtl_control.entry_reason;
  reply(seen.whole);
}

}  // namespace

InitialVpContext initial_context() {
  static uint64_t stack, root;
  if (stack == 0) {
    for (uint64_t i = 0; i < stack_pages; ++i) stack = kernel::allocate_page() + 4096;
    root = own_page_tables();
  }
  InitialVpContext context = call::context_here(reinterpret_cast<uint64_t>(vtl1_start), stack);
  context.cr3 = root;
  return context;
}

void reply_with(Reply wanted) { reply = wanted; }
void give(uint64_t Saved::*name, uint64_t value) { gifts[gift_count++ % 4] = {name, value}; }

VpAssistPage* assist_page() { return reinterpret_cast<VpAssistPage*>(assist); }

// 1: a fast return. An entry by interrupt must give VTL 0 its registers back.
extern "C" int vtl1_main(Saved* saved) {
  const bool by_call = !has_assist_page || assist_page()->vtl_control.entry_reason == VtlEntryReason::VtlCall;
  if (by_call && pending_work != nullptr) {
    const Work work = pending_work;
    pending_work = nullptr;
    answer = work(saved);
    if (!slowly) return 1;
    return 0;
  }
  if (has_assist_page && assist_page()->vtl_control.entry_reason == VtlEntryReason::Intercept) on_intercept_page();
  for (; gift_count != 0; --gift_count) saved->*gifts[gift_count - 1].name = gifts[gift_count - 1].value;
  if (has_assist_page) {
    assist_page()->vtl_control.vtl_return_x64_rax = saved->rax;
    assist_page()->vtl_control.vtl_return_x64_rcx = saved->rcx;
  }
  return 0;
}

static const char* call_upper(Work work) {
  static RegisterValue offsets;  // asked once: VTL 1 may want to see the hypercalls of VTL 0
  if (offsets.low == 0 && call::get_register(RegisterName::VsmCodePageOffsets, offsets).status != 0)
    return "no code page offsets";
  pending_work = work;
  answer = "VTL 1 did not answer";
  enter_vtl1(call::hypercall_page() + VsmCodePageOffsets{offsets.low}.vtl_call_offset());
  return answer;
}

const char* run(Work work) {
  slowly = false;
  return call_upper(work);
}
const char* run_and_return_slowly(Work work) {
  slowly = true;
  return call_upper(work);
}

const char* enable_pages() {
  assist = kernel::allocate_page();
  messages = kernel::allocate_page();
  return run([](Saved*) -> const char* {
    arch::write_msr(msr::VpAssistPage, assist | 1);
    arch::write_msr(msr::Simp, messages | 1);
    has_assist_page = true;
    return nullptr;
  });
}

const char* enable_intercepts() {
  kernel::set_interrupt_handler(intercept_vector, on_intercept);
  return run([](Saved*) -> const char* {
    arch::write_msr(msr::Scontrol, 1);
    arch::write_msr(msr::Sint0, intercept_vector);
    kernel::at<uint32_t>(apic_spurious) = 0x1FF;
    arch::enable_interrupts();  // RFLAGS is this level's own: the interrupt arrives behind its VMCALL
    return nullptr;
  });
}

}  // namespace upper
