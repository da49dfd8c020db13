// CPUID says exactly what works: one instruction of each feature, in both gears.
#include "abi/hv/vp_registers.h"
#include "tests/unit/cpu/drive.h"
#include "vtl/cpuid.h"

using namespace cpu_test;

namespace {

cpu::Gear any_gear() {
  return GENERATE(cpu::Gear::Exact, cpu::Gear::Fast);
}

struct Feature {
  const char* name;
  uint32_t leaf, subleaf;
  char reg;
  unsigned bit;
  std::vector<uint8_t> code;  ///< RBX points to 64 aligned bytes, RCX is 0
};

const std::vector<Feature>& features() {
  static const std::vector<Feature> list{
      {"FPU", 1, 0, 'd', 0, {0xd9, 0xe8}},
      {"TSC", 1, 0, 'd', 4, {0x0f, 0x31}},
      {"CX8", 1, 0, 'd', 8, {0x0f, 0xc7, 0x0b}},
      {"CMOV", 1, 0, 'd', 15, {0x0f, 0x44, 0xc1}},
      {"CLFSH", 1, 0, 'd', 19, {0x0f, 0xae, 0x3b}},
      {"MMX", 1, 0, 'd', 23, {0x0f, 0xef, 0xc0}},
      {"FXSR", 1, 0, 'd', 24, {0x0f, 0xae, 0x03}},
      {"SSE", 1, 0, 'd', 25, {0x0f, 0x58, 0xc1}},
      {"SSE2", 1, 0, 'd', 26, {0x66, 0x0f, 0x58, 0xc1}},
      {"SSE3", 1, 0, 'c', 0, {0xf2, 0x0f, 0x7c, 0xc1}},
      {"PCLMULQDQ", 1, 0, 'c', 1, {0x66, 0x0f, 0x3a, 0x44, 0xc1, 0x00}},
      {"MONITOR", 1, 0, 'c', 3, {0x0f, 0x01, 0xc8}},
      {"SSSE3", 1, 0, 'c', 9, {0x66, 0x0f, 0x38, 0x00, 0xc1}},
      {"FMA", 1, 0, 'c', 12, {0xc4, 0xe2, 0x71, 0x98, 0xc2}},
      {"CX16", 1, 0, 'c', 13, {0x48, 0x0f, 0xc7, 0x0b}},
      {"SSE4.1", 1, 0, 'c', 19, {0x66, 0x0f, 0x38, 0x29, 0xc1}},
      {"SSE4.2", 1, 0, 'c', 20, {0xf2, 0x0f, 0x38, 0xf1, 0xc1}},
      {"MOVBE", 1, 0, 'c', 22, {0x48, 0x0f, 0x38, 0xf0, 0x03}},
      {"POPCNT", 1, 0, 'c', 23, {0xf3, 0x0f, 0xb8, 0xc1}},
      {"AES", 1, 0, 'c', 25, {0x66, 0x0f, 0x38, 0xdc, 0xc1}},
      {"XSAVE", 1, 0, 'c', 26, {0x0f, 0xae, 0x23}},
      {"AVX", 1, 0, 'c', 28, {0xc5, 0xf4, 0x58, 0xc2}},
      {"F16C", 1, 0, 'c', 29, {0xc4, 0xe2, 0x79, 0x13, 0xc1}},
      {"RDRAND", 1, 0, 'c', 30, {0x0f, 0xc7, 0xf0}},
      {"FSGSBASE", 7, 0, 'b', 0, {0xf3, 0x48, 0x0f, 0xae, 0xc0}},
      {"BMI1", 7, 0, 'b', 3, {0xc4, 0xe2, 0x70, 0xf2, 0xc2}},
      {"BMI2", 7, 0, 'b', 8, {0xc4, 0xe3, 0x7b, 0xf0, 0xc1, 0x05}},
      {"INVPCID", 7, 0, 'b', 10, {0x66, 0x0f, 0x38, 0x82, 0x0b}},
      {"RDSEED", 7, 0, 'b', 18, {0x0f, 0xc7, 0xf8}},
      {"ADX", 7, 0, 'b', 19, {0x66, 0x0f, 0x38, 0xf6, 0xc1}},
      {"SMAP", 7, 0, 'b', 20, {0x0f, 0x01, 0xcb}},
      {"CLFLUSHOPT", 7, 0, 'b', 23, {0x66, 0x0f, 0xae, 0x3b}},
      {"CLWB", 7, 0, 'b', 24, {0x66, 0x0f, 0xae, 0x33}},
      {"SHA", 7, 0, 'b', 29, {0x0f, 0x38, 0xc9, 0xc1}},
      {"PKU", 7, 0, 'c', 3, {0x0f, 0x01, 0xee}},
      {"RDPID", 7, 0, 'c', 22, {0xf3, 0x0f, 0xc7, 0xf8}},
      {"XSAVEOPT", 0xd, 1, 'a', 0, {0x0f, 0xae, 0x33}},
      {"XSAVEC", 0xd, 1, 'a', 1, {0x0f, 0xc7, 0x23}},
      {"XSAVES", 0xd, 1, 'a', 3, {0x0f, 0xc7, 0x2b}},
      {"SVM", 0x80000001, 0, 'c', 2, {0x0f, 0x01, 0xd8}},
      {"LZCNT", 0x80000001, 0, 'c', 5, {0xf3, 0x0f, 0xbd, 0xc1}},
      {"RDTSCP", 0x80000001, 0, 'd', 27, {0x0f, 0x01, 0xf9}},
      {"LAHF", 0x80000001, 0, 'c', 0, {0x9f}},
      {"PREFETCHW", 0x80000001, 0, 'c', 8, {0x0f, 0x0d, 0x0b}},
  };
  return list;
}

bool said(const Feature& feature) {
  const vtl::CpuidResult r = vtl::cpuid(feature.leaf, feature.subleaf, false);
  const uint32_t value = feature.reg == 'a' ? r.eax : feature.reg == 'b' ? r.ebx : feature.reg == 'c' ? r.ecx : r.edx;
  return (value >> feature.bit & 1) != 0;
}

}  // namespace

