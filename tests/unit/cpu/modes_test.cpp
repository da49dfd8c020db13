// From real mode to long mode and back, with interrupts and page faults in each mode, in both gears.
#include "tests/unit/cpu/drive.h"

using namespace cpu_test;

namespace {

cpu::Gear any_gear() {
  return GENERATE(cpu::Gear::Exact, cpu::Gear::Fast);
}

enum LegacySelector : uint16_t {
  code_16 = 0x58,
  data_16 = 0x60,
  code_32 = 0x68,
  user_code_32 = 0x1b,
  task_32 = 0x70,
  task_gate = 0x78,
};
constexpr uint64_t task_state = 0x1a000, directory = 0x1b000, pointers = 0x1c000, trampoline = 0x20000;

/// World with descriptors of 16 and 32-bit segments.
class ModesWorld : public World {
 public:
  explicit ModesWorld(cpu::Gear gear) : World{gear} {
    poke<uint64_t>(gdt + uint16_t{code_16}, 0x00009b000000ffff);
    poke<uint64_t>(gdt + uint16_t{data_16}, 0x000093000000ffff);
    poke<uint64_t>(gdt + uint16_t{code_32}, 0x00cf9b000000ffff);
    poke<uint64_t>(gdt + uint16_t{task_32}, 0x0000890000000067 | task_state << 16);
    poke<uint64_t>(gdt + uint16_t{task_gate}, 0x0000850000000000 | uint64_t{task_32} << 16);
    poke<uint32_t>(task_state + 4, static_cast<uint32_t>(kernel_stack));
    poke<uint16_t>(task_state + 8, kernel_ss);
    poke<uint16_t>(task_state + 0x66, 0x68);
    context().gdtr.limit = 0x7f;
  }

  /// As after SIPI with this vector.
  void enter_real_mode(uint8_t vector) {
    vtl::VtlContext& c = context();
    c.cr0 = 0x60000010;
    c.cr3 = c.cr4 = c.efer = 0;
    c.segments.fill({0, 0xffff, 0, 0x93});
    c.segments[vtl::Cs] = {uint64_t{vector} << 12, 0xffff, static_cast<uint16_t>(vector << 8), 0x9b};
    c.gdtr = {0, 0xffff};
    c.idtr = {0, 0x3ff};
    c.tr = {0, 0xffff, 0, 0x8b};
    c.ldtr = {0, 0xffff, 0, 0x82};
    c.rip = 0;
    c.rsp = 0;
  }

