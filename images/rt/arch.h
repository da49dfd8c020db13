#pragma once
// Instructions that C++ has no word for, as extended assembly. Every one that touches memory or changes what memory
// means has a memory clobber. VMCALL is not here: the hypercall page contains it.

#include <cstdint>

namespace arch {

// ---- Port I/O (CPL 0, or as IOPL and the TSS bitmap allow) ----
inline void out8(std::uint16_t port, std::uint8_t value) {
  asm volatile("outb %b0, %w1" ::"a"(value), "Nd"(port) : "memory");
}
inline void out16(std::uint16_t port, std::uint16_t value) {
  asm volatile("outw %w0, %w1" ::"a"(value), "Nd"(port) : "memory");
}
inline void out32(std::uint16_t port, std::uint32_t value) {
  asm volatile("outl %k0, %w1" ::"a"(value), "Nd"(port) : "memory");
}
// With a second operand in RCX, as Airlock's launch and debug ports take it.
inline void out32(std::uint16_t port, std::uint32_t value, std::uint64_t rcx) {
  asm volatile("outl %k0, %w1" ::"a"(value), "Nd"(port), "c"(rcx) : "memory");
}
inline std::uint8_t in8(std::uint16_t port) {
  std::uint8_t value;
  asm volatile("inb %w1, %b0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
inline std::uint16_t in16(std::uint16_t port) {
  std::uint16_t value;
  asm volatile("inw %w1, %w0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
inline std::uint32_t in32(std::uint16_t port) {
  std::uint32_t value;
  asm volatile("inl %w1, %k0" : "=a"(value) : "Nd"(port) : "memory");
  return value;
}
// Reads count 16-bit words from a port into memory (REP INSW).
inline void in16_string(std::uint16_t port, void* to, std::uint64_t count) {
  asm volatile("rep insw" : "+D"(to), "+c"(count) : "d"(port) : "memory");
}

// ---- Model-specific registers ----
inline std::uint64_t read_msr(std::uint32_t msr) {
  std::uint32_t low, high;
  asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
  return std::uint64_t{high} << 32 | low;
}
inline void write_msr(std::uint32_t msr, std::uint64_t value) {
  asm volatile("wrmsr" ::"c"(msr), "a"(static_cast<std::uint32_t>(value)),
               "d"(static_cast<std::uint32_t>(value >> 32))
               : "memory");
}

// ---- Control and debug registers ----
#define ARCH_REGISTER(name, register)                                                              \
  inline std::uint64_t read_##name() {                                                             \
    std::uint64_t value;                                                                           \
    asm volatile("movq %%" register ", %0" : "=r"(value)::"memory");                               \
    return value;                                                                                  \
  }                                                                                                \
  inline void write_##name(std::uint64_t value) {                                                  \
    asm volatile("movq %0, %%" register ::"r"(value) : "memory");                                  \
  }
ARCH_REGISTER(cr0, "cr0")
ARCH_REGISTER(cr2, "cr2")
ARCH_REGISTER(cr3, "cr3")
ARCH_REGISTER(cr4, "cr4")
ARCH_REGISTER(cr8, "cr8")
ARCH_REGISTER(dr0, "db0")
ARCH_REGISTER(dr1, "db1")
ARCH_REGISTER(dr2, "db2")
ARCH_REGISTER(dr3, "db3")
ARCH_REGISTER(dr6, "db6")
ARCH_REGISTER(dr7, "db7")
#undef ARCH_REGISTER

// ---- Descriptor tables and segments ----
// The operand of LGDT, LIDT, SGDT, SIDT in 64-bit mode.
struct [[gnu::packed]] DescriptorTable {
  std::uint16_t limit;
  std::uint64_t base;
};
inline void load_gdt(const DescriptorTable& table) {
  asm volatile("lgdt %0" ::"m"(table) : "memory");
}
inline void load_idt(const DescriptorTable& table) {
  asm volatile("lidt %0" ::"m"(table) : "memory");
}
inline DescriptorTable store_gdt() {
  DescriptorTable table;
  asm volatile("sgdt %0" : "=m"(table));
  return table;
}
inline DescriptorTable store_idt() {
  DescriptorTable table;
  asm volatile("sidt %0" : "=m"(table));
  return table;
}
inline void load_tr(std::uint16_t selector) {
  asm volatile("ltr %0" ::"r"(selector) : "memory");
}
inline void load_ldt(std::uint16_t selector) {
  asm volatile("lldt %0" ::"r"(selector) : "memory");
}
inline std::uint16_t store_tr() {
  std::uint16_t selector;
  asm volatile("str %0" : "=r"(selector));
  return selector;
}

#define ARCH_SEGMENT(name)                                                                         \
  inline std::uint16_t read_##name() {                                                             \
    std::uint16_t selector;                                                                        \
    asm volatile("movw %%" #name ", %0" : "=r"(selector));                                         \
    return selector;                                                                               \
  }                                                                                                \
  inline void write_##name(std::uint16_t selector) {                                               \
    asm volatile("movw %0, %%" #name ::"r"(selector) : "memory");                                  \
  }
ARCH_SEGMENT(ds)
ARCH_SEGMENT(es)
ARCH_SEGMENT(fs)
ARCH_SEGMENT(gs)
ARCH_SEGMENT(ss)
#undef ARCH_SEGMENT
inline std::uint16_t read_cs() {
  std::uint16_t selector;
  asm volatile("movw %%cs, %0" : "=r"(selector));
  return selector;
}
// Reloads CS by a far return to the next instruction.
inline void write_cs(std::uint16_t selector) {
  std::uint64_t scratch;
  asm volatile(
      "leaq 1f(%%rip), %0\n\t"
      "pushq %1\n\t"
      "pushq %0\n\t"
      "lretq\n"
      "1:"
      : "=&r"(scratch)
      : "r"(std::uint64_t{selector})
      : "memory");
}
inline void swapgs() {
  asm volatile("swapgs" ::: "memory");
}

// ---- Memory relative to GS: the processor control region, or the thread block in user mode ----
inline std::uint64_t read_gs64(std::uint64_t offset) {
  std::uint64_t value;
  asm volatile("movq %%gs:(%1), %0" : "=r"(value) : "r"(offset) : "memory");
  return value;
}
inline std::uint32_t read_gs32(std::uint64_t offset) {
  std::uint32_t value;
  asm volatile("movl %%gs:(%1), %0" : "=r"(value) : "r"(offset) : "memory");
  return value;
}
inline void write_gs64(std::uint64_t offset, std::uint64_t value) {
  asm volatile("movq %0, %%gs:(%1)" ::"r"(value), "r"(offset) : "memory");
}
inline void write_gs32(std::uint64_t offset, std::uint32_t value) {
  asm volatile("movl %0, %%gs:(%1)" ::"r"(value), "r"(offset) : "memory");
}

// ---- Translation and caches ----
inline void invalidate_page(const void* address) {
  asm volatile("invlpg (%0)" ::"r"(address) : "memory");
}
inline void write_back_and_invalidate() {
  asm volatile("wbinvd" ::: "memory");
}

// ---- Flags, interrupts, waiting ----
inline std::uint64_t read_flags() {
  std::uint64_t flags;
  asm volatile("pushfq\n\tpopq %0" : "=r"(flags)::"memory");
  return flags;
}
inline void write_flags(std::uint64_t flags) {
  asm volatile("pushq %0\n\tpopfq" ::"r"(flags) : "memory", "cc");
}
inline void disable_interrupts() {
  asm volatile("cli" ::: "memory");
}
inline void enable_interrupts() {
  asm volatile("sti" ::: "memory");
}
inline void halt() {
  asm volatile("hlt" ::: "memory");
}
// Interrupts on and wait, without a gap in which one could be missed.
inline void enable_interrupts_and_halt() {
  asm volatile("sti\n\thlt" ::: "memory");
}
inline void pause() {
  asm volatile("pause" ::: "memory");
}
inline void breakpoint() {
  asm volatile("int3" ::: "memory");
}
// Stops this processor for good.
[[noreturn]] inline void stop() {
  for (;;) {
    disable_interrupts();
    halt();
  }
}
// SMAP: lets supervisor code touch user pages until clac().
inline void stac() {
  asm volatile("stac" ::: "memory", "cc");
}
inline void clac() {
  asm volatile("clac" ::: "memory", "cc");
}

// ---- Identification, time, randomness ----
struct Cpuid {
  std::uint32_t eax, ebx, ecx, edx;
};
inline Cpuid cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
  Cpuid result;
  asm volatile("cpuid"
               : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
               : "a"(leaf), "c"(subleaf));
  return result;
}
inline std::uint64_t read_tsc() {
  std::uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
  return std::uint64_t{high} << 32 | low;
}
// False if the generator had nothing to give (carry clear); then the value is zero.
inline bool read_random(std::uint64_t& value) {
  bool good;
  asm volatile("rdrand %0" : "=r"(value), "=@ccc"(good));
  return good;
}
inline bool read_seed(std::uint64_t& value) {
  bool good;
  asm volatile("rdseed %0" : "=r"(value), "=@ccc"(good));
  return good;
}

}  // namespace arch