TEST_CASE("every instruction of a feature executes if and only if CPUID has the feature") {
  const auto gear = any_gear();
  for (const Feature& feature : features()) {
    CAPTURE(feature.name);
    World world{gear};
    world.context().cr4 |= x64::cr4::osxsave | x64::cr4::fsgsbase | x64::cr4::smap;
    world.vp.shared.xcr0 = 3;
    world.put(kernel_code, feature.code);
    world.put(kernel_code + feature.code.size(), {0xf4});
    world.gpr(vtl::Rbx) = kernel_data;
    world.gpr(vtl::Rcx) = 0;
    world.context().interceptions.exceptions = ~0u;
    const vtl::Exit exit = world.run();
    if (said(feature)) {
      EXPECT(exit.reason == vtl::ExitReason::Halt);
      EXPECT(world.now.ticks == 1);
    } else {
      EXPECT(exit.reason == vtl::ExitReason::Exception);
      EXPECT(exit.exception.vector == 6);
    }
  }
}

TEST_CASE("LZCNT counts, and is not BSR; TZCNT is BSF, because BMI is not there") {
  World world{any_gear()};
  world.put(kernel_code, {0xf3, 0x0f, 0xbd, 0xc1, 0xf3, 0x0f, 0xbc, 0xd1, 0xf4});
  world.gpr(vtl::Rcx) = 0x100;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rax) == 23);
  EXPECT(world.gpr(vtl::Rdx) == 8);
}

TEST_CASE("MOVBE swaps bytes of every size, both ways") {
  World world{any_gear()};
  // movbe rax,[rbx]; movbe ecx,[rbx]; movbe dx,[rbx]; movbe [rbx+8], rax
  world.put(kernel_code, {0x48, 0x0f, 0x38, 0xf0, 0x03, 0x0f, 0x38, 0xf0, 0x0b, 0x66, 0x0f, 0x38, 0xf0, 0x13,
                          0x48, 0x0f, 0x38, 0xf1, 0x43, 0x08, 0xf4});
  world.gpr(vtl::Rbx) = kernel_data;
  world.gpr(vtl::Rcx) = world.gpr(vtl::Rdx) = ~uint64_t{0};
  world.poke<uint64_t>(kernel_data, 0x0102030405060708);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rax) == 0x0807060504030201);
  EXPECT(world.gpr(vtl::Rcx) == 0x08070605);
  EXPECT(world.gpr(vtl::Rdx) == 0xffffffffffff0807);
  EXPECT(world.peek(kernel_data + 8) == 0x0102030405060708);
}