  void enter_protected_mode(uint64_t cr0 = 0x10011) {
    vtl::VtlContext& c = context();
    c.cr0 = cr0;
    c.cr4 = c.efer = 0;
    c.segments.fill({0, ~0u, kernel_ss, 0xc093});
    c.segments[vtl::Cs] = {0, ~0u, code_32, 0xc09b};
    c.tr = {task_state, 0x67, task_32, 0x8b};
    c.idtr = {idt, 0x7ff};
  }
  void page_with_32_bits() {
    poke<uint32_t>(directory, 0x87);                  // 4 MiB for everybody
    poke<uint32_t>(directory + 4, static_cast<uint32_t>(0x1d007));
    poke<uint32_t>(0x1d000 + 4 * 3, 0x140007);        // 0x403000
    context().cr4 = x64::cr4::pse;
    context().cr3 = directory;
    context().cr0 |= x64::cr0::pg | x64::cr0::wp;
  }
  void enter_ring_3(uint64_t rip) {
    context().segments.fill({0, ~0u, user_ss, 0xc0f3});
    context().segments[vtl::Cs] = {0, ~0u, user_code_32, 0xc0fb};
    context().rip = rip;
    context().rsp = user_stack;
  }
  /// Type 14, 15: 32-bit interrupt and trap gates; 6, 7: 16-bit; 5: task gate.
  void gate_32(unsigned vector, uint64_t handler, unsigned type = 14, unsigned dpl = 0,
               uint16_t selector = code_32) {
    poke<uint64_t>(idt + vector * 8, (handler & 0xffff) | uint64_t{selector} << 16 |
                                         uint64_t{type} << 40 | uint64_t{dpl} << 45 |
                                         uint64_t{1} << 47 | (handler >> 16 & 0xffff) << 48);
  }
  std::vector<uint32_t> stack_32(size_t words) {
    std::vector<uint32_t> result;
    for (size_t i = 0; i < words; ++i)
      result.push_back(peek<uint32_t>(context().segments[vtl::Ss].base + context().rsp + 4 * i));
    return result;
  }
};

/// What every operating system's start of another processor does.
GUEST_CODE(start_up, R"(
  .code16
  cli
  mov ax, cs
  mov ds, ax
  .byte 0x66, 0x0f, 0x01, 0x16, 0x00, 0x0f      # lgdt [0xf00], 32-bit base
  mov eax, cr0
  or al, 1
  mov cr0, eax
  .byte 0x66, 0xea
  .long 0x20000 + start_up_32 - start_up_begin
  .word 0x68
  .code32
start_up_32:
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, 0x1f0000
  push 0x12345678
  pop ebx
  mov eax, cr4
  or eax, 0x20
  mov cr4, eax
  mov eax, 0x1000
  mov cr3, eax
  mov ecx, 0xc0000080
  rdmsr
  or eax, 0x100
  wrmsr
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  inc esi                                       # still 32-bit code
  .byte 0xea
  .long 0x20000 + start_up_64 - start_up_begin
  .word 0x08
  .code64
start_up_64:
  movabs rdi, 0x1122334455667788
  inc rsi
  hlt
)")

/// Out of long mode: compatibility mode, paging off, protection off, real mode.
GUEST_CODE(shut_down, R"(
  .byte 0xff, 0x2d
  .long shut_down_target - 1f
1:
shut_down_target:
  .long 0x100000 + shut_down_32 - shut_down_begin
  .word 0x68
  .code32
shut_down_32:
  mov eax, cr0
  and eax, 0x7fffffff
  mov cr0, eax
  mov ecx, 0xc0000080
  rdmsr
  and eax, 0xfffffeff
  wrmsr
  .byte 0xea, 0, 0, 0, 0, 0x58, 0x00            # a segment that begins at 0x20000
  .code64
)")
GUEST_CODE(to_real_mode, R"(
  .code16
  mov ax, 0x60
  mov ds, ax
  mov ss, ax
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  .byte 0xea, 0x00, 0x01, 0x00, 0x20            # ljmp 0x2000:0x100
  .code64
)")

}  // namespace

TEST_CASE("a processor starts in real mode at the page of its SIPI and reaches long mode") {
  ModesWorld world{any_gear()};
  world.enter_real_mode(0x20);
  world.put(trampoline, start_up());
  world.poke<uint16_t>(trampoline + 0xf00, 0x7f);
  world.poke<uint32_t>(trampoline + 0xf02, gdt);
  world.gpr(vtl::Rsi) = 0;
  REQUIRE(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rdi) == 0x1122334455667788);
  EXPECT(world.gpr(vtl::Rbx) == 0x12345678);
  EXPECT(world.gpr(vtl::Rsi) == 2);
  EXPECT(world.context().efer == 0x500);
  EXPECT(world.context().cr0 == (0x60000011 | x64::cr0::pg));
  EXPECT(world.context().segments[vtl::Cs] == vtl::Segment{0, ~0u, 0x08, 0xa09b});
  EXPECT(world.context().gdtr == vtl::DescriptorTable{gdt, 0x7f});
  EXPECT(world.now.ticks == 31);
}

TEST_CASE("long mode is left through compatibility mode, down to real mode") {
  ModesWorld world{any_gear()};
  world.put(kernel_code, shut_down());
  world.put(trampoline, to_real_mode());
  world.poke<uint64_t>(gdt + uint16_t{code_16}, 0x00009b020000ffff);
  world.put(trampoline + 0x100, {0x8c, 0xc8, 0xf4});  // mov ax, cs; hlt
  REQUIRE(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.context().cr0 == 0x10032);
  EXPECT((world.context().efer & (x64::efer::lma | x64::efer::lme)) == 0);
  EXPECT(world.context().segments[vtl::Cs].base == 0x20000);
  EXPECT((world.gpr(vtl::Rax) & 0xffff) == 0x2000);
}

