// Ports, device memory, randomness, time, MSRs.
#include "tests/unit/cpu/drive.h"

using namespace cpu_test;

namespace {
cpu::Gear any_gear() {
  return GENERATE(cpu::Gear::Exact, cpu::Gear::Fast);
}
constexpr uint64_t apic = 0xfee00000;
}  // namespace

TEST_CASE("device memory is read and written once by each instruction, and never cached") {
  World world{any_gear()};
  // mov eax,[rbx+0x20]; add dword [rbx+0x80],eax; movsd (rsi = device); mov [rbx+0xb0],ecx; xchg [rbx],eax; hlt
  world.put(kernel_code, {0x8b, 0x43, 0x20, 0x01, 0x83, 0x80, 0, 0, 0, 0xa5, 0x89, 0x8b, 0xb0, 0, 0,
                          0, 0x87, 0x03, 0xf4});
  world.gpr(vtl::Rbx) = world.gpr(vtl::Rsi) = apic;
  world.gpr(vtl::Rdi) = kernel_data;
  world.gpr(vtl::Rcx) = 9;
  world.bus.values[apic + 0x20] = 5;
  world.bus.values[apic + 0x80] = 7;
  world.bus.values[apic] = 0x11223344;
  vtl::Exit last;
  EXPECT(!drive(world, 1000, &last));
  EXPECT(last.reason == vtl::ExitReason::Halt);
  using Touch = RecordingBus::Touch;
  const std::vector<Touch> expected{{false, apic + 0x20, 4, 0}, {false, apic + 0x80, 4, 0},
                                    {true, apic + 0x80, 4, 12}, {false, apic, 4, 0},
                                    {true, apic + 0xb0, 4, 9},  {false, apic, 4, 0},
                                    {true, apic, 4, 5}};
  EXPECT(world.bus.log == expected);
  EXPECT(world.peek<uint32_t>(kernel_data) == 0x11223344);
  EXPECT(world.now.ticks == 5);
}

TEST_CASE("a device is not read before the other operand is known to be writable") {
  World world{any_gear()};
  world.put(handlers, {0xf4});
  world.gate(14, handlers);
  world.map(0x150000, 0, 0);
  world.put(kernel_code, {0xa5});
  world.gpr(vtl::Rsi) = apic;
  world.gpr(vtl::Rdi) = 0x150000;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.bus.log.empty());
  EXPECT(world.vp.shared.cr2 == 0x150000);
}

TEST_CASE("a write to a device ends the slice, so that interrupts are looked at") {
  World world{any_gear()};
  world.put(kernel_code, {0x89, 0x03, 0x90, 0x90});
  world.gpr(vtl::Rbx) = apic;
  EXPECT(world.run().reason == vtl::ExitReason::Deadline);
  EXPECT(world.now.ticks == 1);
}

TEST_CASE("IN and OUT exit with port, size and value") {
  World world{any_gear()};
  world.put(kernel_code,
            {0xe5, 0x70, 0x66, 0xef, 0xec, 0xf4});  // in eax, 0x70; out dx, ax; in al, dx; hlt
  world.gpr(vtl::Rdx) = 0x1f0;
  world.gpr(vtl::Rax) = ~uint64_t{0};
  vtl::Exit exit = world.run();
  EXPECT(exit.reason == vtl::ExitReason::IoRead);
  EXPECT(exit.io.port == 0x70);
  EXPECT(exit.io.size == 4);
  world.processor->complete_io_read(world.vp, world.now, exit, 0x89abcdef);
  EXPECT(world.gpr(vtl::Rax) == 0x89abcdef);
  exit = world.run();
  EXPECT(exit.reason == vtl::ExitReason::IoWrite);
  EXPECT(exit.io.size == 2);
  EXPECT(exit.io.value == 0xcdef);
  world.processor->complete_io_write(world.vp, world.now, exit);
  exit = world.run();
  EXPECT(exit.io.size == 1);
  world.processor->complete_io_read(world.vp, world.now, exit, 0x55);
  EXPECT(world.gpr(vtl::Rax) == 0x89abcd55);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.now.ticks == 3);
}

TEST_CASE("REP INS and REP OUTS move one element per exit, and each counts") {
  World world{any_gear()};
  world.put(kernel_code, {0xf3, 0x66, 0x6d, 0xb9, 2, 0, 0, 0, 0xf3, 0x6e,
                          0xf4});  // rep insw; mov ecx, 2; rep outsb
  world.gpr(vtl::Rcx) = 3;
  world.gpr(vtl::Rdx) = 0x12;
  world.gpr(vtl::Rdi) = world.gpr(vtl::Rsi) = kernel_data;
  uint32_t next = 0x1111;
  std::vector<uint32_t> written;
  for (;;) {
    const vtl::Exit exit = world.run();
    if (exit.reason == vtl::ExitReason::Halt) break;
    if (exit.reason == vtl::ExitReason::IoRead) {
      EXPECT(exit.io.string);
      world.processor->complete_io_read(world.vp, world.now, exit, next++);
    } else {
      REQUIRE(exit.reason == vtl::ExitReason::IoWrite);
      written.push_back(exit.io.value);
      world.processor->complete_io_write(world.vp, world.now, exit);
    }
  }
  EXPECT(world.peek<uint16_t>(kernel_data) == 0x1111);
  EXPECT(world.peek<uint16_t>(kernel_data + 4) == 0x1113);
  EXPECT(written == std::vector<uint32_t>{0x11, 0x11});
  EXPECT(world.gpr(vtl::Rdi) == kernel_data + 6);
  EXPECT(world.now.ticks == 6);
}

