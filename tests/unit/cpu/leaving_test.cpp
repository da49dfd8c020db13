// What leaves the engine because somebody asked for it: yields, NMIs, interceptions.
#include "abi/hv/vp_registers.h"
#include "abi/hv/vsm_registers.h"
#include "tests/unit/cpu/drive.h"

using namespace cpu_test;
using abi::hv::CrInterceptControl;
using abi::hv::RegisterName;

namespace {

cpu::Gear any_gear() {
  return GENERATE(cpu::Gear::Exact, cpu::Gear::Fast);
}

struct Frame {
  uint64_t words[6];
};

/// A loop with a PAUSE, two locked instructions and a plain read-modify-write.
GUEST_CODE(spinning, R"(
  mov ebx, 0x140000
again:
  pause
  inc qword ptr [rbx]
  lock inc qword ptr [rbx + 8]
  mov eax, 3
  xchg [rbx + 16], rax
  xchg rax, rcx
  jmp again
)")

}  // namespace

TEST_CASE("a processor that was asked to yields behind PAUSE and behind locked instructions") {
  const auto gear = any_gear();
  const bool pause = GENERATE(false, true), locked = GENERATE(false, true);
  World world{{.gear = gear, .seed = 1, .yield_at_pause = pause, .yield_at_locked = locked}};
  world.put(kernel_code, spinning());
  std::vector<uint64_t> yields;
  while (world.now.ticks < 1 + 7 * 20) {
    const vtl::Exit exit = world.processor->run(world.vp, world.now, {1 + 7 * 20});
    if (exit.reason == vtl::ExitReason::Deadline) continue;
    REQUIRE(exit.reason == vtl::ExitReason::Yield);
    yields.push_back(world.now.ticks);
  }
  std::vector<uint64_t> wanted;
  for (uint64_t round = 0; round < 20; ++round) {
    const uint64_t start = 1 + 7 * round;
    if (pause) wanted.push_back(start + 1);
    if (locked) wanted.push_back(start + 3);
    if (locked) wanted.push_back(start + 5);
  }
  EXPECT(yields == wanted);
  EXPECT(world.peek(kernel_data) == 20);
  EXPECT(world.peek(kernel_data + 8) == 20);
}

TEST_CASE("a locked instruction that faults does not yield") {
  World world{{.gear = any_gear(), .seed = 1, .yield_at_locked = true}};
  world.put(handlers, {0xf4});
  world.gate(14, handlers);
  world.map(0x150000, 0, 0);
  world.put(kernel_code, {0xf0, 0xff, 0x03});  // lock inc dword ptr [rbx]
  world.gpr(vtl::Rbx) = 0x150000;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.now.ticks == 0);
}

TEST_CASE("an NMI is delivered through vector 2 and blocks the next one until IRET") {
  const auto gear = any_gear();
  World world{gear};
  world.put(handlers, {0x48, 0xff, 0xc0, 0x48, 0xcf});  // inc rax; iretq
  world.put(kernel_code, {0x90, 0x90, 0x90, 0xf4});
  world.gate(2, handlers, 3);
  world.context().nmi_pending = true;
  EXPECT(world.run(1).reason == vtl::ExitReason::Deadline);
  EXPECT(world.context().rip == handlers + 3);
  EXPECT(world.context().rsp == interrupt_stack + 3 * 0x1000 - 40);
  EXPECT(world.context().nmi_masked);
  EXPECT(!world.context().nmi_pending);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == kernel_code);

  world.context().nmi_pending = true;
  EXPECT(world.run(1).reason == vtl::ExitReason::Deadline);  // the IRET alone
  EXPECT(!world.context().nmi_masked);
  EXPECT(world.context().nmi_pending);
  EXPECT(world.context().rip == kernel_code);
  EXPECT(world.run(3).reason == vtl::ExitReason::Deadline);
  EXPECT(world.gpr(vtl::Rax) == 2);
  EXPECT(!world.context().nmi_masked);
  EXPECT(!world.context().nmi_pending);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.now.ticks == 7);
}

