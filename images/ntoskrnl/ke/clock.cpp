// Time from the processor's local APIC and time-stamp counter. Interrupt time advances by real TSC
// distance, so that it stays right however long the secure kernel held the processor.
#include "ke/ke.h"
#include "mm/mm.h"

void KiExpireTimers(uint64_t now);

namespace {

constexpr uint64_t apic_physical = 0xFEE00000;
enum ApicRegister : uint32_t {
  ApicCommandLow = 0x300,
  ApicCommandHigh = 0x310,
  ApicTpr = 0x80,
  ApicEoi = 0xB0,
  ApicSpurious = 0xF0,
  ApicTimer = 0x320,
  ApicInitialCount = 0x380,
  ApicCurrentCount = 0x390,
  ApicDivide = 0x3E0,
};
constexpr uint32_t clock_vector = 0xD1;  // as on Windows
constexpr uint32_t spurious_vector = 0xDF;
constexpr uint32_t timer_periodic = 1 << 17, timer_masked = 1 << 16;
constexpr uint64_t tsc_per_100ns = 200;     // the machine's nominal 2 GHz
constexpr uint64_t clock_period = 156'250;  // 15.625 ms, as Windows' default

volatile uint32_t* apic;
uint64_t boot_tsc;
uint32_t counts_per_period;

uint32_t apic_read(ApicRegister r) {
  return apic[r / 4];
}
void apic_write(ApicRegister r, uint32_t value) {
  apic[r / 4] = value;
}

// How many APIC timer counts one clock period lasts, measured against the TSC.
uint32_t calibrate() {
  apic_write(ApicTimer, timer_masked | clock_vector);
  apic_write(ApicInitialCount, 0xFFFFFFFF);
  const uint64_t start = arch::read_tsc();
  const uint64_t window = 20'000;  // ticks
  while (arch::read_tsc() - start < window) {
  }
  const uint64_t elapsed = arch::read_tsc() - start;
  const uint64_t counts = 0xFFFFFFFF - apic_read(ApicCurrentCount);
  apic_write(ApicInitialCount, 0);
  return static_cast<uint32_t>(counts * (clock_period * tsc_per_100ns) / elapsed);
}

}  // namespace

static void enable_apic() {
  apic_write(ApicSpurious, 0x100 | spurious_vector);
  apic_write(ApicTpr, 0);
  apic_write(ApicDivide, 0xB);  // by 1
}

static void start_timer() {
  apic_write(ApicTimer, timer_periodic | clock_vector);
  apic_write(ApicInitialCount, counts_per_period);
}

void KeInitializeClock() {
  boot_tsc = arch::read_tsc();
  apic = static_cast<volatile uint32_t*>(
      MmMapIoSpace(apic_physical, PAGE_SIZE, MmCacheType::NonCached));
  enable_apic();
  counts_per_period = calibrate();
  start_timer();
}

void KiInitializeClockOnProcessor() {
  enable_apic();
  start_timer();
}

void KiRequestInterrupt(uint32_t processor, uint8_t vector) {
  apic_write(ApicCommandHigh, processor << 24);
  apic_write(ApicCommandLow, vector);
}

void KiEndInterrupt() {
  apic_write(ApicEoi, 0);
}

void KeUpdateSystemTime() {
  apic_write(ApicEoi, 0);
  KiExpireTimers(KeQueryInterruptTime());
}

uint64_t KeQueryInterruptTime() {
  return (arch::read_tsc() - boot_tsc) / tsc_per_100ns;
}

uint64_t KeQueryPerformanceCounter(uint64_t* frequency) {
  if (frequency != nullptr) *frequency = one_second;
  return KeQueryInterruptTime();
}