TEST_CASE("ports obey IOPL and the bitmap of the TSS") {
  const auto gear = any_gear();
  World world{gear};
  world.put(handlers, {0xf4});
  world.gate(13, handlers);
  world.put(user_code, {0xe4, 0x71});
  world.enter_user_mode();
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek(world.context().rsp + 8) == user_code);

  World privileged{gear};
  privileged.put(user_code, {0xe4, 0x71});
  privileged.enter_user_mode();
  privileged.context().rflags |= 0x3000;
  EXPECT(privileged.run().reason == vtl::ExitReason::IoRead);

  World mapped{gear};
  mapped.put(handlers, {0xf4});
  mapped.gate(13, handlers);
  mapped.context().tr.limit = 0x87;
  mapped.poke<uint16_t>(tss + 0x66, 0x68);
  for (unsigned i = 0; i < 32; ++i)
    mapped.poke<uint8_t>(tss + 0x68 + i, 0xff);
  mapped.poke<uint8_t>(tss + 0x68 + 0x71 / 8, 0xfd);  // port 0x71 is allowed, 0x72 is not
  mapped.put(user_code, {0xe4, 0x71, 0x66, 0xe5, 0x71});
  mapped.enter_user_mode();
  const vtl::Exit exit = mapped.run();
  EXPECT(exit.reason == vtl::ExitReason::IoRead);
  mapped.processor->complete_io_read(mapped.vp, mapped.now, exit, 0);
  EXPECT(mapped.run().reason == vtl::ExitReason::Halt);
}

TEST_CASE("RDRAND and RDSEED come from the seed, and set CF") {
  const auto gear = any_gear();
  uint64_t values[3][2];
  const uint64_t seeds[] = {1, 1, 2};
  for (unsigned i = 0; i < 3; ++i) {
    World world{gear, seeds[i]};
    world.put(kernel_code, {0x48, 0x0f, 0xc7, 0xf0, 0x48, 0x0f, 0xc7, 0xfb, 0xf4});
    EXPECT(world.run().reason == vtl::ExitReason::Halt);
    EXPECT(world.context().rflags == 3);
    EXPECT(world.now.ticks == 2);
    values[i][0] = world.gpr(vtl::Rax);
    values[i][1] = world.gpr(vtl::Rbx);
  }
  EXPECT(values[0][0] == values[1][0]);
  EXPECT(values[0][1] == values[1][1]);
  EXPECT(values[0][0] != values[0][1]);
  EXPECT(values[0][0] != values[2][0]);
}

TEST_CASE("the time stamp counter is the instant plus the VTL's offset") {
  World world{any_gear()};
  world.put(kernel_code, {0x90, 0x0f, 0x31, 0x90, 0x0f, 0x01, 0xf9, 0xf4});
  world.now.ticks = 1000;
  world.context().tsc_offset = 5;
  world.context().tsc_aux = 3;
  EXPECT(world.run(3).reason == vtl::ExitReason::Deadline);
  EXPECT(world.gpr(vtl::Rax) == 1006);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rax) == 1008);
  EXPECT(world.gpr(vtl::Rcx) == 3);
}

TEST_CASE("the processor's own MSRs read back; others are for the machine") {
  World world{any_gear()};
  world.put(kernel_code,
            {0x0f, 0x30, 0x31, 0xc0, 0x0f, 0x32, 0xf4});  // wrmsr; xor eax, eax; rdmsr; hlt
  world.put(handlers, {0xf4});
  world.gate(13, handlers);
  const uint32_t msr = GENERATE(0xc0000082u, 0xc0000100u, 0xc0000101u, 0xc0000102u, 0x277u);
  world.gpr(vtl::Rcx) = msr;
  world.gpr(vtl::Rax) = 0x00070406;
  world.gpr(vtl::Rdx) = 0;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.context().rip == kernel_code + 6);
  EXPECT(world.gpr(vtl::Rax) == 0x00070406);
  world.context().rip = kernel_code;
  world.gpr(vtl::Rcx) = 0x40000000;
  world.gpr(vtl::Rdx) = 0x81;
  const vtl::Exit exit = world.run();
  EXPECT(exit.reason == vtl::ExitReason::MsrWrite);
  EXPECT(exit.msr == 0x40000000);
  EXPECT(exit.value == 0x8100070406);
  EXPECT(exit.instruction_length == 2);
}