TEST_CASE("an NMI waits for the instruction behind STI, and comes with interrupts disabled") {
  World world{any_gear()};
  world.put(handlers, {0xf4});
  world.gate(2, handlers);
  world.put(kernel_code, {0xfb, 0x90, 0x90});
  EXPECT(world.run(1).reason == vtl::ExitReason::Deadline);
  REQUIRE(world.context().interrupt_shadow);
  world.context().nmi_pending = true;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.now.ticks == 2);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == kernel_code + 2);

  World closed{any_gear()};
  closed.put(handlers, {0xf4});
  closed.gate(2, handlers);
  closed.put(kernel_code, {0xfa, 0x90});
  closed.context().nmi_pending = true;
  EXPECT(closed.run().reason == vtl::ExitReason::Halt);
  EXPECT(closed.now.ticks == 0);
}

TEST_CASE("an IRET that faults unblocks NMIs too, and its exception comes first") {
  World world{any_gear()};
  world.put(handlers, {0xf4});
  world.put(handlers + 0x40, {0xf4});
  world.gate(13, handlers);
  world.gate(2, handlers + 0x40);
  world.put(kernel_code, {0x48, 0xcf});
  world.context().rsp = kernel_data;  // zeros: a null CS
  world.context().nmi_masked = true;
  world.context().nmi_pending = true;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.context().rip == handlers + 0x40);
  const auto frame = world.peek<Frame>(world.context().rsp);
  EXPECT(frame.words[0] == handlers);
  EXPECT(world.peek<Frame>(frame.words[3]).words[1] == kernel_code);
}

TEST_CASE("intercepted writes of control and table registers leave unperformed, with their value") {
  const auto gear = any_gear();
  struct Case {
    std::vector<uint8_t> code;
    CrInterceptControl control;
    RegisterName name;
    bool memory;
    uint64_t low, high;
  };
  const CrInterceptControl none;
  const Case tried = GENERATE_COPY(
      Case{{0x0f, 0x22, 0xc0}, none.with_cr0_write(true), RegisterName::Cr0, false, 0x80000033, 0},
      Case{{0x0f, 0x06}, none.with_cr0_write(true), RegisterName::Cr0, false, 0x80010033, 0},
      Case{{0x0f, 0x01, 0x33}, none.with_cr0_write(true), RegisterName::Cr0, true, 0x80010033, 0},
      Case{{0x0f, 0x22, 0xe0}, none.with_cr4_write(true), RegisterName::Cr4, false, 0x80000033, 0},
      Case{{0x0f, 0x01, 0x13}, none.with_gdtr_write(true), RegisterName::Gdtr, true,
           uint64_t{0x1233} << 48, 0x1abcdef05678},
      Case{{0x0f, 0x01, 0x1b}, none.with_idtr_write(true), RegisterName::Idtr, true,
           uint64_t{0x1233} << 48, 0x1abcdef05678},
      Case{{0x0f, 0x00, 0xd1}, none.with_ldtr_write(true), RegisterName::Ldtr, false, 0, 0},
      Case{{0x0f, 0x00, 0xda}, none.with_tr_write(true), RegisterName::Tr, false, tss,
           0x67 | uint64_t{task} << 32 | uint64_t{0x8b} << 48});
  World world{gear};
  world.put(kernel_code, {0x90});
  world.put(kernel_code + 1, tried.code);
  world.context().cr0 |= x64::cr0::ts;
  world.gpr(vtl::Rax) = 0x80000033;
  world.gpr(vtl::Rbx) = kernel_data;
  world.gpr(vtl::Rcx) = 0;
  world.gpr(vtl::Rdx) = task;
  world.poke<uint16_t>(kernel_data, 0x1233);
  world.poke<uint64_t>(kernel_data + 2, 0x1abcdef05678);
  world.context().interceptions.registers = tried.control.raw;
  const vtl::VtlContext before = world.context();
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::RegisterAccess);
  EXPECT(exit.register_access.name == static_cast<uint32_t>(tried.name));
  EXPECT(exit.register_access.write);
  EXPECT(exit.register_access.memory_operand == tried.memory);
  EXPECT(exit.register_access.low == tried.low);
  EXPECT(exit.register_access.high == tried.high);
  EXPECT(exit.instruction_length == tried.code.size());
  EXPECT(exit.instruction_bytes[0] == 0x0f);
  EXPECT(world.now.ticks == 1);
  EXPECT(world.context().rip == kernel_code + 1);
  EXPECT(world.context().cr0 == before.cr0);
  EXPECT(world.context().cr4 == before.cr4);
  EXPECT(world.context().gdtr == before.gdtr);
  EXPECT(world.context().idtr == before.idtr);
  EXPECT(world.context().tr == before.tr);

  world.context().interceptions.registers = ~tried.control.raw;  // everything else: it is performed
  if (tried.name == RegisterName::Gdtr || tried.name == RegisterName::Idtr)
    EXPECT(world.run(1).reason == vtl::ExitReason::Deadline);
}

