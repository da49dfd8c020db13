// Code that changes: by itself, by another VTL's engine, by the host.
#include "tests/unit/cpu/drive.h"

using namespace cpu_test;

namespace {
cpu::Gear any_gear() {
  return GENERATE(cpu::Gear::Exact, cpu::Gear::Fast);
}
}  // namespace

TEST_CASE("a store into the next instruction is executed as written") {
  World world{any_gear()};
  // mov byte [rip+1], 42; mov al, 1; hlt
  world.put(kernel_code, {0xc6, 0x05, 0x01, 0, 0, 0, 42, 0xb0, 1, 0xf4});
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT((world.gpr(vtl::Rax) & 0xff) == 42);
  EXPECT(world.now.ticks == 2);
}

TEST_CASE("a store through another address changes code that ran before") {
  World world{any_gear()};
  world.map(0x150000, kernel_code, 3);
  // L: mov al, 1; inc byte [0x150001]; dec ecx; jnz L; hlt
  world.put(kernel_code,
            {0xb0, 1, 0xfe, 0x04, 0x25, 0x01, 0x00, 0x15, 0x00, 0xff, 0xc9, 0x75, 0xf3, 0xf4});
  world.gpr(vtl::Rcx) = 10;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT((world.gpr(vtl::Rax) & 0xff) == 10);
  EXPECT(world.now.ticks == 40);
}

TEST_CASE("code changed by one VTL's engine is seen by the other's") {
  World world{any_gear()};
  world.vp.contexts[vtl::Vtl::Vtl1] = world.vp.contexts[vtl::Vtl::Vtl0];
  world.put(kernel_code, {0xb0, 1, 0xf4});  // mov al, 1; hlt
  world.put(kernel_code + 0x1000,
            {0xfe, 0x05, 0xfb, 0xef, 0xff, 0xff, 0xf4});  // inc byte [kernel_code + 1]; hlt
  for (unsigned round = 1; round < 6; ++round) {
    world.vp.active = vtl::Vtl::Vtl0;
    world.context().rip = kernel_code;
    EXPECT(world.run().reason == vtl::ExitReason::Halt);
    EXPECT((world.gpr(vtl::Rax) & 0xff) == round);
    world.vp.active = vtl::Vtl::Vtl1;
    world.context().rip = kernel_code;
    EXPECT(world.run().reason == vtl::ExitReason::Halt);
    EXPECT((world.gpr(vtl::Rax) & 0xff) == round);
    world.context().rip = kernel_code + 0x1000;
    EXPECT(world.run().reason == vtl::ExitReason::Halt);
  }
}

TEST_CASE("registers that VTLs share go with a switch, the others stay") {
  World world{any_gear()};
  world.vp.contexts[vtl::Vtl::Vtl1] = world.vp.contexts[vtl::Vtl::Vtl0];
  world.vp.contexts[vtl::Vtl::Vtl1].rip = kernel_code + 0x1000;
  world.vp.contexts[vtl::Vtl::Vtl1].rsp = 0x123450;
  // mov eax, 7; cvtsi2sd xmm3, eax; fld1; hlt
  world.put(kernel_code, {0xb8, 7, 0, 0, 0, 0xf2, 0x0f, 0x2a, 0xd8, 0xd9, 0xe8, 0xf4});
  // mov ecx, eax; cvtsd2si edx, xmm3; fistp dword [kernel_data]; mov rsi, rsp; hlt
  world.put(kernel_code + 0x1000, {0x89, 0xc1, 0xf2, 0x0f, 0x2d, 0xd3, 0xdb, 0x1c, 0x25, 0, 0, 0x14,
                                   0, 0x48, 0x89, 0xe6, 0xf4});
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  world.vp.active = vtl::Vtl::Vtl1;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rcx) == 7);
  EXPECT(world.gpr(vtl::Rdx) == 7);
  EXPECT(world.gpr(vtl::Rsi) == 0x123450);
  EXPECT(world.peek<uint32_t>(kernel_data) == 1);
  EXPECT(world.vp.contexts[vtl::Vtl::Vtl0].rsp == kernel_stack);
  EXPECT(world.vp.shared.fp.tag == 0);
}

TEST_CASE("code changed by the host or a device is seen at once") {
  World world{any_gear()};
  world.put(kernel_code, {0xb0, 1, 0xeb, 0xfc});
  EXPECT(world.run(100).reason == vtl::ExitReason::Deadline);
  world.poke<uint8_t>(kernel_code + 1, 9);
  EXPECT(world.run(10).reason == vtl::ExitReason::Deadline);
  EXPECT((world.gpr(vtl::Rax) & 0xff) == 9);
}

TEST_CASE("a string store that runs into its own code stops at the architectural byte") {
  World world{any_gear()};
  world.put(kernel_code + 0xff0, {0xf3, 0xaa, 0xf4, 0xf4, 0xf4, 0xf4});  // rep stosb; hlt ...
  world.context().rip = kernel_code + 0xff0;
  world.gpr(vtl::Rdi) = kernel_code + 0xff2;
  world.gpr(vtl::Rax) = 0x90;  // nop
  world.gpr(vtl::Rcx) = 3;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.context().rip == kernel_code + 0xff5);
  EXPECT(world.now.ticks == 6);
}

TEST_CASE("registers changed between two runs hold, whatever they are") {
  World world{any_gear()};
  world.put(kernel_code, {0x66, 0x0f, 0x6f, 0xca, 0xdd, 0xd8, 0x9c, 0x58,
                          0xf4});  // movdqa xmm1, xmm2; fstp st(0); pushf; pop rax
  EXPECT(world.run(1).reason == vtl::ExitReason::Deadline);
  world.context().rip = kernel_code;
  world.vp.shared.fp.xmm[2] = {11, 22};
  world.vp.shared.fp.st[0] = {0x8000000000000000, 0x3fff};
  world.vp.shared.fp.st[1] = {0xc000000000000000, 0x4000};
  world.vp.shared.fp.tag = 0x03 << 6;
  world.vp.shared.fp.status = 6 << 11;
  world.context().rflags = 0x8d7;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.vp.shared.fp.xmm[1] == vtl::Xmm{11, 22});
  EXPECT(world.vp.shared.fp.st[0] == vtl::Xmm{0xc000000000000000, 0x4000});
  EXPECT(world.vp.shared.fp.tag == 0x80);
  EXPECT(world.gpr(vtl::Rax) == 0x8d7);
}
