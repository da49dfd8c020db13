// What the engine does wrong: corrected, or pinned as it is (docs/processor-limits.md).
#include "tests/unit/cpu/drive.h"

using namespace cpu_test;

namespace {

cpu::Gear any_gear() {
  return GENERATE(cpu::Gear::Exact, cpu::Gear::Fast);
}

}  // namespace

TEST_CASE("corrected: CMPXCHG of 32-bit registers that fails leaves the upper half of its destination") {
  World world{any_gear()};
  world.put(kernel_code, {0x0f, 0xb1, 0xca, 0xf4});  // cmpxchg edx, ecx
  world.gpr(vtl::Rax) = 0xffffffff00000001;
  world.gpr(vtl::Rdx) = 0xeeeeeeee00000002;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rax) == 2);
  EXPECT(world.gpr(vtl::Rdx) == 0xeeeeeeee00000002);
}

TEST_CASE("corrected: LOCK with a bit test of a register, and memory forms that do not exist, are undefined") {
  const auto gear = any_gear();
  const std::vector<uint8_t> code =
      GENERATE(std::vector<uint8_t>{0xf0, 0x0f, 0xab, 0xc8}, std::vector<uint8_t>{0xf0, 0x0f, 0xba, 0xe0, 1},
               std::vector<uint8_t>{0x0f, 0x50, 0x03}, std::vector<uint8_t>{0x0f, 0x71, 0x13, 1},
               std::vector<uint8_t>{0x66, 0x0f, 0x72, 0x23, 1}, std::vector<uint8_t>{0x66, 0x0f, 0x73, 0x1b, 1},
               std::vector<uint8_t>{0xf3, 0x0f, 0xd6, 0x03});
  World world{gear};
  world.put(kernel_code, {0x90});
  world.put(kernel_code + 1, code);
  world.gpr(vtl::Rbx) = kernel_data;
  world.context().interceptions.exceptions = 1u << 6;
  EXPECT(world.run().reason == vtl::ExitReason::Exception);
  EXPECT(world.context().rip == kernel_code + 1);
  EXPECT(world.now.ticks == 1);
}

TEST_CASE("corrected: LOCK with a bit test of a register across two pages is undefined, whichever is known first") {
  const auto gear = any_gear();
  const unsigned in_first = GENERATE(1u, 2u, 3u);  // bytes of it
  const bool apart = GENERATE(false, true);        // the pages are neighbours as linear addresses only
  struct Way {
    uint64_t from, ticks;
  };
  constexpr uint64_t boundary = kernel_code + 0x1000;
  const Way way = GENERATE(Way{boundary - 0x100, 3}, Way{boundary + 0x800, 5}, Way{boundary - 0x200, 8});
  const uint8_t bit_test[] = {0xf0, 0x0f, 0xab, 0xc8};
  const uint64_t second = apart ? uint64_t{kernel_data} : boundary;
  World world{gear};
  if (apart) world.map(boundary, second, 3);
  // nop; mov al, [rip+]: the second page; jmp boundary + 0x800
  world.put(boundary - 0x200, {0x90, 0x8a, 0x05, 0xf9, 0x0a, 0, 0, 0xe9, 0xf4, 0x09, 0, 0});
  world.put(second + 0x800, {0x90, 0xe9, 0xfa, 0xf6, 0xff, 0xff});  // nop; jmp boundary - 0x100
  world.put(boundary - 0x100, {0x90, 0xe9, static_cast<uint8_t>(0xfa - in_first - 1), 0, 0, 0});
  world.put(boundary - in_first - 1, {0x90});
  world.put(boundary - in_first, {bit_test, in_first});
  world.put(second, {bit_test + in_first, sizeof bit_test - in_first});
  for (const uint64_t page : {boundary - 0x300, boundary + 0x900}) {  // both pages are code from now on
    world.put(page < boundary ? page : second + 0x900, {0x90, 0xf4});
    world.context().rip = page;
    REQUIRE(world.run().reason == vtl::ExitReason::Halt);
  }
  world.translator.invalidate_all(world.address_space(world.vp), false);
  world.now = {};
  world.context().interceptions.exceptions = 1u << 6;
  world.context().rip = way.from;
  EXPECT(world.run().reason == vtl::ExitReason::Exception);
  EXPECT(world.context().rip == boundary - in_first);
  EXPECT(world.now.ticks == way.ticks);
}

