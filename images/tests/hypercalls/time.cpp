// Time as a guest reads it, and waiting (TLFS chapters 10 and 12; section 2.6).
#include "hypercalls.h"

using namespace kernel;
using namespace abi::hv;

namespace {

uint64_t reference_page;

/// TLFS 12.7.3: without leaving the guest.
uint64_t time_by_page(uint64_t page) {
  const auto& time = *reinterpret_cast<const volatile ReferenceTscPage*>(page);
  const auto product = static_cast<unsigned __int128>(arch::read_tsc()) * time.tsc_scale;
  return static_cast<uint64_t>(product >> 64) + static_cast<uint64_t>(time.tsc_offset);
}
uint64_t time_by_msr() { return arch::read_msr(msr::TimeRefCount); }

const char* page_and_msr_agree(uint64_t page) {
  EXPECT_THAT(at<uint32_t>(page) != 0);  // the sequence: it is valid
  for (int i = 0; i < 50; ++i) {
    const uint64_t before = time_by_msr(), read = time_by_page(page), after = time_by_msr();
    EXPECT_THAT(before <= read && read <= after);
  }
  return nullptr;
}

const char* reference_time_page() {
  reference_page = allocate_page();
  at<uint64_t>(reference_page) = 0x77;
  arch::write_msr(msr::ReferenceTsc, reference_page | 1);
  if (const char* answer = page_and_msr_agree(reference_page)) return answer;
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(arch::read_msr(msr::ReferenceTsc), 0);
    const uint64_t own = allocate_page();
    arch::write_msr(msr::ReferenceTsc, own | 1);
    const char* wrong = page_and_msr_agree(own);
    arch::write_msr(msr::ReferenceTsc, 0);
    return wrong;
  });
  if (answer != nullptr) return answer;
  EXPECT_EQUAL(arch::read_msr(msr::ReferenceTsc), reference_page | 1);
  arch::write_msr(msr::ReferenceTsc, 0);
  EXPECT_EQUAL(at<uint64_t>(reference_page), 0x77);
  EXPECT_EQUAL(guarded([](void*) { arch::write_msr(msr::TimeRefCount, 0); }).vector, 13);
  return nullptr;
}

const char* frequencies() {
  // As many TSC ticks pass in 1,000 units of 100 ns as the frequency says, give or take what the reading takes.
  const uint64_t frequency = arch::read_msr(msr::TscFrequency), first = time_by_msr(), begin = arch::read_tsc();
  while (time_by_msr() < first + 1000) arch::pause();
  const uint64_t ticks = arch::read_tsc() - begin, wanted = frequency / 10'000;
  EXPECT_THAT(ticks + 1000 > wanted && ticks < wanted + 1000);
  // The APIC's timer counts with its own.
  apic(apic_divide) = 0xB;
  apic(apic_timer) = 0x10000;
  apic(apic_initial_count) = 0xFFFFFFFF;
  const uint64_t start = arch::read_tsc();
  while (arch::read_tsc() < start + 100'000) arch::pause();
  const uint64_t counted = 0xFFFFFFFF - apic(0x390), passed = arch::read_tsc() - start;
  apic(apic_initial_count) = 0;
  const uint64_t expected = passed * (arch::read_msr(msr::ApicFrequency) / 1'000'000) / (frequency / 1'000'000);
  EXPECT_THAT(counted + 20 > expected && counted < expected + 20);
  return nullptr;
}

const char* run_time() {
  const uint64_t before = arch::read_msr(msr::VpRuntime);
  for (int i = 0; i < 100'000; ++i) arch::pause();
  EXPECT_THAT(arch::read_msr(msr::VpRuntime) > before);
  EXPECT_EQUAL(guarded([](void*) { arch::write_msr(msr::VpRuntime, 0); }).vector, 13);
  return nullptr;
}

const char* idle() {
  constexpr uint8_t vector = 0x59;
  static uint32_t arrivals;
  set_interrupt_handler(vector, [](TrapFrame*) {
    ++arrivals;
    apic(apic_eoi) = 0;
  });
  apic(apic_spurious) = 0x1FF;
  apic(apic_divide) = 0xB;
  apic(apic_timer) = vector;
  const uint64_t before = arch::read_tsc();
  apic(apic_initial_count) = 5000;  // of 10 ticks each
  EXPECT_EQUAL(arch::read_msr(msr::GuestIdle), 0);  // with interrupts off: it ends all the same
  EXPECT_THAT(arch::read_tsc() - before >= 50'000);
  EXPECT_EQUAL(arrivals, 0);
  arch::enable_interrupts();
  arch::pause();
  arch::disable_interrupts();
  EXPECT_EQUAL(arrivals, 1);
  return nullptr;
}

constexpr uint8_t store_gdt_in_user_mode[] = {0x0F, 0x01, 0x44, 0x24, 0xF0, 0x0F, 0x05};  // sgdt [rsp - 16]; syscall

const char* descriptor_tables_at_cpl3() {
  const auto run = [] { return run_in_user_mode(store_gdt_in_user_mode, sizeof store_gdt_in_user_mode).vector; };
  EXPECT_EQUAL(run(), system_call_vector);
  EXPECT_EQUAL(guarded([](void*) { arch::write_msr(msr::NpiepConfig, 0x10); }).vector, 13);
  arch::write_msr(msr::NpiepConfig, 1);
  EXPECT_EQUAL(run(), 13);
  EXPECT_EQUAL(arch::store_gdt().base != 0, 1);  // at CPL 0 nothing changes
  const char* answer = upper::run([](upper::Saved*) -> const char* {
    EXPECT_EQUAL(arch::read_msr(msr::NpiepConfig), 0);
    return nullptr;
  });
  arch::write_msr(msr::NpiepConfig, 0);
  if (answer != nullptr) return answer;
  EXPECT_EQUAL(run(), system_call_vector);
  return nullptr;
}

constexpr Test tests[] = {
    {"the reference TSC page says what the reference counter says, in each VTL on a page of its own", reference_time_page},
    {"the time stamp counter and the APIC timer run at their frequencies", frequencies},
    {"the run time of a processor grows and is read-only", run_time},
    {"GUEST_IDLE ends with the next interrupt, RFLAGS.IF or not", idle},
    {"NPIEP makes SGDT #GP at CPL 3, in its VTL alone", descriptor_tables_at_cpl3},
};

}  // namespace

std::span<const Test> time_tests() { return tests; }