TEST_CASE("real mode takes interrupts and exceptions through its vector table") {
  ModesWorld world{any_gear()};
  world.enter_real_mode(0x20);
  world.context().rsp = 0x1000;
  world.context().rflags = 0x202;
  world.poke<uint32_t>(4 * 0x21, 0x30000010);  // 3000:0010
  world.poke<uint32_t>(0, 0x30000020);
  world.put(0x30010, {0x43, 0xcf});              // inc bx; iret
  world.put(0x30020, {0xf4});                    // hlt
  world.put(trampoline, {0xcd, 0x21, 0x31, 0xc9, 0xf7, 0xf1});  // int 0x21; xor cx, cx; div cx
  world.gpr(vtl::Rbx) = 0;
  REQUIRE(world.run().reason == vtl::ExitReason::Halt);
  EXPECT((world.gpr(vtl::Rbx) & 0xffff) == 1);
  EXPECT(world.context().segments[vtl::Cs].base == 0x30000);
  EXPECT(world.context().rip == 0x20);
  EXPECT(world.context().rsp == 0xffa);
  EXPECT(world.peek<uint16_t>(0xffa) == 4);
  EXPECT(world.peek<uint16_t>(0xffc) == 0x2000);
  EXPECT((world.peek<uint16_t>(0xffe) & 0x200) != 0);
  EXPECT((world.context().rflags & 0x200) == 0);
  EXPECT(world.now.ticks == 4);
  world.context().idtr.limit = 0;
  world.context().rip = 4;
  world.context().segments[vtl::Cs] = {0x20000, 0xffff, 0x2000, 0x9b};
  EXPECT(world.run().reason == vtl::ExitReason::TripleFault);
}

TEST_CASE("protected mode: an interrupt from ring 3 changes to the stack of the 32-bit TSS") {
  ModesWorld world{any_gear()};
  world.enter_protected_mode();
  const bool paged = GENERATE(false, true);
  if (paged) world.page_with_32_bits();
  world.enter_ring_3(user_code);
  world.gate_32(0x80, handlers, 14, 3);
  world.put(handlers, {0x43, 0xcf});                   // inc ebx; iretd
  world.put(user_code, {0xcd, 0x80, 0xcd, 0x80, 0xf4});  // hlt in ring 3: #GP
  world.gate_32(13, handlers + 0x40);
  world.put(handlers + 0x40, {0xf4});
  world.context().rflags = 0x202;
  world.gpr(vtl::Rbx) = 0;
  REQUIRE(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rbx) == 2);
  EXPECT(world.vp.cpl() == 0);
  EXPECT(world.context().rip == handlers + 0x40);
  EXPECT(world.context().segments[vtl::Ss] == vtl::Segment{0, ~0u, kernel_ss, 0xc093});
  EXPECT(world.context().rsp == kernel_stack - 24);
  EXPECT(world.stack_32(6) == std::vector<uint32_t>{0, user_code + 4, user_code_32,
                                                     0x202 | static_cast<uint32_t>(x64::rflags::rf),
                                                     user_stack, user_ss});
  EXPECT(world.now.ticks == 6);
}

TEST_CASE("protected mode: the size of a gate is that of its frame, and traps leave IF alone") {
  const auto gear = any_gear();
  struct Case {
    unsigned type, bytes;
    bool clears;
  };
  const Case tried = GENERATE(Case{14, 12, true}, Case{15, 12, false}, Case{6, 6, true}, Case{7, 6, false});
  ModesWorld world{gear};
  world.enter_protected_mode();
  world.gate_32(0x30, handlers, tried.type);
  world.put(handlers, {0xf4});
  world.put(kernel_code, {0xcd, 0x30});
  world.context().rip = kernel_code;
  world.context().rflags = 0x202;
  REQUIRE(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.context().rip == handlers);
  EXPECT(world.context().rsp == kernel_stack - tried.bytes);
  EXPECT((world.context().rflags & 0x200) == (tried.clears ? 0 : 0x200));
  if (tried.bytes == 12)
    EXPECT(world.stack_32(3) == std::vector<uint32_t>{kernel_code + 2, code_32, 0x202});
  else
    EXPECT(world.stack_32(1) == std::vector<uint32_t>{(kernel_code + 2) & 0xffff | uint32_t{code_32} << 16});
}