TEST_CASE("a write of CR0, CR4 or MISC_ENABLE that leaves the masked bits as they are is performed") {
  World world{any_gear()};
  world.put(kernel_code, {0x0f, 0x22, 0xc0, 0x0f, 0x22, 0xc1, 0x0f, 0x22, 0xe2, 0x0f, 0x22, 0xe3});
  world.context().interceptions.registers =
      CrInterceptControl{}.with_cr0_write(true).with_cr4_write(true).raw;
  world.context().interceptions.cr0_mask = x64::cr0::wp;
  world.context().interceptions.cr4_mask = x64::cr4::smep;
  world.gpr(vtl::Rax) = world.context().cr0 ^ x64::cr0::am;
  world.gpr(vtl::Rcx) = world.context().cr0 ^ x64::cr0::wp;
  world.gpr(vtl::Rdx) = world.context().cr4 ^ x64::cr4::de;
  world.gpr(vtl::Rbx) = world.context().cr4 ^ x64::cr4::smep;
  vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::RegisterAccess);
  EXPECT(world.now.ticks == 1);
  EXPECT(exit.register_access.low == world.gpr(vtl::Rcx));
  world.processor->retire(world.vp, world.now, exit.instruction_length);
  exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::RegisterAccess);
  EXPECT(world.now.ticks == 3);
  EXPECT(exit.register_access.low == world.gpr(vtl::Rbx));
  EXPECT((world.context().cr4 & x64::cr4::de) != 0);
}

TEST_CASE("intercepted MSRs of the processor's own leave as MSR accesses") {
  const auto gear = any_gear();
  struct Case {
    uint32_t msr;
    bool write;
    CrInterceptControl control;
  };
  const CrInterceptControl none;
  const Case tried = GENERATE_COPY(
      Case{0x1a0, false, none.with_misc_enable_read(true)},
      Case{0x1a0, true, none.with_misc_enable_write(true)},
      Case{0xc0000082, false, none.with_lstar_read(true)},
      Case{0xc0000082, true, none.with_lstar_write(true)},
      Case{0xc0000081, false, none.with_star_read(true)},
      Case{0xc0000081, true, none.with_star_write(true)},
      Case{0xc0000083, false, none.with_cstar_read(true)},
      Case{0xc0000083, true, none.with_cstar_write(true)},
      Case{0xc0000080, false, none.with_efer_read(true)},
      Case{0xc0000080, true, none.with_efer_write(true)},
      Case{0x174, true, none.with_sysenter_cs_write(true)},
      Case{0x175, true, none.with_sysenter_esp_write(true)},
      Case{0x176, true, none.with_sysenter_eip_write(true)},
      Case{0xc0000084, true, none.with_sfmask_write(true)},
      Case{0xc0000103, true, none.with_tsc_aux_write(true)});
  World world{gear};
  world.put(kernel_code, {0x0f, static_cast<uint8_t>(tried.write ? 0x30 : 0x32), 0xf4});
  world.gpr(vtl::Rcx) = tried.msr;
  world.gpr(vtl::Rax) = 0xd00;
  world.gpr(vtl::Rdx) = 0;
  const vtl::VtlContext before = world.context();
  world.context().interceptions.registers = tried.control.raw;
  const vtl::Exit exit = world.run();
  EXPECT(exit.reason == (tried.write ? vtl::ExitReason::MsrWrite : vtl::ExitReason::MsrRead));
  EXPECT(exit.msr == tried.msr);
  EXPECT(exit.value == (tried.write ? 0xd00 : 0));
  EXPECT(exit.instruction_length == 2);
  EXPECT(world.now.ticks == 0);
  EXPECT(world.context().efer == before.efer);
  EXPECT(world.context().lstar == before.lstar);

  world.context().interceptions.registers = ~tried.control.raw;  // all the others: not this one
  if (tried.msr != 0x1a0 || !tried.write) EXPECT(world.run().reason == vtl::ExitReason::Halt);
  if (tried.write && tried.msr == 0x1a0) {  // the mask says which bits count
    world.context().interceptions = {.registers = tried.control.raw, .misc_enable_mask = 1};
    world.context().misc_enable = 0;
    world.gpr(vtl::Rax) = 0;
    EXPECT(world.run().reason == vtl::ExitReason::Halt);
  }
}

