#include <string.h>

#include "abi/x64/paging.h"
#include "rt/panic.h"
#include "state.h"

extern "C" {
extern const std::uint8_t trap_stubs[];
extern std::uint64_t guard_rsp, system_call_rsp, system_call_rax, system_call_rip, system_call_flags, system_call_ss,
    system_call_cs;
bool call_guarded(void (*function)(void*), void* context);
void guarded_landing();
void enter_user(std::uint64_t rip, std::uint64_t rsp, std::uint64_t rdi);
void system_call_entry();
}

namespace kernel {
namespace {

struct [[gnu::packed]] Gate {
  std::uint16_t offset_low, selector;
  std::uint8_t stack, type;
  std::uint16_t offset_middle;
  std::uint32_t offset_high, reserved;
};
struct [[gnu::packed]] Tss {
  std::uint32_t reserved0;
  std::uint64_t rsp[3];
  std::uint64_t reserved1;
  std::uint64_t stacks[7];
  std::uint64_t reserved2;
  std::uint16_t reserved3, bitmap_offset;
  std::uint8_t bitmap[8193];
};
static_assert(offsetof(Tss, bitmap) == 104);

constexpr std::size_t stack_size = 8192;
alignas(16) Gate gates[256];
alignas(16) Tss tss;
alignas(16) std::uint8_t stacks[8][stack_size];  // 0: for traps from user mode
std::uint64_t gdt[7];
InterruptHandler handlers[256];
Caught caught;
bool armed;
TrapFrame caught_frame;
std::uint64_t user_pages[2];
constexpr std::uint32_t msr_star = 0xC0000081, msr_lstar = 0xC0000082, msr_sfmask = 0xC0000084;

void make_gate(unsigned vector) {
  const auto target = reinterpret_cast<std::uint64_t>(trap_stubs) + 16 * vector;
  gates[vector] = {static_cast<std::uint16_t>(target), kernel_code, 0, 0x8E, static_cast<std::uint16_t>(target >> 16),
                   static_cast<std::uint32_t>(target >> 32), 0};
}

void make_tss() {
  tss.bitmap_offset = offsetof(Tss, bitmap);
  memset(tss.bitmap, 0xFF, sizeof tss.bitmap);
  tss.rsp[0] = reinterpret_cast<std::uint64_t>(stacks[0]) + stack_size;
  for (unsigned i = 1; i < 8; ++i) tss.stacks[i - 1] = reinterpret_cast<std::uint64_t>(stacks[i]) + stack_size;
  const auto base = reinterpret_cast<std::uint64_t>(&tss);
  const std::uint64_t limit = sizeof tss - 1;
  gdt[5] = (limit & 0xFFFF) | (base & 0xFFFFFF) << 16 | std::uint64_t{0x89} << 40 | (limit >> 16 & 15) << 48 |
           (base >> 24 & 0xFF) << 56;
  gdt[6] = base >> 32;
}

}  // namespace

void initialize_descriptors() {
  gdt[1] = 0x00AF9B000000FFFF;  // kernel code
  gdt[2] = 0x00CF93000000FFFF;  // kernel data
  gdt[3] = 0x00CFF3000000FFFF;  // user data
  gdt[4] = 0x00AFFB000000FFFF;  // user code
  make_tss();
  arch::load_gdt({sizeof gdt - 1, reinterpret_cast<std::uint64_t>(gdt)});
  arch::write_cs(kernel_code);
  arch::write_ss(kernel_data);
  arch::write_ds(kernel_data);
  arch::write_es(kernel_data);
  arch::load_tr(tss_selector);
  for (unsigned vector = 0; vector < 256; ++vector) make_gate(vector);
  arch::load_idt({sizeof gates - 1, reinterpret_cast<std::uint64_t>(gates)});
  // SYSRET: CS = base + 16, SS = base + 8, both with RPL 3; SYSCALL: CS = base, SS = base + 8.
  arch::write_msr(msr_star, std::uint64_t{(user_data - 8) | 3} << 48 | std::uint64_t{kernel_code} << 32);
  arch::write_msr(msr_lstar, reinterpret_cast<std::uint64_t>(system_call_entry));
  arch::write_msr(msr_sfmask, 0x200);
  for (std::uint64_t& page : user_pages) {
    const std::uint64_t physical = allocate_page();
    page = map_somewhere(physical, abi::x64::pte::present | abi::x64::pte::writable | abi::x64::pte::user);
  }
}

void set_interrupt_handler(std::uint8_t vector, InterruptHandler handler) { handlers[vector] = handler; }
void set_interrupt_stack(std::uint8_t vector, unsigned stack) { gates[vector].stack = static_cast<std::uint8_t>(stack); }
void set_gate_privilege(std::uint8_t vector, unsigned dpl) {
  gates[vector].type = static_cast<std::uint8_t>(0x8E | dpl << 5);
}
void set_gate_present(std::uint8_t vector, bool present) {
  gates[vector].type = static_cast<std::uint8_t>((gates[vector].type & 0x7F) | (present ? 0x80 : 0));
}
const TrapFrame& last_trap() { return caught_frame; }
bool on_interrupt_stack(unsigned stack, std::uint64_t rsp) {
  const auto base = reinterpret_cast<std::uint64_t>(stacks[stack]);
  return rsp >= base && rsp <= base + stack_size;
}
void allow_port(std::uint16_t port, bool allowed) {
  std::uint8_t& byte = tss.bitmap[port / 8];
  const auto bit = static_cast<std::uint8_t>(1u << port % 8);
  byte = static_cast<std::uint8_t>(allowed ? byte & ~bit : byte | bit);
}

Caught guarded(void (*function)(void*), void* context) {
  // A guarded call inside another one: the outer one's stack pointer comes back afterwards.
  const std::uint64_t outer = guard_rsp;
  const bool was_armed = armed;
  armed = true;
  caught = {};
  const bool trapped = call_guarded(function, context);
  armed = was_armed;
  guard_rsp = outer;
  Caught result = caught;
  result.happened = trapped;
  caught = {};
  return result;
}

extern "C" void on_trap(TrapFrame* frame) {
  if (frame->vector >= 32 && handlers[frame->vector] != nullptr) return handlers[frame->vector](frame);
  if (!armed) fatal("outside a guarded call", *frame);
  caught = {true,       static_cast<std::uint8_t>(frame->vector), frame->error_code, frame->rip, frame->cs, frame->rsp,
            arch::read_cr2(), reinterpret_cast<std::uint64_t>(frame)};
  caught_frame = *frame;
  frame->rip = reinterpret_cast<std::uint64_t>(guarded_landing);
  frame->cs = kernel_code;
  frame->ss = kernel_data;
  frame->rsp = guard_rsp;
  frame->rflags = 2;
}

std::uint64_t user_code_page() { return user_pages[0]; }
std::uint64_t user_stack_page() { return user_pages[1]; }

UserResult run_in_user_mode(const void* code, std::size_t size, std::uint64_t rdi) {
  if (size > 4096) rt::panic("user code is too long");
  memcpy(reinterpret_cast<void*>(user_pages[0]), code, size);
  static std::uint64_t argument;
  argument = rdi;
  system_call_cs = 0;
  const Caught end = guarded([](void*) { enter_user(user_pages[0], user_pages[1] + 4096, argument); });
  if (system_call_cs != 0)
    return {system_call_vector, system_call_rax, system_call_rip, system_call_rsp, system_call_cs, system_call_ss,
            system_call_flags, system_call_rax, 0};
  const TrapFrame& frame = caught_frame;
  return {end.vector, end.error_code, frame.rip, frame.rsp, frame.cs, frame.ss, frame.rflags, frame.rax, end.cr2};
}

}  // namespace kernel