TEST_CASE("protected mode: every way in which a gate can be wrong has its exception") {
  const auto gear = any_gear();
  struct Case {
    const char* what;
    void (*spoil)(ModesWorld&);
    uint8_t vector;
    uint32_t error;
  };
  const Case tried = GENERATE(
      Case{"beyond the limit", [](ModesWorld& w) { w.context().idtr.limit = 0x30 * 8 + 6; }, 13, 0x182},
      Case{"a task gate", [](ModesWorld& w) { w.gate_32(0x30, 0, 5, 3, task_32); }, 13, 0x182},
      Case{"not present", [](ModesWorld& w) { w.poke<uint8_t>(idt + 0x30 * 8 + 5, 0x6e); }, 11, 0x182},
      Case{"not for ring 3", [](ModesWorld& w) { w.gate_32(0x30, handlers); }, 13, 0x182},
      Case{"a null selector", [](ModesWorld& w) { w.gate_32(0x30, handlers, 14, 3, 3); }, 13, 0},
      Case{"a data segment", [](ModesWorld& w) { w.gate_32(0x30, handlers, 14, 3, 0x10); }, 13, 0x10},
      Case{"a selector beyond the table", [](ModesWorld& w) { w.gate_32(0x30, handlers, 14, 3, 0x100); }, 13, 0x100},
      Case{"a segment that is not present",
           [](ModesWorld& w) { w.poke<uint64_t>(gdt + 0x20, 0x00cf1b000000ffff); w.gate_32(0x30, handlers, 14, 3, 0x20); },
           11, 0x20},
      Case{"a TSS that is too short", [](ModesWorld& w) { w.context().tr.limit = 8; }, 10, task_32},
      Case{"a null stack segment", [](ModesWorld& w) { w.poke<uint16_t>(task_state + 8, 0); }, 10, 0},
      Case{"a stack segment of another ring",
           [](ModesWorld& w) { w.poke<uint16_t>(task_state + 8, user_ss); }, 10, 0x28},
      Case{"a stack segment that is code", [](ModesWorld& w) { w.poke<uint16_t>(task_state + 8, code_32); }, 10, code_32},
      Case{"a stack segment that is not present",
           [](ModesWorld& w) { w.poke<uint64_t>(gdt + 0x20, 0x00cf13000000ffff); w.poke<uint16_t>(task_state + 8, 0x20); },
           12, 0x20},
      Case{"a stack beyond its limit",
           [](ModesWorld& w) { w.poke<uint64_t>(gdt + 0x20, 0x004093000000ffff); w.poke<uint16_t>(task_state + 8, 0x20); },
           12, 0x20});
  CAPTURE(tried.what);
  ModesWorld world{gear};
  world.enter_protected_mode();
  world.enter_ring_3(user_code);
  world.put(user_code, {0x90, 0xcd, 0x30});
  world.gate_32(0x30, handlers, 14, 3);
  tried.spoil(world);
  world.context().interceptions.exceptions = 1u << tried.vector;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.vector == tried.vector);
  EXPECT(exit.exception.error_code == tried.error);
  EXPECT(world.context().rip == user_code + 1);
  EXPECT(world.vp.cpl() == 3);
  EXPECT(world.now.ticks == 1);
}

TEST_CASE("32-bit paging: page faults with their addresses, A and D bits, and a handler that maps") {
  ModesWorld world{any_gear()};
  world.enter_protected_mode();
  world.page_with_32_bits();
  world.context().rip = kernel_code;
  world.gate_32(14, handlers);
  // mov eax, cr2; shr eax, 12; mov [0x1d000 + eax * 4 - 0x1000], 0x141007; add esp, 4; iretd
  world.put(handlers, {0x0f, 0x20, 0xd0, 0xc1, 0xe8, 0x0c, 0xc7, 0x04, 0x85, 0x00, 0xc0, 0x01, 0x00,
                       0x07, 0x10, 0x14, 0x00, 0x83, 0xc4, 0x04, 0xcf});
  world.put(kernel_code, {0xc7, 0x05, 0x10, 0x30, 0x40, 0x00, 0x78, 0x56, 0x34, 0x12,   // mov [0x403010], ..
                          0xa1, 0x20, 0x50, 0x40, 0x00,                                  // mov eax, [0x405020]
                          0xf4});
  world.poke<uint32_t>(0x141020, 0xabcd);
  REQUIRE(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek<uint32_t>(0x140010) == 0x12345678);
  EXPECT(world.gpr(vtl::Rax) == 0xabcd);
  EXPECT(world.vp.shared.cr2 == 0x405020);
  EXPECT(world.peek<uint32_t>(0x1d000 + 4 * 3) == 0x140067);
  EXPECT(world.peek<uint32_t>(0x1d000 + 4 * 5) == 0x141027);
}

