#pragma once
// What the micro-kernels of the tests share: traps that a test may expect, memory, user mode, and the report.
//
// A micro-kernel runs in place of firmware.efi on a machine just reset: long mode, identity page tables, CPL 0. Its tests
// are functions that return null when all is well, or what is wrong.
#include <cstdint>
#include <span>
#include <string_view>

#include "abi/boot/firmware_handoff.h"
#include "rt/arch.h"
#include "rt/print.h"

namespace kernel {

/// Null: passed. Otherwise a sentence.
using TestFunction = const char* (*)();
struct Test {
  const char* name;
  TestFunction run;
};

/// Sets up descriptor tables and traps, runs all tests, reports each as a milestone, "pass NAME" or "fail NAME: detail",
/// and last "done N", and switches the machine off.
[[noreturn]] void run_tests(const abi::boot::FirmwareHandoff* handoff, std::span<const Test> tests);

/// A sentence for a failed test, formatted into a static buffer.
template <typename... T>
const char* wrong(std::string_view pattern, const T&... values) {
  static char text[200];
  rt::print(text, pattern, values...);
  return text;
}

#define EXPECT_THAT(condition) \
  do {                         \
    if (!(condition)) return "expected " #condition; \
  } while (false)
#define EXPECT_EQUAL(actual, wanted)                                                                      \
  do {                                                                                                    \
    const auto actual_ = static_cast<std::uint64_t>(actual);                                              \
    const auto wanted_ = static_cast<std::uint64_t>(wanted);                                              \
    if (actual_ != wanted_) return ::kernel::wrong(#actual " is {:#x}, expected {:#x}", actual_, wanted_); \
  } while (false)

// ---- Traps ----

/// What the processor pushed, and the registers of the interrupted code.
struct TrapFrame {
  std::uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
  std::uint64_t vector, error_code;
  std::uint64_t rip, cs, rflags, rsp, ss;
};

/// An exception that a guarded call ended with.
struct Caught {
  bool happened;
  std::uint8_t vector;
  std::uint64_t error_code, rip, cs, rsp, cr2;
  std::uint64_t handler_rsp;  ///< the stack on which the handler ran
};

/// Calls `function(context)`; an exception ends the call instead of the kernel.
Caught guarded(void (*function)(void*), void* context = nullptr);

/// Called for vectors that are no exceptions (32 and up), with interrupts off. It must send the EOI.
using InterruptHandler = void (*)(TrapFrame* frame);
void set_interrupt_handler(std::uint8_t vector, InterruptHandler handler);
/// Which of the seven interrupt stacks the gate of `vector` uses; 0: none.
void set_interrupt_stack(std::uint8_t vector, unsigned stack);
void set_gate_present(std::uint8_t vector, bool present);
/// The registers at the last exception that ended a guarded call.
const TrapFrame& last_trap();
/// DPL of the gate.
void set_gate_privilege(std::uint8_t vector, unsigned dpl);
/// The address range of interrupt stack 1..7.
bool on_interrupt_stack(unsigned stack, std::uint64_t rsp);

// ---- Selectors of the kernel's GDT ----
inline constexpr std::uint16_t kernel_code = 0x08, kernel_data = 0x10, user_data = 0x18, user_code = 0x20, tss_selector = 0x28;

/// IOPL 0 and an I/O bitmap: a clear bit permits the port to CPL 3.
void allow_port(std::uint16_t port, bool allowed);

// ---- User mode ----
/// Runs `code` (position-independent, `size` bytes) at CPL 3 in a page of its own until it traps or executes SYSCALL.
/// A SYSCALL shows as vector 0x100 with RAX in error_code.
inline constexpr unsigned system_call_vector = 0x100;
struct UserResult {
  unsigned vector;
  std::uint64_t error_code, rip, rsp, cs, ss, rflags, rax, cr2;
};
UserResult run_in_user_mode(const void* code, std::size_t size, std::uint64_t rdi = 0);
/// The page that holds user code, and the user stack's page.
std::uint64_t user_code_page();
std::uint64_t user_stack_page();

// ---- Memory ----
/// A zeroed 4 KiB page; identity-mapped, never freed.
std::uint64_t allocate_page();
std::uint64_t memory_size();
/// The 4 KiB leaf entry of an address in the current tables; large pages on the way are split.
std::uint64_t& leaf_entry(std::uint64_t address);
/// An address that nothing uses, mapped to `physical` with these low bits (present and so on) in a 4 KiB page. Every
/// level above has W and U.
std::uint64_t map_somewhere(std::uint64_t physical, std::uint64_t bits);

template <typename T>
volatile T& at(std::uint64_t address) {
  return *reinterpret_cast<volatile T*>(address);
}

/// A load that happens, whatever becomes of the value.
template <typename T>
T load(std::uint64_t address) {
  return *reinterpret_cast<volatile T*>(address);
}

}  // namespace kernel
