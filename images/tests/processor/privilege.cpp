// CPL 3 and the ways out of it.
#include <string.h>

#include "tests.h"

using namespace kernel;

namespace {

constexpr std::uint64_t user_cs = user_code | 3, user_ss = user_data | 3;
constexpr std::uint16_t cmos_port = 0x71;

UserResult run(UserCode code, std::uint64_t rdi = 0) { return run_in_user_mode(code.start, code.size, rdi); }

const char* system_call() {
  const UserResult r = run(system_call_code());
  EXPECT_EQUAL(r.vector, system_call_vector);
  EXPECT_EQUAL(r.rax, 0x1234);
  EXPECT_EQUAL(r.rip, user_code_page() + system_call_code().size);
  EXPECT_EQUAL(r.cs, kernel_code);
  EXPECT_EQUAL(r.ss, kernel_data);
  EXPECT_EQUAL(r.rsp, user_stack_page() + 4096);  // SYSCALL leaves RSP alone
  EXPECT_THAT((r.rflags & 0x200) != 0);           // the caller's, in R11
  return nullptr;
}

const char* system_call_masks_flags() {
  // SFMASK clears IF; what is left of RFLAGS is read by the next guarded call's frame.
  (void)run(system_call_code());
  EXPECT_THAT((arch::read_flags() & 0x200) == 0);
  return nullptr;
}

const char* privileged_instructions() {
  for (const UserCode& code : {clear_interrupts_code(), halt_code(), read_cr3_code(), read_msr_code()}) {
    const UserResult r = run(code);
    EXPECT_EQUAL(r.vector, 13);
    EXPECT_EQUAL(r.error_code, 0);
    EXPECT_EQUAL(r.cs, user_cs);
    EXPECT_EQUAL(r.ss, user_ss);
  }
  EXPECT_EQUAL(run(clear_interrupts_code()).rip, user_code_page());
  return nullptr;
}

const char* trap_from_user_mode_takes_the_stack_of_the_tss() {
  (void)run(halt_code());
  static std::uint64_t rsp;
  set_interrupt_handler(0x33, nullptr);
  const Caught c = guarded([](void*) {
    const UserCode code = halt_code();
    rsp = run_in_user_mode(code.start, code.size).rsp;
    asm volatile("ud2");
  });
  EXPECT_EQUAL(rsp, user_stack_page() + 4096);
  EXPECT_EQUAL(c.vector, 6);  // the guarded call around it is intact
  return nullptr;
}

const char* ports() {
  allow_port(cmos_port, false);
  const UserResult refused = run(read_port_code(), cmos_port);
  EXPECT_EQUAL(refused.vector, 13);
  EXPECT_EQUAL(refused.error_code, 0);
  allow_port(cmos_port, true);
  const UserResult allowed = run(read_port_code(), cmos_port);
  allow_port(cmos_port, false);
  EXPECT_EQUAL(allowed.vector, system_call_vector);
  EXPECT_EQUAL(allowed.rax, arch::in8(cmos_port));
  const UserResult neighbour = run(read_port_code(), cmos_port - 1);
  EXPECT_EQUAL(neighbour.vector, 13);
  return nullptr;
}

const char* kernel_pages() {
  const std::uint64_t page = map_somewhere(allocate_page(), 3);  // present, writable, supervisor
  const UserResult read = run(read_rdi_code(), page);
  EXPECT_EQUAL(read.vector, 14);
  EXPECT_EQUAL(read.error_code, 5);  // P, U
  EXPECT_EQUAL(read.cr2, page);
  const UserResult write = run(write_rdi_code(), page + 8);
  EXPECT_EQUAL(write.error_code, 7);  // P, W, U
  EXPECT_EQUAL(write.cr2, page + 8);
  const UserResult fetch = run(jump_rdi_code(), page);
  EXPECT_EQUAL(fetch.error_code, 0x15);  // P, U, I
  EXPECT_EQUAL(fetch.rip, page);
  return nullptr;
}

const char* read_only_and_missing_pages() {
  const std::uint64_t page = map_somewhere(allocate_page(), 5);  // present, user
  EXPECT_EQUAL(run(read_rdi_code(), page).vector, system_call_vector);
  EXPECT_EQUAL(run(write_rdi_code(), page).error_code, 7);
  EXPECT_EQUAL(run(read_rdi_code(), page + 4096).error_code, 4);   // not present, U
  EXPECT_EQUAL(run(write_rdi_code(), page + 4096).error_code, 6);
  return nullptr;
}

const char* software_interrupt_privilege() {
  set_gate_privilege(0x30, 0);
  const UserResult refused = run(software_interrupt_code());
  EXPECT_EQUAL(refused.vector, 13);
  EXPECT_EQUAL(refused.error_code, (0x30 << 3) | 2);
  set_gate_privilege(0x30, 3);
  const UserResult taken = run(software_interrupt_code());
  set_gate_privilege(0x30, 0);
  EXPECT_EQUAL(taken.vector, 0x30);
  EXPECT_EQUAL(taken.rip, user_code_page() + 2);
  return nullptr;
}

const char* vmcall() {
  EXPECT_EQUAL(run(vmcall_code()).vector, 6);
  EXPECT_EQUAL(guarded([](void*) { asm volatile("vmcall" ::"a"(0), "c"(0x11)); }).vector, 6);
  return nullptr;
}

const char* time_stamp_disable() {
  EXPECT_EQUAL(run(time_stamp_code()).vector, system_call_vector);
  arch::write_cr4(arch::read_cr4() | 4);
  const UserResult refused = run(time_stamp_code());
  arch::write_cr4(arch::read_cr4() & ~4ull);
  EXPECT_EQUAL(refused.vector, 13);
  return nullptr;
}

constexpr Test tests[] = {
    {"SYSCALL enters the kernel with the selectors of STAR and the caller's flags in R11", system_call},
    {"SYSCALL masks the flags of SFMASK", system_call_masks_flags},
    {"privileged instructions are #GP(0) at CPL 3", privileged_instructions},
    {"a trap from CPL 3 takes the stack of the TSS", trap_from_user_mode_takes_the_stack_of_the_tss},
    {"ports at CPL 3 need their bit in the I/O bitmap", ports},
    {"CPL 3 cannot touch supervisor pages", kernel_pages},
    {"error codes tell writes from reads and missing from protected", read_only_and_missing_pages},
    {"INT n at CPL 3 needs a gate with DPL 3", software_interrupt_privilege},
    {"VMCALL is undefined on a bare machine", vmcall},
    {"CR4.TSD keeps RDTSC from CPL 3", time_stamp_disable},
};

}  // namespace

std::span<const Test> privilege_tests() { return tests; }