TEST_CASE("PAE paging uses the pointers that MOV CR3 loaded, and refuses bad ones") {
  ModesWorld world{any_gear()};
  world.enter_protected_mode();
  for (unsigned i = 0; i < 4; ++i)
    world.poke<uint64_t>(pointers + 8 * i, 0);
  world.poke<uint64_t>(pointers, 0x1e001);
  world.poke<uint64_t>(0x1e000, 0x87);                      // 2 MiB
  world.poke<uint64_t>(0x1e008, 0x200087);
  world.context().cr3 = pointers;
  world.context().rip = kernel_code;
  world.gpr(vtl::Rax) = 0x20;
  world.gpr(vtl::Rbx) = world.context().cr0 | x64::cr0::pg;
  world.gpr(vtl::Rcx) = pointers;
  world.gpr(vtl::Rdx) = pointers + 0x20;
  // mov cr4, eax; mov cr0, ebx; mov [pointers], 0; mov esi, [0x200000]; mov cr3, edx
  world.put(kernel_code, {0x0f, 0x22, 0xe0, 0x0f, 0x22, 0xc3, 0xc7, 0x05, 0x00, 0xc0, 0x01, 0x00, 0, 0, 0, 0,
                          0x8b, 0x35, 0x00, 0x00, 0x20, 0x00, 0x0f, 0x22, 0xda});
  world.poke<uint64_t>(pointers + 0x20, 0x1e003);           // R/W is reserved here
  world.poke<uint32_t>(user_code, 0x4711);
  world.context().interceptions.exceptions = 1u << 13;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.vector == 13);
  EXPECT(world.now.ticks == 4);
  EXPECT(world.gpr(vtl::Rsi) == 0x4711);
  EXPECT(world.context().cr3 == pointers);
  EXPECT(world.context().pdpte == std::array<uint64_t, 4>{0x1e001, 0, 0, 0});
}

TEST_CASE("SYSENTER and SYSEXIT in 32-bit and in 64-bit code") {
  const auto gear = any_gear();
  const bool wide = GENERATE(false, true);
  ModesWorld world{gear};
  if (!wide) world.enter_protected_mode();
  vtl::VtlContext& c = world.context();
  c.sysenter_cs = 0x08;
  c.sysenter_esp = kernel_stack;
  c.sysenter_eip = handlers;
  if (wide)
    world.enter_user_mode();
  else
    world.enter_ring_3(user_code);
  c.rflags = 0x202;
  world.gpr(vtl::Rdx) = user_code + 4;
  world.gpr(vtl::Rcx) = user_stack - 8;
  world.put(user_code, {0x90, 0x90, 0x0f, 0x34, 0x0f, 0xa2});
  if (wide)
    world.put(handlers, {0x43, 0xff, 0xc3, 0x48, 0x0f, 0x35});
  else
    world.put(handlers, {0x90, 0x43, 0x0f, 0x35});
  EXPECT(world.run(3).reason == vtl::ExitReason::Deadline);
  EXPECT(c.rip == handlers);
  EXPECT(c.rsp == kernel_stack);
  EXPECT(c.rflags == 2);
  EXPECT(world.vp.cpl() == 0);
  EXPECT(c.segments[vtl::Cs] == vtl::Segment{0, ~0u, 0x08, static_cast<uint16_t>(wide ? 0xa09b : 0xc09b)});
  EXPECT(c.segments[vtl::Ss] == vtl::Segment{0, ~0u, 0x10, 0xc093});
  EXPECT(world.run().reason == vtl::ExitReason::Cpuid);
  EXPECT(c.rip == user_code + 4);
  EXPECT(c.rsp == user_stack - 8);
  EXPECT(world.vp.cpl() == 3);
  EXPECT(c.segments[vtl::Cs].selector == (wide ? 0x2b : 0x1b));
  EXPECT(c.segments[vtl::Cs].attributes == (wide ? 0xa0fb : 0xc0fb));
  EXPECT(c.segments[vtl::Ss].selector == (wide ? 0x33 : 0x23));
}

TEST_CASE("SYSENTER without a code segment and SYSEXIT in ring 3 are #GP") {
  const auto gear = any_gear();
  const uint8_t opcode = GENERATE(uint8_t{0x34}, uint8_t{0x35});
  World world{gear};
  world.put(user_code, {0x0f, opcode});
  world.enter_user_mode();
  world.context().sysenter_cs = opcode == 0x35 ? 8 : 0;
  world.context().interceptions.exceptions = 1u << 13;
  EXPECT(world.run().reason == vtl::ExitReason::Exception);
  EXPECT(world.context().rip == user_code);
}