namespace {

/// x87 and SSE with something in them.
void fill_state(World& world) {
  vtl::FloatingPoint& fp = world.vp.shared.fp;
  for (unsigned i = 0; i < 16; ++i)
    fp.xmm[i] = {0x1111111111111111u * i + 1, ~uint64_t{i}};
  for (unsigned i = 0; i < 8; ++i)
    fp.st[i] = {0x8000000000000000 + i, 0x3fff + i};
  fp.tag = 0xff;
  fp.control = 0x27f;
  fp.mxcsr = 0x1fa0;
  world.context().cr4 |= x64::cr4::osxsave;
  world.vp.shared.xcr0 = 3;
}

}  // namespace

TEST_CASE("XSAVE and XRSTOR keep x87 and SSE, byte for byte as FXSAVE has them") {
  World world{any_gear()};
  fill_state(world);
  const vtl::FloatingPoint before = world.vp.shared.fp;
  // xsave64 [rbx]; fxsave64 [rsi]; fninit; pxor xmm0..; xrstor64 [rbx]
  world.put(kernel_code, {0x48, 0x0f, 0xae, 0x23, 0x48, 0x0f, 0xae, 0x06, 0xdb, 0xe3, 0x66, 0x0f, 0xef, 0xc0, 0x66,
                          0x0f, 0xef, 0xc9, 0x48, 0x0f, 0xae, 0x2b, 0xf4});
  world.gpr(vtl::Rbx) = kernel_data;
  world.gpr(vtl::Rsi) = kernel_data + 0x1000;
  world.gpr(vtl::Rax) = ~uint64_t{0};
  world.gpr(vtl::Rdx) = ~uint64_t{0};
  for (unsigned i = 0; i < 416 / 8; ++i)
    world.poke<uint64_t>(kernel_data + 8 * i, 0);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.now.ticks == 6);
  for (unsigned i = 0; i < 416 / 8; ++i) {
    CAPTURE(i);
    EXPECT(world.peek(kernel_data + 8 * i) == world.peek(kernel_data + 0x1000 + 8 * i));
  }
  EXPECT(world.peek(kernel_data + 512) == 3);
  EXPECT(world.vp.shared.fp.st == before.st);
  EXPECT(world.vp.shared.fp.xmm == before.xmm);
  EXPECT(world.vp.shared.fp.control == before.control);
  EXPECT(world.vp.shared.fp.tag == before.tag);
  EXPECT(world.vp.shared.fp.mxcsr == before.mxcsr);
}

TEST_CASE("XSAVE says which components are in use, and XRSTOR initialises those that are not") {
  const auto gear = any_gear();
  World world{gear};
  fill_state(world);
  world.vp.shared.fp.xmm = {};
  world.put(kernel_code, {0x48, 0x0f, 0xae, 0x33, 0xf4});  // xsaveopt64
  world.gpr(vtl::Rbx) = kernel_data;
  world.gpr(vtl::Rax) = 3;
  world.gpr(vtl::Rdx) = 0;
  world.poke<uint64_t>(kernel_data + 160, 0x5555);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek(kernel_data + 512) == 1);
  EXPECT(world.peek(kernel_data + 160) == 0x5555);  // XMM0 is not written
  EXPECT(world.peek<uint32_t>(kernel_data + 24) == 0x1fa0);

  world.put(kernel_code, {0x48, 0x0f, 0xae, 0x2b, 0xf4});
  world.poke<uint64_t>(kernel_data + 512, 0);
  world.context().rip = kernel_code;
  fill_state(world);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.vp.shared.fp.xmm[3] == vtl::Xmm{});
  EXPECT(world.vp.shared.fp.tag == 0);
  EXPECT(world.vp.shared.fp.control == 0x37f);
  EXPECT(world.vp.shared.fp.mxcsr == 0x1fa0);  // from memory even so
}

