#pragma once
// A bare machine with flat, identity-mapped memory, a GDT, an IDT and a TSS: what a kernel's first page of code sets up.
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "abi/x64/exceptions.h"
#include "abi/x64/paging.h"
#include "abi/x64/registers.h"
#include "sim/cpu/unicorn_cpu.h"
#include "sim/support/state_hash.h"
#include "tests/support/catch.h"

namespace cpu_test {

namespace x64 = abi::x64;

/// Machine code of a GUEST_CODE block.
#define GUEST_CODE(name, text)                                                                     \
  extern "C" const uint8_t name##_begin[], name##_end[];                                           \
  asm(".pushsection .rodata\n.intel_syntax noprefix\n.globl " #name "_begin\n" #name               \
      "_begin:\n" text "\n.globl " #name "_end\n" #name "_end:\n.att_syntax\n.popsection\n");      \
  static inline std::span<const uint8_t> name() {                                                  \
    return {name##_begin, name##_end};                                                             \
  }

/// Where things are. Pages from user_code on belong to ring 3, all others to ring 0.
enum Place : uint64_t {
  pml4 = 0x1000,
  pdpt = 0x2000,
  page_directory = 0x3000,
  page_tables = 0x4000,
  gdt = 0x9000,
  idt = 0xa000,
  tss = 0xb000,
  handlers = 0xc000,
  kernel_code = 0x100000,
  kernel_data = 0x140000,
  interrupt_stack = 0x180000,
  kernel_stack = 0x1f0000,
  user_code = 0x200000,
  user_data = 0x240000,
  user_stack = 0x2f0000,
  ram_size = 0x800000,
};
enum Selector : uint16_t {
  kernel_cs = 0x08,
  kernel_ss = 0x10,
  user_ss = 0x2b,
  user_cs = 0x33,
  task = 0x40,
};

class RecordingBus final : public cpu::MmioBus {
 public:
  uint64_t mmio_read(vtl::VirtualProcessor&, support::Instant, mmu::Spa address,
                     uint8_t size) override {
    log.push_back({false, address.value(), size, 0});
    return values[address.value()];
  }
  void mmio_write(vtl::VirtualProcessor&, support::Instant, mmu::Spa address, uint8_t size,
                  uint64_t value) override {
    log.push_back({true, address.value(), size, value});
    values[address.value()] = value;
  }
  struct Touch {
    bool write;
    uint64_t address;
    uint8_t size;
    uint64_t value;
    friend bool operator==(const Touch&, const Touch&) = default;
  };
  std::vector<Touch> log;
  std::map<uint64_t, uint64_t> values;
};

class RecordingSink final : public support::EventSink {
 public:
  void on(const support::Event& event) override { events.push_back(event); }
  std::vector<support::Event> events;
};

class World : public cpu::AddressSpaceProvider {
 public:
  explicit World(cpu::Gear gear, uint64_t seed = 1) : World{cpu::CpuConfig{gear, seed, 0}} {}
  explicit World(const cpu::CpuConfig& config) : memory{ram_size}, translator{memory} {
    auto made = cpu::make_unicorn_cpu(config, memory, translator, bus, *this, &sink);
    if (!made.ok()) FAIL(made.error().message);
    processor = std::move(made.value());
    build_tables();
    reset_registers();
  }

  mmu::AddressSpace address_space(const vtl::VirtualProcessor& of) const override {
    const vtl::VtlContext& context = of.context();
    mmu::AddressSpace space;
    space.vtl = of.active;
    space.stage1 = {context.cr0, context.cr3, context.cr4, context.efer,
                    (context.rflags & x64::rflags::ac) != 0, context.pdpte};
    return space;
  }

  void put(uint64_t address, std::span<const uint8_t> code) {
    REQUIRE(memory.write(mmu::Spa{address}, code));
  }
  void put(uint64_t address, std::initializer_list<uint8_t> code) {
    put(address, std::span{code.begin(), code.size()});
  }
  template <class T>
  void poke(uint64_t address, T value) {
    memory.write(mmu::Spa{address}, value);
  }
  template <class T = uint64_t>
  T peek(uint64_t address) {
    return memory.read<T>(mmu::Spa{address});
  }

  vtl::VtlContext& context() { return vp.context(); }
  uint64_t& gpr(vtl::Gpr index) { return index == vtl::Rsp ? context().rsp : vp.shared.gpr[index]; }

  vtl::Exit run(uint64_t instructions = 100000) {
    return processor->run(vp, now, now + instructions);
  }
  /// Runs to `until` exactly, through early ends of slices.
  vtl::Exit run_until(uint64_t until) {
    for (;;) {
      const vtl::Exit exit = processor->run(vp, now, {until});
      if (exit.reason != vtl::ExitReason::Deadline || now.ticks >= until) return exit;
    }
  }

  /// Page-table entry of a 4 KiB page.
  uint64_t entry_address(uint64_t page) const { return page_tables + page / abi::page_size * 8; }
  void map(uint64_t page, uint64_t to, uint64_t flags) { poke(entry_address(page), to | flags); }
  void invalidate() { translator.invalidate_all(address_space(vp), false); }

  /// A gate to `handler`; type 14 interrupt, 15 trap.
  void gate(unsigned vector, uint64_t handler, unsigned ist = 0, unsigned dpl = 0,
            unsigned type = 14) {
    const uint64_t low = (handler & 0xffff) | uint64_t{kernel_cs} << 16 | uint64_t{ist} << 32 |
                         uint64_t{type} << 40 | uint64_t{dpl} << 45 | uint64_t{1} << 47 |
                         (handler >> 16 & 0xffff) << 48;
    poke(idt + vector * 16, low);
    poke(idt + vector * 16 + 8, handler >> 32);
  }

  void enter_user_mode(uint64_t rip = user_code, uint64_t rsp = user_stack) {
    context().segments[vtl::Cs] = {0, ~0u, user_cs, 0xa0fb};
    context().segments[vtl::Ss] = {0, ~0u, user_ss, 0xc0f3};
    context().segments[vtl::Ds] = context().segments[vtl::Es] = {0, ~0u, user_ss, 0xc0f3};
    context().rip = rip;
    context().rsp = rsp;
  }

  /// Of everything that the guest can see.
  support::StateHash state() {
    support::StateHasher hash;
    for (const uint64_t value : vp.shared.gpr)
      hash.add(value);
    const vtl::VtlContext& c = context();
    for (const uint64_t value :
         {c.rip, c.rsp, c.rflags, c.cr0, c.cr3, c.cr4, c.efer, c.kernel_gs_base, vp.shared.cr2,
          uint64_t{c.interrupt_shadow}, now.ticks, translator.misses()})
      hash.add(value);
    for (const vtl::Segment& s : c.segments) {
      for (const uint64_t value :
           {s.base, uint64_t{s.limit}, uint64_t{s.selector}, uint64_t{s.attributes}})
        hash.add(value);
    }
    for (const vtl::Xmm& xmm : vp.shared.fp.xmm) {
      hash.add(xmm.low);
      hash.add(xmm.high);
    }
    for (const vtl::Xmm& st : vp.shared.fp.st) {
      hash.add(st.low);
      hash.add(st.high);
    }
    for (const uint64_t value : {uint64_t{vp.shared.fp.control}, uint64_t{vp.shared.fp.status},
                                 uint64_t{vp.shared.fp.tag}, uint64_t{vp.shared.fp.mxcsr}})
      hash.add(value);
    hash.add(memory.hash());
    hash.add(translator.tlb().hash());
    return hash.finish();
  }

  mmu::PhysicalMemory memory;
  mmu::Translator translator;
  RecordingBus bus;
  RecordingSink sink;
  std::unique_ptr<cpu::Cpu> processor;
  vtl::VirtualProcessor vp;
  support::Instant now;

 protected:
  void build_tables() {
    restore<uint64_t>(pml4, pdpt | 7);
    restore<uint64_t>(pdpt, page_directory | 7);
    for (uint64_t table = 0; table < ram_size >> 21; ++table)
      restore<uint64_t>(page_directory + 8 * table, (page_tables + table * 0x1000) | 7);
    // The device page of the local APIC, through a 2 MiB page.
    restore<uint64_t>(pdpt + 8 * 3, 0x8000 | 7);
    restore<uint64_t>(0x8000 + 8 * 0x1f7, 0xfee00000 | 0x87);
    for (uint64_t page = 0; page < ram_size; page += abi::page_size)
      restore<uint64_t>(entry_address(page), page | (page >= user_code ? 7 : 3));
    const uint64_t descriptors[] = {0,
                                    0x00af9b000000ffff,
                                    0x00cf93000000ffff,
                                    0x00cffb000000ffff,
                                    0,
                                    0x00cff3000000ffff,
                                    0x00affb000000ffff,
                                    0,
                                    0x0000890000000067 | (tss & 0xffffff) << 16,
                                    0};
    for (size_t i = 0; i < std::size(descriptors); ++i)
      restore<uint64_t>(gdt + 8 * i, descriptors[i]);
    restore<uint64_t>(tss + 4, kernel_stack);
    for (unsigned i = 1; i <= 7; ++i)
      restore<uint64_t>(tss + 0x24 + 8 * (i - 1), interrupt_stack + i * 0x1000);
    restore<uint16_t>(tss + 0x66, 0xffff);
  }
  template <class T>
  void restore(uint64_t address, T value) {
    if (peek<T>(address) != value) poke(address, value);
  }
  void reset_registers() {
    vtl::VtlContext& c = context();
    c.cr0 = 0x80010033;
    c.cr3 = pml4;
    c.cr4 = 0x6a0;
    c.efer = 0xd01;
    c.segments.fill({0, ~0u, kernel_ss, 0xc093});
    c.segments[vtl::Cs] = {0, ~0u, kernel_cs, 0xa09b};
    c.gdtr = {gdt, 0x4f};
    c.idtr = {idt, 0xfff};
    c.tr = {tss, 0x67, task, 0x008b};
    c.rip = kernel_code;
    c.rsp = kernel_stack;
    c.star = uint64_t{0x20 | 3} << 48 | uint64_t{kernel_cs} << 32;
  }
};

}  // namespace cpu_test