TEST_CASE("a page that ends like LOCK runs on into one that completes something else") {
  World world{any_gear()};
  constexpr uint64_t boundary = kernel_code + 0x1000;
  world.put(boundary - 4, {0x90, 0x90, 0xb8, 0xf0});  // mov eax, 0x78ab0ff0
  world.put(boundary, {0x0f, 0xab, 0x78, 0xff, 0xc9, 0x75, 0xf7, 0xf4});  // dec ecx; jnz to the MOV; hlt
  world.context().rip = boundary - 4;
  world.gpr(vtl::Rcx) = 1000;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rax) == 0x78ab0ff0);
  EXPECT(world.now.ticks == 3002);
}

TEST_CASE("pinned: a 16-byte store across a page has stored its first half when the second page faults") {
  World world{any_gear()};
  world.put(kernel_code, {0x0f, 0x11, 0x03});  // movups [rbx], xmm0
  world.gpr(vtl::Rbx) = kernel_data + 0xff8;
  world.vp.shared.fp.xmm[0] = {0x1111, 0x2222};
  world.map(kernel_data + 0x1000, 0, 0);
  world.context().interceptions.exceptions = 1u << 14;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.parameter == kernel_data + 0x1000);
  EXPECT(world.peek(kernel_data + 0xff8) == 0x1111);  // a processor stores nothing
  world.map(kernel_data + 0x1000, kernel_data + 0x1000, 3);
  world.put(kernel_code + 3, {0xf4});
  EXPECT(world.run().reason == vtl::ExitReason::Halt);  // tried again, it is complete
  EXPECT(world.peek(kernel_data + 0x1000) == 0x2222);
}

TEST_CASE("corrected: an 8-byte store across a page that faults stores nothing") {
  World world{any_gear()};
  world.put(kernel_code, {0x48, 0x89, 0x03});
  world.gpr(vtl::Rax) = ~uint64_t{0};
  world.gpr(vtl::Rbx) = kernel_data + 0xffc;
  world.map(kernel_data + 0x1000, 0, 0);
  world.context().interceptions.exceptions = 1u << 14;
  EXPECT(world.run().reason == vtl::ExitReason::Exception);
  EXPECT(world.peek<uint32_t>(kernel_data + 0xffc) == 0);
}

TEST_CASE("pinned: SYSRET to an address that is not canonical faults in ring 3, as on AMD's processors") {
  World world{any_gear()};
  world.put(kernel_code, {0x48, 0x0f, 0x07});
  world.gpr(vtl::Rcx) = 0x0000900000000000;
  world.gpr(vtl::R11) = 2;
  world.context().interceptions.exceptions = 1u << 13;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.vector == 13);
  EXPECT(world.vp.cpl() == 3);
  EXPECT(world.context().rip == 0x0000900000000000);
}

TEST_CASE("pinned: the limits of segments are not checked") {
  World world{any_gear()};
  vtl::VtlContext& c = world.context();
  c.cr0 = 0x11;
  c.cr4 = c.efer = 0;
  c.segments.fill({0, ~0u, kernel_ss, 0xc093});
  c.segments[vtl::Cs] = {0, ~0u, 0x08, 0xc09b};
  c.segments[vtl::Ds] = {0, 0xfff, 0x10, 0x4093};
  world.put(kernel_code, {0x8b, 0x03, 0xf4});
  world.gpr(vtl::Rbx) = kernel_data;
  world.poke<uint32_t>(kernel_data, 0x77);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rax) == 0x77);  // a processor raises #GP(0)
}

TEST_CASE("pinned: misaligned accesses with AC and AM raise no #AC, unmasked SSE errors no #XM") {
  World world{any_gear()};
  world.context().cr0 |= x64::cr0::am;
  world.put(user_code, {0x8b, 0x03, 0x0f, 0x5e, 0xc1, 0x0f, 0xa2});  // mov eax,[rbx]; divps xmm0, xmm1; cpuid
  world.enter_user_mode();
  world.context().rflags |= x64::rflags::ac;
  world.gpr(vtl::Rbx) = user_data + 1;
  world.vp.shared.fp.mxcsr = 0x1d80;  // ZE unmasked
  world.vp.shared.fp.xmm[0] = {0x3f8000003f800000, 0x3f8000003f800000};
  world.vp.shared.fp.xmm[1] = {};
  EXPECT(world.run().reason == vtl::ExitReason::Cpuid);
}