TEST_CASE("XSAVE and its registers refuse what the manual says") {
  const auto gear = any_gear();
  struct Case {
    const char* what;
    std::vector<uint8_t> code;
    uint8_t vector;
    void (*spoil)(World&);
  };
  const Case tried = GENERATE(
      Case{"XSAVE without OSXSAVE", {0x0f, 0xae, 0x23}, 6, [](World& w) { w.context().cr4 &= ~x64::cr4::osxsave; }},
      Case{"XSAVE with TS", {0x0f, 0xae, 0x23}, 7, [](World& w) { w.context().cr0 |= x64::cr0::ts; }},
      Case{"XSAVE unaligned", {0x0f, 0xae, 0x23}, 13, [](World& w) { w.gpr(vtl::Rbx) += 32; }},
      Case{"LOCK XSAVE", {0xf0, 0x0f, 0xae, 0x23}, 6, [](World&) {}},
      Case{"XRSTOR of a component that is not enabled", {0x0f, 0xae, 0x2b}, 13,
           [](World& w) { w.poke<uint64_t>(kernel_data + 512, 4); }},
      Case{"XRSTOR, compacted", {0x0f, 0xae, 0x2b}, 13,
           [](World& w) { w.poke<uint64_t>(kernel_data + 520, uint64_t{1} << 63); }},
      Case{"XRSTOR of a bad MXCSR", {0x0f, 0xae, 0x2b}, 13,
           [](World& w) { w.poke<uint32_t>(kernel_data + 24, 0x10000); }},
      Case{"XRSTOR of a page that is not there", {0x0f, 0xae, 0x2b}, 14,
           [](World& w) { w.map(kernel_data, 0, 0); }},
      Case{"XGETBV 1", {0x0f, 0x01, 0xd0}, 13, [](World& w) { w.gpr(vtl::Rcx) = 1; }},
      Case{"XGETBV without OSXSAVE", {0x0f, 0x01, 0xd0}, 6, [](World& w) { w.context().cr4 &= ~x64::cr4::osxsave; }},
      Case{"XSETBV without x87", {0x0f, 0x01, 0xd1}, 13, [](World& w) { w.gpr(vtl::Rax) = 2; }},
      Case{"XSETBV with AVX", {0x0f, 0x01, 0xd1}, 13, [](World& w) { w.gpr(vtl::Rax) = 7; }},
      Case{"XSETBV of another register", {0x0f, 0x01, 0xd1}, 13, [](World& w) { w.gpr(vtl::Rcx) = 1; }});
  CAPTURE(tried.what);
  World world{gear};
  fill_state(world);
  world.put(kernel_code, tried.code);
  world.gpr(vtl::Rbx) = kernel_data;
  world.gpr(vtl::Rax) = 3;
  world.gpr(vtl::Rcx) = world.gpr(vtl::Rdx) = 0;
  world.context().interceptions.exceptions = ~0u;
  tried.spoil(world);
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.vector == tried.vector);
}

TEST_CASE("XSETBV sets XCR0, XGETBV reads it, and its write can be intercepted") {
  World world{any_gear()};
  world.context().cr4 |= x64::cr4::osxsave;
  world.put(kernel_code, {0x0f, 0x01, 0xd1, 0x0f, 0x01, 0xd0, 0xf4});
  world.gpr(vtl::Rax) = 3;
  world.gpr(vtl::Rcx) = world.gpr(vtl::Rdx) = 0;
  world.context().interceptions.registers = 4;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::RegisterAccess);
  EXPECT(exit.register_access.name == static_cast<uint32_t>(abi::hv::RegisterName::Xfem));
  EXPECT(exit.register_access.low == 3);
  EXPECT(world.vp.shared.xcr0 == 1);
  world.context().interceptions.registers = 0;
  world.gpr(vtl::Rdx) = 0;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.vp.shared.xcr0 == 3);
  EXPECT(world.gpr(vtl::Rax) == 3);

  World user{any_gear()};
  user.context().cr4 |= x64::cr4::osxsave;
  user.put(user_code, {0x0f, 0x01, 0xd1});
  user.enter_user_mode();
  user.context().interceptions = {.registers = 4, .exceptions = 1u << 13};
  EXPECT(user.run().reason == vtl::ExitReason::Exception);
}

