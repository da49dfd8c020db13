// The local APIC by its page and by its MSRs, and its timer, which counts the instructions of this machine.
#include "tests.h"

using namespace kernel;

namespace {

constexpr std::uint64_t apic = 0xFEE00000;
enum Register : std::uint64_t {
  Id = 0x20, Version = 0x30, TaskPriority = 0x80, Eoi = 0xB0, Spurious = 0xF0, InService = 0x100, Requested = 0x200,
  CommandLow = 0x300, CommandHigh = 0x310, Timer = 0x320, InitialCount = 0x380, CurrentCount = 0x390, Divide = 0x3E0,
};
/// One cycle of the APIC's clock in ticks of the time stamp counter: 200 MHz of 2 GHz.
constexpr std::uint64_t cycle = 10;
constexpr std::uint32_t masked = 1u << 16, periodic = 1u << 17, enabled = 1u << 8;
constexpr std::uint8_t timer_vector = 0x41, low_vector = 0x51, high_vector = 0xA1;

volatile std::uint32_t& reg(std::uint64_t offset) { return at<std::uint32_t>(apic + offset); }

std::uint64_t arrivals, first_arrival, latest_arrival;
std::uint32_t order[8];
unsigned order_count;

void count_arrival(TrapFrame* frame) {
  latest_arrival = arch::read_tsc();
  if (arrivals++ == 0) first_arrival = latest_arrival;
  order[order_count++ & 7] = static_cast<std::uint32_t>(frame->vector);
  reg(Eoi) = 0;
}

void note_without_end(TrapFrame* frame) { order[order_count++ & 7] = static_cast<std::uint32_t>(frame->vector); }

void start() {
  arch::disable_interrupts();
  arrivals = first_arrival = latest_arrival = 0;
  order_count = 0;
  set_interrupt_handler(timer_vector, count_arrival);
  set_interrupt_handler(low_vector, count_arrival);
  set_interrupt_handler(high_vector, count_arrival);
  reg(Spurious) = enabled | 0xFF;
  reg(TaskPriority) = 0;
  reg(Divide) = 0xB;  // by 1
  reg(Timer) = masked;
  reg(InitialCount) = 0;
}

void pass_time(std::uint64_t ticks) {
  const std::uint64_t until = arch::read_tsc() + ticks;
  while (arch::read_tsc() < until) arch::pause();
}

void send_to_self(std::uint8_t vector) { reg(CommandLow) = 0x40000u | vector; }

const char* identity() {
  EXPECT_EQUAL(reg(Id) >> 24, 0);
  EXPECT_THAT((reg(Version) & 0xF0) == 0x10);
  EXPECT_THAT((arch::read_msr(0x1B) & 0xFFFFF900) == (apic | 0x900));  // enabled, bootstrap processor
  return nullptr;
}

const char* one_shot() {
  start();
  reg(Timer) = timer_vector;
  const std::uint64_t begin = arch::read_tsc();
  reg(InitialCount) = 100'000 / cycle;
  EXPECT_THAT(reg(CurrentCount) > 0 && reg(CurrentCount) <= 100'000 / cycle);
  arch::enable_interrupts();
  pass_time(400'000);
  arch::disable_interrupts();
  EXPECT_EQUAL(arrivals, 1);
  const std::uint64_t delay = first_arrival - begin;
  if (delay < 100'000 || delay > 101'000) return wrong("the interrupt came after {} ticks", delay);
  EXPECT_EQUAL(reg(CurrentCount), 0);
  return nullptr;
}

const char* periodic_timer() {
  start();
  reg(Timer) = timer_vector | periodic;
  reg(InitialCount) = 50'000 / cycle;
  arch::enable_interrupts();
  pass_time(1'020'000);
  arch::disable_interrupts();
  reg(InitialCount) = 0;
  EXPECT_EQUAL(arrivals, 20);
  const std::uint64_t mean = (latest_arrival - first_arrival) / 19;
  if (mean < 49'900 || mean > 50'100) return wrong("the period is {} ticks", mean);
  return nullptr;
}

const char* masked_timer() {
  start();
  reg(Timer) = timer_vector | masked;
  reg(InitialCount) = 1'000 / cycle;
  arch::enable_interrupts();
  pass_time(20'000);
  arch::disable_interrupts();
  EXPECT_EQUAL(arrivals, 0);
  return nullptr;
}

const char* divided_timer() {
  start();
  reg(Divide) = 0x3;  // by 16
  reg(Timer) = timer_vector;
  const std::uint64_t begin = arch::read_tsc();
  reg(InitialCount) = 10'000 / cycle;
  arch::enable_interrupts();
  pass_time(200'000);
  arch::disable_interrupts();
  EXPECT_EQUAL(arrivals, 1);
  const std::uint64_t delay = first_arrival - begin;
  if (delay < 160'000 || delay > 161'000) return wrong("the interrupt came after {} ticks", delay);
  return nullptr;
}

const char* halt_wakes() {
  start();
  reg(Timer) = timer_vector;
  const std::uint64_t begin = arch::read_tsc();
  reg(InitialCount) = 5'000'000 / cycle;
  arch::enable_interrupts_and_halt();
  const std::uint64_t end = arch::read_tsc();
  arch::disable_interrupts();
  EXPECT_EQUAL(arrivals, 1);
  if (end - begin < 5'000'000 || end - begin > 5'001'000) return wrong("HLT took {} ticks", end - begin);
  return nullptr;
}

const char* sti_shadow() {
  start();
  send_to_self(low_vector);  // waits: IF is clear
  // The instruction after STI still runs, and CLI takes the chance away again.
  asm volatile("sti\n\tcli" ::: "memory");
  EXPECT_EQUAL(arrivals, 0);
  asm volatile("sti\n\tnop\n\tcli" ::: "memory");
  EXPECT_EQUAL(arrivals, 1);
  return nullptr;
}

const char* task_priority() {
  start();
  arch::write_cr8(5);
  send_to_self(low_vector);
  arch::enable_interrupts();
  pass_time(100);
  EXPECT_EQUAL(arrivals, 0);
  EXPECT_EQUAL(reg(TaskPriority), 0x50);
  EXPECT_THAT((reg(Requested + 0x10 * (low_vector / 32)) >> (low_vector % 32) & 1) == 1);
  arch::write_cr8(4);
  asm volatile("nop");
  EXPECT_EQUAL(arrivals, 1);
  arch::write_cr8(0);
  return nullptr;
}

const char* priorities() {
  start();
  send_to_self(low_vector);
  send_to_self(high_vector);
  arch::enable_interrupts();
  pass_time(100);
  arch::disable_interrupts();
  EXPECT_EQUAL(order_count, 2);
  EXPECT_EQUAL(order[0], high_vector);
  EXPECT_EQUAL(order[1], low_vector);
  return nullptr;
}

const char* in_service_blocks() {
  start();
  set_interrupt_handler(high_vector, note_without_end);
  send_to_self(high_vector);
  arch::enable_interrupts();
  pass_time(100);
  send_to_self(low_vector);
  pass_time(100);
  EXPECT_EQUAL(order_count, 1);
  EXPECT_THAT((reg(InService + 0x10 * (high_vector / 32)) >> (high_vector % 32) & 1) == 1);
  reg(Eoi) = 0;
  pass_time(100);
  arch::disable_interrupts();
  EXPECT_EQUAL(order_count, 2);
  EXPECT_EQUAL(order[1], low_vector);
  return nullptr;
}

const char* software_disabled() {
  start();
  reg(Spurious) = 0xFF;
  send_to_self(low_vector);
  arch::enable_interrupts();
  pass_time(100);
  arch::disable_interrupts();
  reg(Spurious) = enabled | 0xFF;
  EXPECT_EQUAL(arrivals, 0);
  return nullptr;
}

const char* x2apic() {
  start();
  arch::write_msr(0x1B, arch::read_msr(0x1B) | 0x400);
  EXPECT_EQUAL(arch::read_msr(0x802), 0);
  set_interrupt_handler(low_vector, [](TrapFrame*) {
    ++arrivals;
    arch::write_msr(0x80B, 0);
  });
  arch::write_msr(0x83F, low_vector);  // self IPI
  arch::enable_interrupts();
  pass_time(100);
  arch::disable_interrupts();
  EXPECT_EQUAL(arrivals, 1);
  EXPECT_EQUAL(guarded([](void*) { (void)arch::read_msr(0x804); }).vector, 13);  // no such register
  return nullptr;
}

constexpr Test tests[] = {
    {"the local APIC says who it is", identity},
    {"the timer fires once, after its count", one_shot},
    {"the periodic timer keeps its period", periodic_timer},
    {"a masked timer is silent", masked_timer},
    {"the divider divides", divided_timer},
    {"HLT waits for the timer and time jumps there", halt_wakes},
    {"the instruction after STI is not interrupted", sti_shadow},
    {"CR8 holds back what is not above it", task_priority},
    {"the higher vector comes first", priorities},
    {"what is in service blocks lower ones until EOI", in_service_blocks},
    {"a software-disabled APIC accepts nothing", software_disabled},
    {"x2APIC mode has the same registers as MSRs", x2apic},
};

}  // namespace

std::span<const Test> apic_tests() { return tests; }
