// Delivery through the IDT: which vector, which error code, which return address, which stack.
#include <string.h>

#include "tests.h"

using namespace kernel;

namespace {

constexpr std::uint64_t noncanonical = 0x0000'8000'0000'0000;

const char* divide_error() {
  const Caught c = guarded([](void*) { asm volatile("xorl %%edx, %%edx\n\txorl %%ecx, %%ecx\n\tdivl %%ecx" ::: "eax", "ecx", "edx"); });
  EXPECT_THAT(c.happened);
  EXPECT_EQUAL(c.vector, 0);
  EXPECT_EQUAL(c.error_code, 0);
  EXPECT_EQUAL(at<std::uint8_t>(c.rip), 0xF7);  // points at DIV itself
  EXPECT_EQUAL(c.cs, kernel_code);
  return nullptr;
}

const char* breakpoint_is_a_trap() {
  const Caught c = guarded([](void*) { arch::breakpoint(); });
  EXPECT_EQUAL(c.vector, 3);
  EXPECT_EQUAL(at<std::uint8_t>(c.rip - 1), 0xCC);
  return nullptr;
}

const char* invalid_opcode() {
  const Caught c = guarded([](void*) { asm volatile("ud2"); });
  EXPECT_EQUAL(c.vector, 6);
  EXPECT_EQUAL(at<std::uint16_t>(c.rip), 0x0B0F);
  return nullptr;
}

const char* bad_selector_has_its_error_code() {
  const Caught c = guarded([](void*) { arch::write_ds(0x1230); });
  EXPECT_EQUAL(c.vector, 13);
  EXPECT_EQUAL(c.error_code, 0x1230);
  return nullptr;
}

const char* noncanonical_address() {
  const Caught data = guarded([](void*) { (void)load<std::uint64_t>(noncanonical); });
  EXPECT_EQUAL(data.vector, 13);
  EXPECT_EQUAL(data.error_code, 0);
  set_interrupt_stack(12, 2);  // the broken stack cannot take the frame
  const Caught stack = guarded([](void*) {
    asm volatile("movq %%rsp, %%rbx\n\tmovq %0, %%rsp\n\tmovq (%%rsp), %%rax\n\tmovq %%rbx, %%rsp" ::"r"(noncanonical) : "rax", "rbx");
  });
  set_interrupt_stack(12, 0);
  EXPECT_EQUAL(stack.vector, 12);
  EXPECT_EQUAL(stack.error_code, 0);
  return nullptr;
}

const char* reserved_control_bits() {
  EXPECT_EQUAL(guarded([](void*) { arch::write_cr4(arch::read_cr4() | 1u << 30); }).vector, 13);
  EXPECT_EQUAL(guarded([](void*) { arch::write_cr8(16); }).vector, 13);
  EXPECT_EQUAL(guarded([](void*) { arch::write_cr0(arch::read_cr0() & ~1ull); }).vector, 13);
  EXPECT_EQUAL(guarded([](void*) { (void)arch::read_msr(0x12345678); }).vector, 13);
  return nullptr;
}

const char* software_interrupts() {
  set_gate_privilege(0x31, 0);
  const Caught c = guarded([](void*) { asm volatile("int $0x31"); });
  EXPECT_EQUAL(c.vector, 0x31);
  EXPECT_EQUAL(at<std::uint16_t>(c.rip - 2), 0x31CD);
  return nullptr;
}

const char* single_step() {
  const Caught c = guarded([](void*) {
    asm volatile("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tud2" ::: "cc", "memory");
  });
  EXPECT_EQUAL(c.vector, 1);
  EXPECT_EQUAL(at<std::uint8_t>(c.rip - 1), 0x90);  // after the instruction that follows POPF
  EXPECT_THAT((arch::read_dr6() & 1u << 14) != 0);
  arch::write_dr6(0xFFFF0FF0);
  return nullptr;
}

const char* debug_registers() {
  arch::write_dr0(0x1122334455667788);
  arch::write_dr3(0x8877665544332211);
  EXPECT_EQUAL(arch::read_dr0(), 0x1122334455667788);
  EXPECT_EQUAL(arch::read_dr3(), 0x8877665544332211);
  EXPECT_EQUAL(arch::read_dr7(), 0x400);
  EXPECT_EQUAL(guarded([](void*) { arch::write_dr7(1ull << 32); }).vector, 13);
  // DR7.GD makes the next access a #DB, and clears itself for the handler.
  const Caught c = guarded([](void*) {
    arch::write_dr7(0x2400);
    (void)arch::read_dr0();
  });
  EXPECT_EQUAL(c.vector, 1);
  EXPECT_EQUAL(arch::read_dr7(), 0x400);
  arch::write_dr6(0xFFFF0FF0);
  return nullptr;
}

const char* handler_runs_on_the_interrupt_stack() {
  set_interrupt_stack(6, 3);
  const Caught with = guarded([](void*) { asm volatile("ud2"); });
  set_interrupt_stack(6, 0);
  const Caught without = guarded([](void*) { asm volatile("ud2"); });
  EXPECT_THAT(on_interrupt_stack(3, with.handler_rsp));
  EXPECT_THAT(!on_interrupt_stack(3, without.handler_rsp));
  EXPECT_THAT(without.handler_rsp < without.rsp && without.rsp - without.handler_rsp < 400);
  return nullptr;
}

const char* missing_gate() {
  // A benign exception whose gate is missing: #NP with the gate's index, IDT and EXT set (SDM vol. 3, 6.13).
  set_gate_present(6, false);
  const Caught benign = guarded([](void*) { asm volatile("ud2"); });
  set_gate_present(6, true);
  EXPECT_EQUAL(benign.vector, 11);
  EXPECT_EQUAL(benign.error_code, (6 << 3) | 2 | 1);
  return nullptr;
}

const char* double_fault() {
  // A contributory exception during the delivery of another one (SDM vol. 3, table 6-5), on a stack of its own.
  set_gate_present(0, false);
  set_interrupt_stack(8, 1);
  const Caught c = guarded([](void*) { asm volatile("xorl %%edx, %%edx\n\txorl %%ecx, %%ecx\n\tdivl %%ecx" ::: "eax", "ecx", "edx"); });
  set_gate_present(0, true);
  set_interrupt_stack(8, 0);
  EXPECT_EQUAL(c.vector, 8);
  EXPECT_EQUAL(c.error_code, 0);
  EXPECT_THAT(on_interrupt_stack(1, c.handler_rsp));
  return nullptr;
}

constexpr Test tests[] = {
    {"#DE points at the instruction and has no error code", divide_error},
    {"#BP points behind the instruction", breakpoint_is_a_trap},
    {"#UD points at the instruction", invalid_opcode},
    {"#GP of a bad selector carries it", bad_selector_has_its_error_code},
    {"a non-canonical address is #GP(0), on the stack #SS(0)", noncanonical_address},
    {"reserved bits of control registers and unknown MSRs are #GP", reserved_control_bits},
    {"INT n takes its gate", software_interrupts},
    {"the trap flag steps one instruction", single_step},
    {"debug registers keep their values, and DR7.GD guards them", debug_registers},
    {"a gate with IST switches to that stack", handler_runs_on_the_interrupt_stack},
    {"a gate that is not present is #NP with the gate's index", missing_gate},
    {"a fault in the delivery of a fault is #DF on its own stack", double_fault},
};

}  // namespace

std::span<const Test> exception_tests() { return tests; }