TEST_CASE("leaf 0xD says what XSAVE saves, OSXSAVE follows CR4, and XCR0 is the same for all VTLs") {
  EXPECT(vtl::cpuid(0xd, 0, false).eax == 3);
  EXPECT(vtl::cpuid(0xd, 0, false).ebx == 576);
  EXPECT(vtl::cpuid(0xd, 1, false).eax == 1);
  EXPECT(vtl::cpuid(0xd, 2, false).eax == 0);
  EXPECT((vtl::cpuid(1, 0, false).ecx >> 27 & 1) == 0);
  EXPECT((vtl::cpuid(1, 0, false, {.os_xsave = true}).ecx >> 27 & 1) == 1);
}

TEST_CASE("FSGSBASE instructions read and write the bases at every privilege, and need CR4") {
  const auto gear = any_gear();
  World world{gear};
  world.context().cr4 |= x64::cr4::fsgsbase;
  // wrfsbase rax; wrgsbase ecx; rdfsbase rbx; rdgsbase edx; cpuid
  world.put(user_code, {0xf3, 0x48, 0x0f, 0xae, 0xd0, 0xf3, 0x0f, 0xae, 0xd9, 0xf3, 0x48, 0x0f, 0xae, 0xc3, 0xf3, 0x0f,
                        0xae, 0xca, 0x0f, 0xa2});
  world.enter_user_mode();
  world.gpr(vtl::Rax) = 0x7fff12345678;
  world.gpr(vtl::Rcx) = 0xffffffff87654321;
  EXPECT(world.run().reason == vtl::ExitReason::Cpuid);
  EXPECT(world.gpr(vtl::Rbx) == 0x7fff12345678);
  EXPECT(world.gpr(vtl::Rdx) == 0x87654321);
  EXPECT(world.context().segments[vtl::Gs].base == 0x87654321);

  World bad{gear};
  bad.context().cr4 |= x64::cr4::fsgsbase;
  bad.put(kernel_code, {0xf3, 0x48, 0x0f, 0xae, 0xd0});
  bad.gpr(vtl::Rax) = uint64_t{1} << 60;
  bad.context().interceptions.exceptions = ~0u;
  EXPECT(bad.run().exception.vector == 13);
  bad.context().cr4 &= ~x64::cr4::fsgsbase;
  EXPECT(bad.run().exception.vector == 6);
}

TEST_CASE("UMIP keeps ring 3 from reading descriptor-table registers; without it it may") {
  const auto gear = any_gear();
  const bool umip = GENERATE(false, true);
  const std::vector<uint8_t> code = GENERATE(std::vector<uint8_t>{0x0f, 0x01, 0x03}, std::vector<uint8_t>{0x0f, 0x01, 0x0b},
                                             std::vector<uint8_t>{0x0f, 0x00, 0xc0}, std::vector<uint8_t>{0x0f, 0x00, 0xc8},
                                             std::vector<uint8_t>{0x0f, 0x01, 0xe0});
  World world{gear};
  world.context().cr4 |= umip ? x64::cr4::umip : 0;
  world.put(user_code, code);
  world.put(user_code + 3, {0x0f, 0xa2});
  world.enter_user_mode();
  world.gpr(vtl::Rbx) = user_data;
  world.context().interceptions.exceptions = 1u << 13;
  EXPECT(world.run().reason == (umip ? vtl::ExitReason::Exception : vtl::ExitReason::Cpuid));
}

TEST_CASE("NPIEP refuses ring 3 each of SGDT, SIDT, SLDT and STR by a bit of its own") {
  const auto gear = any_gear();
  const uint8_t refused = GENERATE(uint8_t{1}, uint8_t{2}, uint8_t{4}, uint8_t{8});
  const std::vector<uint8_t> codes[] = {{0x0f, 0x01, 0x03}, {0x0f, 0x01, 0x0b}, {0x0f, 0x00, 0xc0}, {0x0f, 0x00, 0xc8}};
  for (unsigned i = 0; i < 4; ++i) {
    World world{gear};
    world.context().npiep = refused;
    world.put(user_code, codes[i]);
    world.put(user_code + 3, {0x0f, 0xa2});
    world.enter_user_mode();
    world.gpr(vtl::Rbx) = user_data;
    world.context().interceptions.exceptions = 1u << 13;
    const bool fault = refused == 1u << i;
    EXPECT(world.run().reason == (fault ? vtl::ExitReason::Exception : vtl::ExitReason::Cpuid));
  }
}