TEST_CASE("the addresses of the last x87 instruction and of its operand belong to the processor's state") {
  World world{any_gear()};
  // fld [rbx+4]; fxsave64 [rsi]; fnstenv [rdi]
  world.put(kernel_code, {0xd9, 0x43, 0x04, 0x48, 0x0f, 0xae, 0x06, 0xd9, 0x37, 0xf4});
  world.gpr(vtl::Rbx) = kernel_data;
  world.gpr(vtl::Rsi) = kernel_data + 0x100;
  world.gpr(vtl::Rdi) = kernel_data + 0x400;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek(kernel_data + 0x108) == kernel_code);
  EXPECT(world.vp.shared.fp.instruction == kernel_code);
  EXPECT(world.vp.shared.fp.operand == kernel_data + 4);
  EXPECT(world.vp.shared.fp.instruction_selector == kernel_cs);
  EXPECT(world.vp.shared.fp.operand_selector == kernel_ss);
  EXPECT(world.peek<uint32_t>(kernel_data + 0x40c) == kernel_code);

  // Written from outside, they are what the engine has.
  world.put(kernel_code, {0xd9, 0x37, 0xf4});
  world.context().rip = kernel_code;
  world.vp.shared.fp.instruction = 0x11112222;
  world.vp.shared.fp.operand = 0x33334444;
  world.vp.shared.fp.operand_selector = 0x5555;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek<uint32_t>(kernel_data + 0x40c) == 0x11112222);
  EXPECT(world.peek<uint32_t>(kernel_data + 0x414) == 0x33334444);
  EXPECT(world.peek<uint16_t>(kernel_data + 0x418) == 0x5555);
}

TEST_CASE("corrected: LOCK before an instruction that may not have it is undefined") {
  const auto gear = any_gear();
  const std::vector<uint8_t> code =
      GENERATE(std::vector<uint8_t>{0xf0, 0x90}, std::vector<uint8_t>{0xf0, 0x8b, 0x03},
               std::vector<uint8_t>{0xf0, 0x01, 0xc3}, std::vector<uint8_t>{0xf0, 0x39, 0x03},
               std::vector<uint8_t>{0xf0, 0x03, 0x03}, std::vector<uint8_t>{0xf0, 0x83, 0x3b, 1},
               std::vector<uint8_t>{0xf0, 0xff, 0x33}, std::vector<uint8_t>{0xf0, 0x0f, 0xa3, 0x0b},
               std::vector<uint8_t>{0xf0, 0x0f, 0x22, 0xc0}, std::vector<uint8_t>{0xf0, 0x0f, 0x58, 0x03});
  World world{gear};
  world.put(kernel_code, {0x90});
  world.put(kernel_code + 1, code);
  world.gpr(vtl::Rbx) = kernel_data;
  world.context().interceptions.exceptions = 1u << 6;
  EXPECT(world.run().reason == vtl::ExitReason::Exception);
  EXPECT(world.context().rip == kernel_code + 1);
  EXPECT(world.now.ticks == 1);
}

TEST_CASE("pinned: an unmasked x87 error is raised by WAIT, not by the next x87 instruction") {
  World world{any_gear()};
  // fldz; fld1; fdiv st, st(1); fld1; fwait
  world.put(kernel_code, {0xd9, 0xee, 0xd9, 0xe8, 0xd8, 0xf1, 0xd9, 0xe8, 0x9b});
  world.vp.shared.fp.control = 0x37b;  // ZM clear
  world.context().interceptions.exceptions = 1u << 16;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.vector == 16);
  EXPECT(world.context().rip == kernel_code + 8);
}

TEST_CASE("pinned: a call gate from ring 3 into another ring is #GP with its selector") {
  World world{any_gear()};
  world.poke<uint64_t>(gdt + 0x50, 0x0000ec0000080000 | (handlers & 0xffff));
  world.poke<uint64_t>(gdt + 0x58, 0);
  world.context().gdtr.limit = 0x5f;
  world.put(user_code, {0xff, 0x1b});  // call far [rbx]
  world.enter_user_mode();
  world.gpr(vtl::Rbx) = user_data;
  world.poke<uint64_t>(user_data, uint64_t{0x53} << 32);
  world.context().interceptions.exceptions = ~0u;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.vector == 13);
  EXPECT(exit.exception.error_code == 0x50);
}

TEST_CASE("pinned: in ring 0 with SMAP and AC a descriptor table on a user page is readable") {
  World world{any_gear()};
  world.context().cr4 |= x64::cr4::smap;
  world.context().rflags |= x64::rflags::ac;
  for (unsigned i = 0; i < 10; ++i)
    world.poke<uint64_t>(user_data + 8 * i, world.peek(gdt + 8 * i));
  world.context().gdtr.base = user_data;
  world.put(kernel_code, {0x8e, 0xd8, 0xf4});
  world.gpr(vtl::Rax) = kernel_ss;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
}