TEST_CASE("virtual-8086 mode: interrupts go to ring 0 with all segments on the stack") {
  ModesWorld world{any_gear()};
  world.enter_protected_mode();
  world.gate_32(0x21, handlers, 14, 3);
  world.gate_32(13, handlers + 0x40);
  world.put(handlers, {0x43, 0xcf});  // inc ebx; iretd
  world.put(handlers + 0x40, {0xf4});
  // The frame of IRET: EIP, CS, EFLAGS with VM and IOPL 3, ESP, SS, ES, DS, FS, GS.
  const uint32_t frame[] = {0x10, 0x2000, 0x23202, 0x100, 0x3000, 0x2400, 0x2500, 0x2600, 0x2700};
  world.context().rsp = kernel_stack - sizeof frame;
  for (size_t i = 0; i < std::size(frame); ++i)
    world.poke<uint32_t>(kernel_stack - sizeof frame + 4 * i, frame[i]);
  world.put(kernel_code, {0xcf});
  world.context().rip = kernel_code;
  // int 0x21; mov ax, ds; push ax; hlt
  world.put(trampoline + 0x10, {0xcd, 0x21, 0x8c, 0xd8, 0x50, 0xf4});
  world.gpr(vtl::Rbx) = 0;
  EXPECT(world.run(1).reason == vtl::ExitReason::Deadline);
  EXPECT((world.context().rflags & x64::rflags::vm) != 0);
  EXPECT(world.vp.cpl() == 3);
  EXPECT(world.run(1).reason == vtl::ExitReason::Deadline);
  EXPECT(world.context().rip == handlers);
  EXPECT(world.context().rsp == kernel_stack - 36);
  EXPECT(world.stack_32(9) == std::vector<uint32_t>{0x12, 0x2000, 0x23202, 0x100, 0x3000, 0x2400, 0x2500,
                                                     0x2600, 0x2700});
  EXPECT(world.context().segments[vtl::Ds] == vtl::Segment{});
  REQUIRE(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rbx) == 1);
  EXPECT(world.peek<uint16_t>(0x300fe) == 0x2500);
  EXPECT(world.context().rip == handlers + 0x40);  // HLT: #GP
  EXPECT(world.stack_32(2) == std::vector<uint32_t>{0, 0x15});
  EXPECT(world.now.ticks == 6);
}

TEST_CASE("virtual-8086 mode: INT n needs IOPL 3, INT3 does not") {
  const auto gear = any_gear();
  const bool breakpoint = GENERATE(false, true);
  ModesWorld world{gear};
  world.enter_protected_mode();
  world.context().segments.fill({0x20000, 0xffff, 0x2000, 0xf3});
  world.context().rflags = 0x20202;
  world.context().rip = 0x10;
  world.context().rsp = 0x100;
  world.gate_32(3, handlers, 14, 3);
  if (breakpoint)
    world.put(trampoline + 0x10, {0xcc});
  else
    world.put(trampoline + 0x10, {0xcd, 0x03});
  world.put(handlers, {0xf4});
  world.context().interceptions.exceptions = 1u << 13;
  EXPECT(world.run().reason == (breakpoint ? vtl::ExitReason::Halt : vtl::ExitReason::Exception));
}

TEST_CASE("hardware task switches are not implemented: a task is no place to jump to or return to") {
  const auto gear = any_gear();
  struct Case {
    std::vector<uint8_t> code;
    uint64_t flags;
    uint32_t error;
  };
  const Case tried = GENERATE(Case{{0xea, 0, 0, 0, 0, task_32, 0}, 2, task_32},
                              Case{{0x9a, 0, 0, 0, 0, task_32, 0}, 2, task_32},
                              Case{{0xea, 0, 0, 0, 0, task_gate, 0}, 2, task_gate},
                              Case{{0xff, 0x2b}, 2, task_32},  // ljmp [ebx]
                              Case{{0xcf}, 2 | x64::rflags::nt, 0});
  ModesWorld world{gear};
  world.enter_protected_mode();
  world.put(kernel_code, tried.code);
  world.context().rip = kernel_code;
  world.context().rflags = tried.flags;
  world.gpr(vtl::Rbx) = kernel_data;
  world.poke<uint64_t>(kernel_data, uint64_t{task_32} << 32);
  world.context().interceptions.exceptions = 1u << 13;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.error_code == tried.error);
  EXPECT(world.context().rip == kernel_code);
  EXPECT(world.context().cr3 == pml4);
}