TEST_CASE("ring 3 gets its exception before any interception") {
  World world{any_gear()};
  world.put(handlers, {0xf4});
  world.gate(13, handlers);
  world.put(user_code, {0x0f, 0x22, 0xc0});
  world.enter_user_mode();
  world.context().interceptions.registers = ~uint64_t{0};
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
}

TEST_CASE("intercepted exceptions are not delivered") {
  const auto gear = any_gear();
  struct Case {
    std::vector<uint8_t> code;
    uint8_t vector;
    uint32_t error;
    uint64_t parameter, length;
  };
  const Case tried = GENERATE(
      Case{{0xf7, 0xf1}, 0, 0, 0, 2},                    // div ecx
      Case{{0xcc}, 3, 0, 0, 1},                          // int3
      Case{{0x0f, 0x0b}, 6, 0, 0, 2},                    // ud2
      Case{{0x8e, 0xd8}, 13, 0x1234, 0, 2},              // mov ds, ax
      Case{{0x89, 0x03}, 14, 2, 0x150123, 2});           // mov [rbx], eax
  World world{gear};
  world.map(0x150000, 0, 0);
  world.put(kernel_code, {0x90});
  world.put(kernel_code + 1, tried.code);
  world.gpr(vtl::Rax) = 0x1234;
  world.gpr(vtl::Rcx) = 0;
  world.gpr(vtl::Rbx) = 0x150123;
  world.context().interceptions.exceptions = 1u << tried.vector;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.vector == tried.vector);
  EXPECT(exit.exception.error_code == tried.error);
  EXPECT(exit.exception.parameter == tried.parameter);
  EXPECT(exit.exception.has_error_code == x64::pushes_error_code(tried.vector));
  EXPECT(exit.instruction_length == tried.length);
  EXPECT(exit.instruction_bytes[0] == tried.code[0]);
  EXPECT(world.now.ticks == 1);
  EXPECT(world.context().rip == kernel_code + 1);
  EXPECT(world.vp.shared.cr2 == 0);
  EXPECT(world.context().rsp == kernel_stack);

  // Injected by whoever intercepted it, it is delivered.
  world.put(handlers, {0xf4});
  world.gate(tried.vector, handlers);
  EXPECT(world.processor->inject_exception(world.vp, exit.exception));
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.context().rip == handlers);
}

TEST_CASE("an exception that arises while another is delivered is intercepted as well") {
  World world{any_gear()};
  world.put(kernel_code, {0x0f, 0x0b});
  world.poke<uint64_t>(idt + 6 * 16, 0);  // no gate: #GP
  world.context().interceptions.exceptions = 1u << 13;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.vector == 13);
  EXPECT(exit.exception.error_code == 6 * 8 + 2 + 1);
  EXPECT(world.context().rip == kernel_code);
}

TEST_CASE("INT n is no exception: it is not intercepted") {
  World world{any_gear()};
  world.put(handlers, {0xf4});
  world.gate(3, handlers);
  world.put(kernel_code, {0xcd, 0x03});
  world.context().interceptions.exceptions = ~0u;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
}
