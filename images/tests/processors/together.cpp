// What processors share: memory with its locks, interrupts, and translations that one may forget for all.
#include "processors.h"

using namespace kernel;
using namespace abi::hv;
using namespace processors;

namespace {

constexpr uint64_t rounds = 2000;
std::atomic<uint64_t> atomic_sum;
std::atomic<bool> lock;
volatile uint64_t locked_sum, careless_sum;

void add_up(unsigned) {
  for (uint64_t i = 0; i < rounds; ++i) {
    atomic_sum.fetch_add(1);
    while (lock.exchange(true)) arch::pause();
    locked_sum = locked_sum + 1;
    lock = false;
  }
  for (uint64_t i = 0; i < rounds; ++i) {
    const uint64_t before = careless_sum;
    for (int wait = 0; wait < 8; ++wait) (void)load<uint64_t>(reinterpret_cast<uint64_t>(&careless_sum));  // time for others
    careless_sum = before + 1;
  }
}

const char* counting() {
  for (unsigned index = 1; index < count; ++index) tell(index, add_up);
  add_up(0);
  for (unsigned index = 1; index < count; ++index) wait_for(index);
  EXPECT_EQUAL(atomic_sum.load(), count * rounds);
  EXPECT_EQUAL(locked_sum, count * rounds);
  EXPECT_THAT(careless_sum < count * rounds);  // or nothing ran at the same time
  return nullptr;
}

constexpr uint8_t vector = 0x61;
std::atomic<uint32_t> arrivals, woken;

void on_interrupt(TrapFrame*) {
  ++arrivals;
  apic(apic_eoi) = 0;
}

void sleep_once(unsigned) {
  arch::enable_interrupts_and_halt();
  arch::disable_interrupts();
  ++woken;
}

void send(uint32_t low, uint32_t destination) {
  apic(apic_command_high) = destination << 24;
  apic(apic_command_low) = low | vector;
}

const char* interrupts_wake() {
  set_interrupt_handler(vector, on_interrupt);
  apic(apic_spurious) = 0x1FF;
  for (unsigned index = 1; index < count; ++index) {
    tell(index, sleep_once);
    send(0x4000, index);
    wait_for(index);
    EXPECT_EQUAL(arrivals.load(), index);
    EXPECT_EQUAL(woken.load(), index);
  }
  for (unsigned index = 1; index < count; ++index) tell(index, sleep_once);
  send(0xC4000, 0);  // all but the sender
  for (unsigned index = 1; index < count; ++index) wait_for(index);
  EXPECT_EQUAL(arrivals.load(), 2 * (count - 1));
  return nullptr;
}

uint64_t window, seen[count];

const char* flushes_reach_all() {
  const uint64_t one = allocate_page(), two = allocate_page();
  at<uint64_t>(one) = 1;
  at<uint64_t>(two) = 2;
  window = map_somewhere(one, 3);
  const Work look = [](unsigned index) { seen[index] = at<uint64_t>(window); };
  for (unsigned index = 1; index < count; ++index) {
    have_done(index, look);
    EXPECT_EQUAL(seen[index], 1);
  }
  leaf_entry(window) = two | 3;
  for (unsigned index = 1; index < count; ++index) {
    have_done(index, look);
    EXPECT_EQUAL(seen[index], 1);  // nobody told its TLB
  }
  // Processors 1 and 2 by their bits, then all.
  FlushVirtualAddressSpace header{arch::read_cr3(), 0, 0b0110};
  EXPECT_STATUS(call::simple(CallCode::FlushVirtualAddressSpace, header), Success);
  const uint64_t expected[count] = {0, 2, 2, 1};
  for (unsigned index = 1; index < count; ++index) {
    have_done(index, look);
    EXPECT_EQUAL(seen[index], expected[index]);
  }
  header.flags = flush::all_processors;
  EXPECT_STATUS(call::simple(CallCode::FlushVirtualAddressSpace, header), Success);
  have_done(3, look);
  EXPECT_EQUAL(seen[3], 2);
  return nullptr;
}

uint64_t code_page;
uint64_t answers[count];

const char* code_changes_reach_all() {
  code_page = map_somewhere(allocate_page(), 3);
  const auto write = [](uint8_t value) {
    const uint8_t code[] = {0xB8, value, 0, 0, 0, 0xC3};  // mov eax, value; ret
    for (unsigned i = 0; i < sizeof code; ++i) at<uint8_t>(code_page + i) = code[i];
  };
  const Work execute = [](unsigned index) { answers[index] = reinterpret_cast<uint32_t (*)()>(code_page)(); };
  for (const uint8_t value : {uint8_t{7}, uint8_t{9}, uint8_t{11}}) {
    write(value);
    for (unsigned index = 1; index < count; ++index) {
      have_done(index, execute);
      EXPECT_EQUAL(answers[index], value);
    }
  }
  return nullptr;
}

constexpr Test tests[] = {
    {"locks and locked instructions keep counts that careless code loses", counting},
    {"an interprocessor interrupt wakes one processor, or all but its sender", interrupts_wake},
    {"a flush hypercall reaches exactly the processors that it names", flushes_reach_all},
    {"code that one processor writes is what the others execute", code_changes_reach_all},
};

}  // namespace

std::span<const Test> together_tests() { return tests; }
