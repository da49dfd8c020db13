// Where a call's parameters lie: in memory, in registers, with a variable header; and lists that are not done at once
// (TLFS 3.7 to 3.9; sections 2.1 to 2.3).
#include <string.h>

#include "hypercalls.h"

using namespace kernel;
using namespace abi::hv;

extern "C" {
uint64_t fast_hypercall(uint64_t control, void* block);
uint64_t interruptible_hypercall(uint64_t control, uint64_t input, uint64_t output, uint64_t delay);
void interruptible_call();
}

namespace {

/// RDX, R8 and XMM0 to XMM5.
struct FastBlock {
  uint64_t words[14];
};

call::Result fast(uint64_t control, FastBlock& block) {
  const HypercallResult result{fast_hypercall(control, &block)};
  return {result.status(), result.reps_completed()};
}

/// A mapping that the TLB holds and the page table no longer says: a flush makes it two.
struct StaleWindow {
  uint64_t address, one, two;

  StaleWindow() : one{allocate_page()}, two{allocate_page()} {
    at<uint64_t>(one) = 1;
    at<uint64_t>(two) = 2;
    address = map_somewhere(one, 3);
    (void)load<uint64_t>(address);
    leaf_entry(address) = two | 3;
  }
  [[nodiscard]] uint64_t seen() const { return load<uint64_t>(address); }
};

const char* answers_in_registers() {
  RegisterValue wanted{};
  EXPECT_STATUS(call::get_register(RegisterName::VsmPartitionStatus, wanted), Success);
  FastBlock block{{partition_self, vp_self, static_cast<uint32_t>(RegisterName::VsmPartitionStatus)}};
  for (unsigned i = 3; i < 14; ++i) block.words[i] = i;
  const call::Result result = fast(control_for(CallCode::GetVpRegisters, 1, true).raw, block);
  EXPECT_STATUS(result, Success);
  EXPECT_EQUAL(result.reps, 1);
  // 20 bytes of input take RDX, R8 and XMM0; the value is the next register, and nothing else changed.
  EXPECT_EQUAL(block.words[0], partition_self);
  EXPECT_EQUAL(block.words[2], static_cast<uint32_t>(RegisterName::VsmPartitionStatus));
  EXPECT_EQUAL(block.words[4], wanted.low);
  EXPECT_EQUAL(block.words[5], wanted.high);
  for (unsigned i = 6; i < 14; ++i) EXPECT_EQUAL(block.words[i], i);
  return nullptr;
}

const char* output_needs_room() {
  // Two names and two values fill XMM0 to XMM2; with five the values do not fit (as call_tests shows), with four and
  // 64 bytes behind 32 they just do.
  FastBlock block{{partition_self, vp_self}};
  const uint32_t names[4] = {
      static_cast<uint32_t>(RegisterName::VsmVpStatus), static_cast<uint32_t>(RegisterName::VsmPartitionStatus),
      static_cast<uint32_t>(RegisterName::VsmCapabilities), static_cast<uint32_t>(RegisterName::VsmCodePageOffsets)};
  memcpy(&block.words[2], names, sizeof names);
  const call::Result result = fast(control_for(CallCode::GetVpRegisters, 4, true).raw, block);
  EXPECT_STATUS(result, Success);
  for (unsigned i = 0; i < 4; ++i) {
    RegisterValue value{};
    EXPECT_STATUS(call::get_register(static_cast<RegisterName>(names[i]), value), Success);
    EXPECT_EQUAL(block.words[4 + 2 * i], value.low);
  }
  return nullptr;
}

const char* list_in_registers() {
  const StaleWindow window;
  EXPECT_EQUAL(window.seen(), 1);
  FastBlock block{{arch::read_cr3(), 0, 1, allocate_page(), window.address}};  // CR3, flags, mask, two ranges
  const call::Result result = fast(control_for(CallCode::FlushVirtualAddressList, 2, true).raw, block);
  EXPECT_STATUS(result, Success);
  EXPECT_EQUAL(result.reps, 2);
  EXPECT_EQUAL(window.seen(), 2);
  return nullptr;
}

const char* variable_header_in_registers() {
  const StaleWindow window;
  FastBlock block{{arch::read_cr3(), 0, vp_set_sparse_4k, 1, 0b10}};  // bank 0, which has not this processor
  const HypercallControl space = control_for(CallCode::FlushVirtualAddressSpaceEx, 0, true).with_variable_header_qwords(1);
  EXPECT_STATUS(fast(space.raw, block), Success);
  EXPECT_EQUAL(window.seen(), 1);
  block.words[4] = 0b1;
  EXPECT_STATUS(fast(space.raw, block), Success);
  EXPECT_EQUAL(window.seen(), 2);

  const StaleWindow second;
  FastBlock list{{arch::read_cr3(), 0, vp_set_sparse_4k, 1, 0b1, second.address}};  // the list is behind the bank
  EXPECT_STATUS(
      fast(control_for(CallCode::FlushVirtualAddressListEx, 1, true).with_variable_header_qwords(1).raw, list), Success);
  EXPECT_EQUAL(second.seen(), 2);
  return nullptr;
}

const char* wrong_variable_headers() {
  FlushVirtualAddressSpaceEx header{arch::read_cr3(), 0, {vp_set_sparse_4k, 0b11}};
  memcpy(call::input_page(), &header, sizeof header);
  const auto input = reinterpret_cast<uint64_t>(call::input_page());
  const HypercallControl ex = control_for(CallCode::FlushVirtualAddressSpaceEx);
  EXPECT_STATUS(call::issue(ex.with_variable_header_qwords(1).raw, input), InvalidHypercallInput);  // two banks, one is there
  EXPECT_STATUS(call::issue(ex.with_variable_header_qwords(1023).raw, input), InvalidAlignment);  // across the page
  const HypercallControl plain = control_for(CallCode::FlushVirtualAddressSpace);
  EXPECT_STATUS(call::issue(plain.with_variable_header_qwords(1).raw, input), InvalidHypercallInput);
  FastBlock block{};
  EXPECT_STATUS(fast(control_for(CallCode::FlushVirtualAddressSpaceEx, 0, true).with_variable_header_qwords(11).raw, block),
                InvalidHypercallInput);  // 120 bytes do not fit into 112
  return nullptr;
}

const char* list_from_the_middle() {
  const GetVpRegisters header{partition_self, vp_self, {}, {}};
  const uint32_t names[3] = {0x12345678, static_cast<uint32_t>(RegisterName::VsmPartitionStatus),
                             static_cast<uint32_t>(RegisterName::VsmVpStatus)};
  memcpy(call::input_page(), &header, sizeof header);
  memcpy(call::input_page() + sizeof header, names, sizeof names);
  memset(call::output_page(), 0xEE, 48);
  const auto input = reinterpret_cast<uint64_t>(call::input_page()), output = reinterpret_cast<uint64_t>(call::output_page());
  const HypercallControl three = control_for(CallCode::GetVpRegisters, 3);
  const call::Result result = call::issue(three.with_rep_start(1).raw, input, output);
  EXPECT_STATUS(result, Success);  // the bad name is before the start
  EXPECT_EQUAL(result.reps, 3);
  EXPECT_EQUAL(call::output<RegisterValue>(0).low, 0xEEEEEEEEEEEEEEEE);
  EXPECT_EQUAL(VsmPartitionStatus{call::output<RegisterValue>(1).low}.enabled_vtl_set(), 3);
  EXPECT_EQUAL(VsmVpStatus{call::output<RegisterValue>(2).low}.enabled_vtl_set(), 3);
  EXPECT_STATUS(call::issue(three.with_rep_start(3).raw, input, output), InvalidHypercallInput);
  EXPECT_STATUS(call::issue(three.with_rep_start(4).raw, input, output), InvalidHypercallInput);
  return nullptr;
}

constexpr uint16_t long_list = 500;
constexpr uint8_t timer_vector = 0x58;
uint64_t interrupted_at, interrupted_control;

void note_interruption(TrapFrame* frame) {
  interrupted_at = frame->rip;
  interrupted_control = frame->rcx;
  apic(apic_eoi) = 0;
}

const char* interrupted_list() {
  const StaleWindow window;
  FlushVirtualAddressSpace header{arch::read_cr3(), 0, 1};
  memcpy(call::input_page(), &header, sizeof header);
  const auto ranges = reinterpret_cast<uint64_t*>(call::input_page() + sizeof header);
  for (unsigned i = 0; i < long_list; ++i) ranges[i] = 0x10'0000'0000 + i * page_bytes;
  ranges[long_list - 1] = window.address;
  set_interrupt_handler(timer_vector, note_interruption);
  apic(apic_spurious) = 0x1FF;
  apic(apic_divide) = 0xB;
  apic(apic_timer) = timer_vector;
  const uint64_t control = control_for(CallCode::FlushVirtualAddressList, long_list).raw;
  unsigned in_the_middle = 0;
  for (unsigned delay = 0; delay < 256; ++delay) {
    interrupted_at = 0;
    apic(apic_initial_count) = 16;
    const HypercallResult result{
        interruptible_hypercall(control, reinterpret_cast<uint64_t>(call::input_page()), 0, delay)};
    apic(apic_initial_count) = 0;
    EXPECT_EQUAL(result.status(), 0);
    EXPECT_EQUAL(result.reps_completed(), long_list);
    const HypercallControl word{interrupted_control};
    if (interrupted_at != reinterpret_cast<uint64_t>(interruptible_call) || word.rep_start() == 0) continue;
    // RCX says how far it is, so that the same instruction goes on there.
    ++in_the_middle;
    EXPECT_THAT(word.rep_start() < long_list);
    EXPECT_EQUAL(word.with_rep_start(0).raw, control);
  }
  EXPECT_THAT(in_the_middle > 0);
  EXPECT_EQUAL(window.seen(), 2);
  return nullptr;
}

constexpr Test tests[] = {
    {"an XMM-fast call reads RDX, R8, XMM0 and writes its output into the next register", answers_in_registers},
    {"an XMM-fast call may fill all of XMM0 to XMM5", output_needs_room},
    {"an XMM-fast list is flushed", list_in_registers},
    {"a variable header in registers: the processors of its banks alone are flushed", variable_header_in_registers},
    {"variable headers that are too short, too long, or of a call that has none are refused", wrong_variable_headers},
    {"a list begins at its start index, and that is below its count", list_from_the_middle},
    {"interrupts come between the elements of a long list, and RCX says how far it is", interrupted_list},
};

}  // namespace

std::span<const Test> form_tests() { return tests; }