TEST_CASE("PCIDs keep translations apart; MOV CR3 with bit 63 keeps its own, INVPCID drops them") {
  World world{any_gear()};
  world.context().cr4 |= x64::cr4::pcide;
  // mov rax,[rsi]; mov cr3, rcx (PCID 1, keep); mov rdx,[rsi]; mov cr3, rdi (PCID 0, keep); mov r8,[rsi];
  // invpcid rbp(=1), [r9]; mov cr3, rcx; mov r10, [rsi]; hlt
  world.put(kernel_code, {0x48, 0x8b, 0x06, 0x0f, 0x22, 0xd9, 0x48, 0x8b, 0x16, 0x0f, 0x22, 0xdf, 0x4c, 0x8b, 0x06,
                          0x66, 0x41, 0x0f, 0x38, 0x82, 0x29, 0x0f, 0x22, 0xd9, 0x4c, 0x8b, 0x16, 0xf4});
  constexpr uint64_t keep = uint64_t{1} << 63;
  world.gpr(vtl::Rsi) = 0x150000;
  world.gpr(vtl::Rcx) = pml4 | 1 | keep;
  world.gpr(vtl::Rdi) = pml4 | keep;
  world.gpr(vtl::Rbp) = 1;
  world.gpr(vtl::R9) = kernel_data;
  world.poke<uint64_t>(kernel_data, 1);  // descriptor: PCID 1
  world.poke<uint64_t>(kernel_data + 8, 0);
  for (const uint64_t page : {0x150000u, 0x151000u, 0x152000u})
    world.poke<uint64_t>(page, page);
  EXPECT(world.run_until(1).reason == vtl::ExitReason::Deadline);
  world.map(0x150000, 0x151000, 3);  // PCID 0 has the old one
  EXPECT(world.run_until(3).reason == vtl::ExitReason::Deadline);
  world.map(0x150000, 0x152000, 3);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rax) == 0x150000);
  EXPECT(world.gpr(vtl::Rdx) == 0x151000);
  EXPECT(world.gpr(vtl::R8) == 0x150000);
  EXPECT(world.gpr(vtl::R10) == 0x152000);
  EXPECT(world.context().cr3 == (pml4 | 1));
}

TEST_CASE("SMAP: the processor's own accesses to tables on user pages are refused") {
  const auto gear = any_gear();
  const bool from_user = GENERATE(false, true);
  World world{gear};
  world.context().cr4 |= x64::cr4::smap;
  for (unsigned i = 0; i < 10; ++i)  // a GDT on a user page
    world.poke<uint64_t>(user_data + 8 * i, world.peek(gdt + 8 * i));
  world.context().gdtr.base = user_data;
  const uint64_t code = from_user ? user_code : kernel_code;
  world.put(code, {0x8e, 0xd8, 0xf4});  // mov ds, ax
  if (from_user) world.enter_user_mode();
  world.gpr(vtl::Rax) = user_ss;
  world.context().interceptions.exceptions = 1u << 14;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.error_code == 1);
  EXPECT(exit.exception.parameter == user_data + (user_ss & ~7u));
}

TEST_CASE("a far return in ring 3 reads its stack with the rights of ring 3, whatever was read before") {
  World world{any_gear()};
  world.put(user_code, {0xcb});                              // retf
  world.put(kernel_code, {0x48, 0x8b, 0x04, 0x24, 0x48, 0xcf});  // mov rax, [rsp]; iretq
  const uint64_t frame[] = {user_code, user_cs, 2, kernel_data, user_ss};
  world.context().rsp = kernel_data - sizeof frame;
  for (size_t i = 0; i < std::size(frame); ++i)
    world.poke<uint64_t>(kernel_data - sizeof frame + 8 * i, frame[i]);
  world.context().interceptions.exceptions = ~0u;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.vector == 14);
  EXPECT(exit.exception.error_code == 5);
  EXPECT(exit.exception.parameter == kernel_data);
  EXPECT(world.context().rip == user_code);
}
