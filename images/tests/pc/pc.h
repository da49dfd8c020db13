#pragma once
// The little that the PC micro-kernels share: ports, registers, a serial console, interrupts, other processors, a report.
#include <stdint.h>

namespace pc {

// --- What the loader left.
struct BootInformation {
  uint32_t flags, memory_lower, memory_upper, boot_device, command_line, module_count, modules, symbols[4], map_length, map,
      drives_length, drives, configuration, boot_loader_name;
};
struct [[gnu::packed]] MapEntry {
  uint32_t size;
  uint64_t base, length;
  uint32_t type;
};
extern uint32_t boot_magic;
extern const BootInformation* boot_information;
/// The number after `name=` in the command line, or `otherwise`.
uint32_t option(const char* name, uint32_t otherwise);

// --- Instructions.
inline uint8_t in8(uint16_t port) {
  uint8_t value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline uint32_t in32(uint16_t port) {
  uint32_t value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline void out8(uint16_t port, uint8_t value) { asm volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
inline void out16(uint16_t port, uint16_t value) { asm volatile("outw %0, %1" : : "a"(value), "Nd"(port)); }
inline void out32(uint16_t port, uint32_t value) { asm volatile("outl %0, %1" : : "a"(value), "Nd"(port)); }
inline uint64_t rdmsr(uint32_t msr) {
  uint32_t low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
  return uint64_t{high} << 32 | low;
}
inline void wrmsr(uint32_t msr, uint64_t value) {
  asm volatile("wrmsr" : : "c"(msr), "a"(static_cast<uint32_t>(value)), "d"(static_cast<uint32_t>(value >> 32)) : "memory");
}
inline uint64_t rdtsc() {
  uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return uint64_t{high} << 32 | low;
}
struct Cpuid {
  uint32_t eax, ebx, ecx, edx;
};
inline Cpuid cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Cpuid r;
  asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
  return r;
}
inline void sti() { asm volatile("sti" : : : "memory"); }
inline void cli() { asm volatile("cli" : : : "memory"); }
inline void pause() { asm volatile("pause" : : : "memory"); }
/// Opens interrupts for one HLT.
inline void wait_for_interrupt() { asm volatile("sti; hlt; cli" : : : "memory"); }
inline void store_barrier() { asm volatile("" : : : "memory"); }

// --- Report. Each check is one line; exit() ends the run with (code << 1) | 1.
void print(const char* format, ...) __attribute__((format(printf, 1, 2)));
void check(bool holds, const char* what);
[[noreturn]] void exit(uint32_t code);
/// Exit code 0 if every check held, 1 otherwise.
[[noreturn]] void finish();

// --- Interrupts.
struct Frame {
  uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
  uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
using Handler = void (*)(Frame&);
/// An interrupt without a handler ends the run with code 127.
void handle(uint8_t vector, Handler handler);
/// 8259s to vectors 0x20 and 0x28, all masked.
void initialise_pic();
void mask_pic(uint16_t mask);

// --- Local APIC, as xAPIC until use_x2apic().
namespace apic {
inline constexpr uint32_t id = 0x02, version = 0x03, tpr = 0x08, eoi = 0x0b, svr = 0x0f, icr = 0x30, icr_high = 0x31,
                          lvt_timer = 0x32, lvt_lint0 = 0x35, timer_initial = 0x38, timer_current = 0x39, timer_divide = 0x3e,
                          self_ipi = 0x3f;
}
void enable_apic();
void use_x2apic();
bool in_x2apic();
uint32_t apic_read(uint32_t number);
void apic_write(uint32_t number, uint32_t value);
uint32_t apic_id();
inline void end_of_interrupt() { apic_write(apic::eoi, 0); }
/// Command is the low word of the ICR.
void send_ipi(uint32_t destination, uint32_t command);

// --- I/O APIC.
uint32_t io_apic_read(uint32_t number);
void io_apic_write(uint32_t number, uint32_t value);
void redirect(uint32_t pin, uint64_t entry);

// --- Other processors. They wait in a loop until their work is set, each with its own number from 1.
uint32_t start_processors(uint32_t expected);
using Work = void (*)(uint32_t number);
/// Runs `work` on all of them, here too as number 0, and waits for the end.
void run_on_all(Work work);

/// Spins until `condition()` holds; false after so many ticks of the TSC.
template <class Condition>
bool wait_until(Condition condition, uint64_t ticks = 200'000'000) {
  const uint64_t begin = rdtsc();
  while (!condition()) {
    if (rdtsc() - begin > ticks) return false;
    pause();
  }
  return true;
}

}  // namespace pc

/// Each kernel's own part.
void kernel_main();
