// Time stamps, random numbers, identification and what else has no side effects.
#include "abi/hv/cpuid.h"
#include "tests.h"

using namespace kernel;

namespace {

const char* time_stamps_grow() {
  std::uint64_t last = arch::read_tsc();
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t now = arch::read_tsc();
    if (now <= last) return wrong("TSC went from {:#x} to {:#x}", last, now);
    last = now;
  }
  return nullptr;
}

const char* time_is_instructions() {
  const std::uint64_t begin = arch::read_tsc();
  asm volatile(".rept 100\n\tnop\n\t.endr");
  const std::uint64_t end = arch::read_tsc();
  EXPECT_THAT(end - begin >= 101 && end - begin < 130);
  const std::uint64_t string_begin = arch::read_tsc();
  std::uint64_t count = 1000;
  static char target[1000];
  char* to = target;
  asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(1) : "memory");
  const std::uint64_t string_end = arch::read_tsc();
  EXPECT_THAT(string_end - string_begin >= 1000 && string_end - string_begin < 1030);  // each repetition counts
  return nullptr;
}

const char* random_numbers() {
  std::uint64_t one = 0, two = 0, seed = 0;
  EXPECT_THAT(arch::read_random(one) && arch::read_random(two) && arch::read_seed(seed));
  EXPECT_THAT(one != two && two != seed && one != 0);
  return nullptr;
}

const char* no_hypervisor() {
  EXPECT_EQUAL(arch::cpuid(1).ecx & abi::hv::cpuid::hypervisor_present, 0);
  EXPECT_THAT(arch::cpuid(abi::hv::cpuid::vendor_leaf).ebx != abi::hv::cpuid::vendor_ebx);
  EXPECT_EQUAL(guarded([](void*) { (void)arch::read_msr(0x40000000); }).vector, 13);
  return nullptr;
}

const char* promised_features() {
  EXPECT_THAT((arch::cpuid(7).ebx & 1u << 7) != 0);    // SMEP
  EXPECT_THAT((arch::cpuid(7).ebx & 1u << 20) != 0);   // SMAP
  EXPECT_THAT((arch::cpuid(1).ecx & 1u << 30) != 0);   // RDRAND
  EXPECT_THAT((arch::cpuid(0x80000001).edx & 1u << 29) != 0);  // long mode
  EXPECT_EQUAL(arch::cpuid(0x80000008).eax & 0xFF, 40);
  return nullptr;
}

const char* swapgs_swaps() {
  arch::write_msr(0xC0000101, 0x1111);
  arch::write_msr(0xC0000102, 0x2222);
  arch::swapgs();
  EXPECT_EQUAL(arch::read_msr(0xC0000101), 0x2222);
  EXPECT_EQUAL(arch::read_msr(0xC0000102), 0x1111);
  EXPECT_EQUAL(guarded([](void*) { arch::write_msr(0xC0000101, 0x8000'0000'0000); }).vector, 13);
  return nullptr;
}

constexpr Test tests[] = {
    {"the time stamp grows with every reading", time_stamps_grow},
    {"time is counted in instructions, repetitions one by one", time_is_instructions},
    {"RDRAND and RDSEED give numbers that differ", random_numbers},
    {"a bare machine shows no hypervisor", no_hypervisor},
    {"CPUID promises what the tests rely on", promised_features},
    {"SWAPGS exchanges the two bases", swapgs_swaps},
};

}  // namespace

std::span<const Test> time_tests() { return tests; }