TEST_CASE("FS and GS bases are read by instructions and by memory operands") {
  World world{any_gear()};
  world.context().cr4 |= x64::cr4::fsgsbase;
  // wrgsbase rax; mov rbx, gs:[0x10]; rdgsbase rcx; hlt
  world.put(kernel_code, {0xf3, 0x48, 0x0f, 0xae, 0xd8, 0x65, 0x48, 0x8b, 0x1c, 0x25,
                          0x10, 0,    0,    0,    0xf3, 0x48, 0x0f, 0xae, 0xc9, 0xf4});
  world.gpr(vtl::Rax) = kernel_data;
  world.poke<uint64_t>(kernel_data + 0x10, 0xabcdef);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rbx) == 0xabcdef);
  EXPECT(world.gpr(vtl::Rcx) == kernel_data);
}

TEST_CASE("control registers: reserved bits are #GP, CR8 is the task priority") {
  World world{any_gear()};
  world.put(handlers, {0xf4});
  world.gate(13, handlers);
  world.put(kernel_code, {0x44, 0x0f, 0x22, 0xc0, 0x44, 0x0f, 0x20, 0xc3, 0x0f, 0x22,
                          0xe1});  // mov cr8,rax; mov rbx,cr8; mov cr4,rcx
  world.gpr(vtl::Rax) = 5;
  world.gpr(vtl::Rcx) = uint64_t{1} << 40;
  EXPECT(world.run().reason == vtl::ExitReason::Deadline);
  EXPECT(world.now.ticks == 1);
  EXPECT(world.context().tpr == 0x50);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rbx) == 5);
  EXPECT(world.peek(world.context().rsp + 8) == kernel_code + 8);
}

TEST_CASE("descriptor tables load, store, and LTR marks the TSS busy") {
  World world{any_gear()};
  // lidt [rbx]; sidt [rbx+16]; lgdt [rbx+32]; ltr ax; str cx; hlt
  world.put(kernel_code, {0x0f, 0x01, 0x1b, 0x0f, 0x01, 0x4b, 0x10, 0x0f, 0x01, 0x53, 0x20, 0x0f,
                          0x00, 0xd8, 0x0f, 0x00, 0xc9, 0xf4});
  world.gpr(vtl::Rbx) = kernel_data;
  world.gpr(vtl::Rax) = task;
  world.gpr(vtl::Rcx) = 0;
  world.poke<uint16_t>(kernel_data, 0x1234);
  world.poke<uint64_t>(kernel_data + 2, 0xfffff80012345678);
  world.poke<uint16_t>(kernel_data + 32, 0x4f);
  world.poke<uint64_t>(kernel_data + 34, gdt);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.context().idtr.limit == 0x1234);
  EXPECT(world.context().idtr.base == 0xfffff80012345678);
  EXPECT(world.peek<uint64_t>(kernel_data + 18) == 0xfffff80012345678);
  EXPECT(world.context().tr.selector == task);
  EXPECT(world.context().tr.base == tss);
  EXPECT(world.gpr(vtl::Rcx) == task);
  EXPECT((world.peek<uint8_t>(gdt + uint64_t{task} + 5) & 0xf) == 11);
}

TEST_CASE("INVLPG makes a changed mapping visible; before it the old one may be used") {
  World world{any_gear()};
  // mov eax,[rbx]; mov [rdi],rsi; mov ecx,[rbx]; invlpg [rbx]; mov edx,[rbx]; hlt
  world.put(kernel_code,
            {0x8b, 0x03, 0x48, 0x89, 0x37, 0x8b, 0x0b, 0x0f, 0x01, 0x3b, 0x8b, 0x13, 0xf4});
  world.gpr(vtl::Rbx) = 0x150000;
  world.gpr(vtl::Rdi) = world.entry_address(0x150000);
  world.gpr(vtl::Rsi) = 0x151003;
  world.poke<uint32_t>(0x150000, 1);
  world.poke<uint32_t>(0x151000, 2);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rax) == 1);
  EXPECT(world.gpr(vtl::Rcx) == 1);
  EXPECT(world.gpr(vtl::Rdx) == 2);
}

TEST_CASE("accessed and dirty bits are set by the accesses that need them") {
  World world{any_gear()};
  world.put(kernel_code, {0x8b, 0x03, 0x89, 0x07, 0xf4});
  world.gpr(vtl::Rbx) = 0x150000;
  world.gpr(vtl::Rdi) = 0x151000;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek(world.entry_address(0x150000)) == (0x150000 | 0x23));
  EXPECT(world.peek(world.entry_address(0x151000)) == (0x151000 | 0x63));
  EXPECT(world.peek(world.entry_address(kernel_code)) == (kernel_code | 0x23));
  EXPECT(world.peek(world.entry_address(kernel_code + 0x1000)) == (kernel_code + 0x1000 | 3));
}
