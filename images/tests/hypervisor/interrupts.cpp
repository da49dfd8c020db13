// Interrupts of both levels: which one stops which (section 6).
#include "tests.h"

using namespace kernel;
using namespace abi::hv;

namespace {

constexpr uint64_t apic = 0xFEE00000;
constexpr uint8_t upper_vector = 0xE1, lower_vector = 0x51, vina_vector = 0xD0;
constexpr uint32_t divide_by_one = 0xB;
constexpr uint64_t cycle = 10;  // ticks of the time stamp counter per APIC cycle

volatile uint32_t& reg(uint64_t offset) { return at<uint32_t>(apic + offset); }

uint64_t arrived_in_cr3;
uint32_t upper_arrivals, lower_arrivals, vina_arrivals;
uint64_t arrival_flag;
VtlEntryReason arrival_reason;

void note_upper(TrapFrame*) {
  ++upper_arrivals;
  arrived_in_cr3 = arch::read_cr3();
  arrival_reason = upper::assist_page()->vtl_control.entry_reason;
  arrival_flag = 1;
  reg(0xB0) = 0;
}
void note_lower(TrapFrame*) {
  ++lower_arrivals;
  arrived_in_cr3 = arch::read_cr3();
  reg(0xB0) = 0;
}
void note_vina(TrapFrame*) {
  ++vina_arrivals;
  arrived_in_cr3 = arch::read_cr3();
  reg(0xB0) = 0;
}

void start_timer(uint8_t vector, uint64_t ticks) {
  reg(0xF0) = 0x1FF;
  reg(0x3E0) = divide_by_one;
  reg(0x320) = vector;
  reg(0x380) = static_cast<uint32_t>(ticks / cycle);
}

void pass_time(uint64_t ticks) {
  const uint64_t until = arch::read_tsc() + ticks;
  while (arch::read_tsc() < until) arch::pause();
}

const char* upper_timer_forces_an_entry() {
  set_interrupt_handler(upper_vector, note_upper);
  upper_arrivals = 0;
  arrival_flag = 0;
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    start_timer(upper_vector, 50'000);
    return nullptr;
  });
  if (answer != nullptr) return answer;
  // VTL 0 has its interrupts off, and finds all its registers again.
  uint64_t damaged;
  asm volatile(
      "movq $0x1101, %%rbx\n\tmovq $0x1102, %%rsi\n\tmovq $0x1103, %%rdi\n\tmovq $0x1104, %%r8\n\tmovq $0x1105, %%r9\n\t"
      "movq $0x1106, %%r10\n\tmovq $0x1107, %%r11\n\tmovq $0x1108, %%r12\n\tmovq $0x1109, %%r13\n\tmovq $0x110A, %%rdx\n\t"
      "movq $0x110B, %%rcx\n\tstc\n"
      "1:\tpause\n\tmovq (%1), %0\n\tjnc 2f\n\tdecq %0\n\tjnz 1b\n"
      "2:\tmovq %0, %0\n\tsbbq $0, %0\n\tnotq %0\n\t"
      "subq $0x1101, %%rbx\n\torq %%rbx, %0\n\tsubq $0x1102, %%rsi\n\torq %%rsi, %0\n\tsubq $0x1103, %%rdi\n\torq %%rdi, %0\n\t"
      "subq $0x1104, %%r8\n\torq %%r8, %0\n\tsubq $0x1105, %%r9\n\torq %%r9, %0\n\tsubq $0x1106, %%r10\n\torq %%r10, %0\n\t"
      "subq $0x1107, %%r11\n\torq %%r11, %0\n\tsubq $0x1108, %%r12\n\torq %%r12, %0\n\tsubq $0x1109, %%r13\n\torq %%r13, %0\n\t"
      "subq $0x110A, %%rdx\n\torq %%rdx, %0\n\tsubq $0x110B, %%rcx\n\torq %%rcx, %0"
      : "=&a"(damaged)
      : "r"(&arrival_flag)
      : "rbx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "rdx", "rcx", "cc", "memory");
  EXPECT_EQUAL(damaged, 0);
  EXPECT_EQUAL(upper_arrivals, 1);
  EXPECT_EQUAL(arrived_in_cr3, upper::initial_context().cr3);
  EXPECT_EQUAL(arrival_reason, VtlEntryReason::Interrupt);
  return nullptr;
}

const char* lower_timer_waits_for_the_return() {
  set_interrupt_handler(lower_vector, note_lower);
  lower_arrivals = 0;
  start_timer(lower_vector, 20'000);
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    pass_time(100'000);  // with interrupts on, in VTL 1
    EXPECT_EQUAL(lower_arrivals, 0);
    return nullptr;
  });
  if (answer != nullptr) return answer;
  EXPECT_EQUAL(lower_arrivals, 0);  // VTL 0 itself has not allowed it yet
  asm volatile("sti\n\tnop\n\tcli" ::: "memory");
  EXPECT_EQUAL(lower_arrivals, 1);
  EXPECT_EQUAL(arrived_in_cr3, arch::read_cr3());
  return nullptr;
}

const char* virtual_interrupt_notification() {
  set_interrupt_handler(vina_vector, note_vina);
  vina_arrivals = lower_arrivals = 0;
  start_timer(lower_vector, 20'000);
  arch::enable_interrupts();
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    const auto vina = VsmVina{}.with_vector(vina_vector).with_enabled(true).with_auto_reset(true);
    EXPECT_STATUS(call::set_register(RegisterName::VsmVina, {vina.raw, 0}), Success);
    pass_time(100'000);
    EXPECT_EQUAL(vina_arrivals, 1);
    EXPECT_EQUAL(lower_arrivals, 0);
    EXPECT_EQUAL(arrived_in_cr3, arch::read_cr3());
    EXPECT_EQUAL(upper::assist_page()->vtl_control.vina_status & vina_asserted, vina_asserted);
    EXPECT_STATUS(call::set_register(RegisterName::VsmVina, {0, 0}), Success);
    return nullptr;
  });
  arch::disable_interrupts();
  if (answer != nullptr) return answer;
  EXPECT_EQUAL(lower_arrivals, 1);
  return nullptr;
}

constexpr Test tests[] = {
    {"VTL 1's timer enters VTL 1 whatever VTL 0 forbids, and VTL 0 goes on unharmed", upper_timer_forces_an_entry},
    {"VTL 0's timer waits for VTL 1's return", lower_timer_waits_for_the_return},
    {"VINA tells VTL 1 that VTL 0 has an interrupt", virtual_interrupt_notification},
};

}  // namespace

std::span<const Test> interrupt_tests() { return tests; }
