// Making children, and hearing of them.
#include <string.h>

#include "partitions.h"

using namespace kernel;
using namespace abi::hv;

namespace parent {

volatile uint32_t heard;

namespace {

constexpr uint64_t stack_top = 0xF000;
constexpr unsigned table_pages = 24;
constexpr uint8_t intercept_vector = 0x70;
constexpr uint64_t apic_spurious = 0xFEE000F0, apic_eoi = 0xFEE000B0;

uint64_t messages;
Answer answer;

void on_interrupt(TrapFrame*) {
  static Message message;
  auto* const slot = reinterpret_cast<Message*>(messages);
  memcpy(&message, slot, sizeof message);
  at<uint32_t>(messages) = 0;
  at<uint32_t>(apic_eoi) = 0;
  heard = heard + 1;
  if (answer != nullptr) answer(message);
}

SegmentRegister segment(uint16_t selector, uint16_t attributes) { return {0, 0xFFFFFFFF, selector, attributes}; }

}  // namespace

Result set(const Child& child, call::RegisterName name, uint64_t value) {
  return one(call::CallCode::SetVpRegisters, GetVpRegisters{child.id, started_vp, {}, {}},
             RegisterAssignment{static_cast<uint32_t>(name), {}, {value, 0}});
}

uint64_t get(const Child& child, call::RegisterName name) {
  one(call::CallCode::GetVpRegisters, GetVpRegisters{child.id, started_vp, {}, {}},
      RegisterNameElement{static_cast<uint32_t>(name)});
  uint64_t value = 0;
  memcpy(&value, call::output_page(), sizeof value);
  return value;
}

Result install(const Child& child, InterceptType type, uint32_t access, uint64_t parameter) {
  return simple(call::CallCode::InstallIntercept, InstallIntercept{child.id, access, type, parameter});
}

const char* make(Child& child, const void* code, std::size_t size, uint64_t flags) {
  CreatePartition create{};
  create.flags = flags;
  EXPECT_STATUS(simple(call::CallCode::CreatePartition, create), Success);
  memcpy(&child.id, call::output_page(), sizeof child.id);
  const PartitionIdOnly id{child.id};
  EXPECT_STATUS(simple(call::CallCode::InitializePartition, id), InsufficientMemory);
  for (unsigned i = 0; i < table_pages; ++i)
    EXPECT_STATUS(one(call::CallCode::DepositMemory, id, GpaPage{allocate_page() / 4096}), Success);
  EXPECT_STATUS(simple(call::CallCode::InitializePartition, id), Success);
  for (unsigned i = 0; i < child_pages; ++i) {
    child.pages[i] = allocate_page();
    EXPECT_STATUS(one(call::CallCode::MapGpaPages, MapGpaPages{child.id, i, map_gpa::all_access, 0},
                      GpaPage{child.pages[i] / 4096}),
                  Success);
  }
  child.at<uint64_t>(0x1000) = 0x2003;
  child.at<uint64_t>(0x2000) = 0x3003;
  child.at<uint64_t>(0x3000) = 0x83;  // 2 MiB, to itself
  memcpy(reinterpret_cast<void*>(child.pages[code_at / 4096]), code, size);
  CreateVp vp{};
  vp.partition = child.id;
  vp.vp = started_vp;
  EXPECT_STATUS(simple(call::CallCode::CreateVp, vp), Success);
  return nullptr;
}

const char* start(const Child& child) {
  EnableVpVtl input{};
  input.target_partition = child.id;
  input.target_vp = started_vp;
  InitialVpContext& context = input.context;
  context.rip = code_at;
  context.rsp = stack_top;
  context.rflags = 2;
  context.cs = segment(8, 0xA09B);
  context.ds = context.es = context.ss = context.fs = context.gs = segment(0x10, 0xC093);
  context.tr = {0, 0x67, 0x18, 0x8B};
  context.ldtr = {0, 0, 0, 0x82};
  context.efer = 0xD00;
  context.cr0 = 0x80010033;
  context.cr3 = 0x1000;
  context.cr4 = 0x620;
  context.msr_cr_pat = 0x0007040600070406;
  EXPECT_STATUS(simple(call::CallCode::StartVirtualProcessor, input), Success);
  EXPECT_STATUS(simple(call::CallCode::StartVirtualProcessor, input), InvalidVpState);
  return nullptr;
}

const char* end(const Child& child, unsigned& pages) {
  const PartitionIdOnly id{child.id};
  EXPECT_STATUS(simple(call::CallCode::DeletePartition, id), InvalidPartitionState);
  EXPECT_STATUS(simple(call::CallCode::FinalizePartition, id), Success);
  for (pages = 0;; ++pages) {
    const WithdrawMemory input{child.id, 0};
    memcpy(call::input_page(), &input, sizeof input);
    const Result result = call::issue(control_for(call::CallCode::WithdrawMemory, 1).raw,
                                      reinterpret_cast<uint64_t>(call::input_page()),
                                      reinterpret_cast<uint64_t>(call::output_page()));
    if (result.status != 0) break;
    const uint64_t page = call::output<uint64_t>();
    for (uint64_t at = 0; at < 4096; at += 8) EXPECT_EQUAL(load<uint64_t>(page * 4096 + at), 0);
  }
  EXPECT_STATUS(simple(call::CallCode::DeletePartition, id), Success);
  EXPECT_STATUS(simple(call::CallCode::DeletePartition, id), InvalidPartitionId);
  return nullptr;
}

const char* listen() {
  messages = allocate_page();
  set_interrupt_handler(intercept_vector, on_interrupt);
  at<uint32_t>(apic_spurious) = 0x1FF;
  arch::write_msr(msr::Simp, messages | 1);
  arch::write_msr(msr::Scontrol, 1);
  arch::write_msr(msr::Sint0, intercept_vector);
  return nullptr;
}

void on_message(Answer wanted) { answer = wanted; }

void skip(const Child& child, const InterceptHeader& header) {
  set(child, call::RegisterName::Rip, header.rip + (header.length_and_cr8 & 0xF));
}

void resume(const Child& child) { set(child, call::RegisterName::InterceptSuspend, 0); }

void wait_for(uint32_t count) {
  for (;;) {
    arch::disable_interrupts();
    if (heard >= count) break;
    arch::enable_interrupts_and_halt();
  }
}

}  // namespace parent
