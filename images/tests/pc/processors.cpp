// Several processors: INIT and SIPI, a counter under a spinlock, interrupts between them in xAPIC and x2APIC mode.
#include "pc.h"

using namespace pc;

namespace {

constexpr uint32_t rounds = 2000;
volatile uint32_t lock, atomic_count, received[8], ids[8], nmis;
volatile uint64_t guarded;
uint32_t processors;

void acquire() {
  while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE) != 0)
    while (lock != 0) pause();
}
void release() { __atomic_store_n(&lock, 0, __ATOMIC_RELEASE); }

void count_under_lock(uint32_t) {
  for (uint32_t i = 0; i < rounds; ++i) {
    acquire();
    guarded = guarded + 1;
    release();
    __atomic_add_fetch(&atomic_count, 1, __ATOMIC_RELAXED);
  }
}

void note_id(uint32_t number) { ids[number] = apic_id() + 1; }

uint32_t number_of(uint32_t id) {
  for (uint32_t i = 0; i < processors; ++i)
    if (ids[i] == id + 1) return i;
  return 0;
}

void on_ipi(Frame&) {
  const uint32_t number = number_of(apic_id());
  received[number] = received[number] + 1;
  end_of_interrupt();
}
void on_nmi(Frame&) { __atomic_add_fetch(&nmis, 1, __ATOMIC_RELAXED); }

volatile bool stop_listening;
void listen(uint32_t number) {
  if (number == 0) return;
  sti();
  while (!stop_listening) pause();
  cli();
}

bool everybody_received(uint32_t from, uint32_t times) {
  for (uint32_t i = from; i < processors; ++i)
    if (received[i] != times) return false;
  return true;
}

void send_from_first(uint32_t number) {
  if (number != 0) return listen(number);
  for (uint32_t i = 1; i < processors; ++i) send_ipi(ids[i] - 1, 0x61);
  check(wait_until([] { return everybody_received(1, 1); }), "each processor receives what is sent to it");
  send_ipi(0, 3u << 18 | 0x61);
  check(wait_until([] { return everybody_received(1, 2); }), "all but self");
  sti();
  send_ipi(0, 2u << 18 | 0x61);
  check(wait_until([] { return everybody_received(1, 3) && received[0] == 1; }), "all with self");
  cli();
  send_ipi(0, 3u << 18 | 4u << 8);
  check(wait_until([] { return nmis == processors - 1; }), "an NMI to all others");
  stop_listening = true;
}

void halt_and_wake(uint32_t number) {
  if (number == 0) {
    for (uint32_t i = 1; i < processors; ++i) send_ipi(ids[i] - 1, 0x61);
    return;
  }
  const uint32_t before = received[number];
  while (received[number] == before) wait_for_interrupt();
}

void interrupts_between(const char* mode) {
  print("# %s\n", mode);
  for (volatile uint32_t& each : received) each = 0;
  nmis = 0;
  stop_listening = false;
  run_on_all(send_from_first);
  for (volatile uint32_t& each : received) each = 0;
  run_on_all(halt_and_wake);
  check(everybody_received(1, 1), "an interrupt wakes a processor that halted");
}

void switch_to_x2apic(uint32_t) {
  wrmsr(0x1b, rdmsr(0x1b) | 0xc00);
  enable_apic();
}

}  // namespace

void kernel_main() {
  const uint32_t expected = option("cpus", 1);
  handle(0x61, on_ipi);
  handle(2, on_nmi);
  processors = start_processors(expected);
  print("%u processors\n", processors);
  check(processors == expected, "all processors answer INIT and SIPI");
  run_on_all(note_id);
  bool distinct = true;
  for (uint32_t i = 0; i < processors; ++i)
    for (uint32_t j = 0; j < i; ++j) distinct = distinct && ids[i] != ids[j];
  check(distinct && ids[0] == 1, "their APIC ids differ, the first is 0");
  run_on_all(count_under_lock);
  check(guarded == uint64_t{rounds} * processors, "a counter under a spinlock loses nothing");
  check(atomic_count == rounds * processors, "a locked addition loses nothing");
  interrupts_between("xAPIC");
  run_on_all(switch_to_x2apic);
  check(in_x2apic(), "all switch to x2APIC mode");
  interrupts_between("x2APIC");
}