TEST_CASE("CR0, CR4 and EFER refuse what no mode has") {
  const auto gear = any_gear();
  struct Case {
    unsigned cr;
    uint64_t value;
    bool refused;
  };
  const uint64_t cr0_now = 0x80010033, cr4_now = 0x6a0;
  const Case tried = GENERATE_COPY(
      Case{0, cr0_now & ~x64::cr0::pe, true},             // PG without PE
      Case{0, cr0_now & ~x64::cr0::pg, true},             // in 64-bit code
      Case{0, cr0_now | x64::cr0::nw, true},              // NW without CD
      Case{0, cr0_now | uint64_t{1} << 32, true},
      Case{0, cr0_now | x64::cr0::nw | x64::cr0::cd, false},
      Case{4, cr4_now & ~x64::cr4::pae, true},
      Case{4, cr4_now | x64::cr4::vme, true},
      Case{4, cr4_now | x64::cr4::pvi, true},
      Case{4, cr4_now | x64::cr4::vmxe, true},
      Case{4, cr4_now | x64::cr4::la57, true},            // not while in long mode
      Case{4, cr4_now | uint64_t{1} << 23, true},         // CET
      Case{4, cr4_now | x64::cr4::pcide, false},
      Case{4, cr4_now | x64::cr4::smep | x64::cr4::smap | x64::cr4::umip | x64::cr4::fsgsbase, false});
  World world{gear};
  world.put(kernel_code, {0x0f, 0x22, static_cast<uint8_t>(0xc0 + 8 * tried.cr)});
  world.gpr(vtl::Rax) = tried.value;
  world.context().interceptions.exceptions = 1u << 13;
  EXPECT(world.run(1).reason == (tried.refused ? vtl::ExitReason::Exception : vtl::ExitReason::Deadline));
  if (!tried.refused)
    EXPECT((tried.cr == 0 ? world.context().cr0 : world.context().cr4) == tried.value);
}

TEST_CASE("five-level paging: code, data, stack and exceptions at addresses of 57 bits") {
  ModesWorld world{any_gear()};
  constexpr uint64_t high = uint64_t{0x5a} << 48, pml5 = 0x1f000;  // an address that needs 56 bits
  for (const uint64_t index : {uint64_t{0}, uint64_t{0x5a}})
    world.poke<uint64_t>(pml5 + 8 * index, pml4 | 7);
  world.context().cr3 = pml5;
  world.context().cr4 |= x64::cr4::la57;
  world.context().idtr.base = high + idt;
  world.context().gdtr.base = high + gdt;
  world.context().tr.base = high + tss;
  world.context().rip = high + kernel_code;
  world.context().rsp = high + kernel_stack;
  world.gpr(vtl::Rbx) = high + kernel_data;
  // mov rax, [rbx]; push rax; pop rcx; call +0; pop rdx; int 0x30; mov [rbx + 8], rcx; lea rsi, [rip]; hlt
  world.put(kernel_code, {0x48, 0x8b, 0x03, 0x50, 0x59, 0xe8, 0, 0, 0, 0, 0x5a, 0xcd, 0x30, 0x48, 0x89, 0x4b, 0x08,
                          0x48, 0x8d, 0x35, 0, 0, 0, 0, 0xf4});
  world.put(handlers, {0x48, 0xff, 0xc7, 0x48, 0xcf});  // inc rdi; iretq
  world.gate(0x30, high + handlers);
  world.gpr(vtl::Rdi) = 0;
  world.poke<uint64_t>(kernel_data, 0x1234);
  REQUIRE(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek(kernel_data + 8) == 0x1234);
  EXPECT(world.gpr(vtl::Rdx) == high + kernel_code + 10);
  EXPECT(world.gpr(vtl::Rsi) == high + kernel_code + 24);
  EXPECT(world.gpr(vtl::Rdi) == 1);
  EXPECT(world.context().rsp == high + kernel_stack);
  world.context().rip = high + kernel_code;
  world.gpr(vtl::Rbx) = uint64_t{0x15a} << 48;  // bits 56 and 57 differ
  world.context().interceptions.exceptions = 1u << 13;
  EXPECT(world.run().reason == vtl::ExitReason::Exception);
}
