#include "ke/descriptor_tables.h"

#include "ke/boot_block.h"
#include "ke/trap.h"
#include "shvl/synic.h"
#include "skmm/boot_memory.h"

namespace sk {

using abi::hv::SegmentRegister;

struct [[gnu::packed]] Gate {
  uint16_t offset_low, selector;
  uint8_t ist, type;
  uint16_t offset_middle;
  uint32_t offset_high, reserved;
};
static_assert(sizeof(Gate) == 16);

static constexpr uint64_t gdt_entries = 10;  // the TSS descriptor takes two
static constexpr uint8_t interrupt_gate = 0x8E;
static constexpr uint8_t double_fault = 8, double_fault_ist = 1;

static Gate make_gate(uint64_t handler, uint8_t ist) {
  return {static_cast<uint16_t>(handler), kernel_code_selector, ist, interrupt_gate,
          static_cast<uint16_t>(handler >> 16), static_cast<uint32_t>(handler >> 32), 0};
}

static void build_gdt(uint64_t* gdt, uint64_t tss) {
  gdt[kernel_code_selector / 8] = 0x00209B0000000000;
  gdt[kernel_data_selector / 8] = 0x00CF93000000FFFF;
  gdt[user_compatible_code_selector / 8] = 0x00CFFB000000FFFF;
  gdt[user_data_selector / 8] = 0x00CFF3000000FFFF;
  gdt[user_code_selector / 8] = 0x0020FB0000000000;
  gdt[tss_selector / 8] = (sizeof(Tss) - 1) | (tss & 0xFFFFFF) << 16 | uint64_t{0x8B} << 40 | (tss >> 24 & 0xFF) << 56;
  gdt[tss_selector / 8 + 1] = tss >> 32;
}

void SkiBuildDescriptorTables(uint64_t window_of_vtl1) {
  const BootBlock& boot = SkBootBlock;
  build_gdt(SkmmFromPhysical<uint64_t>(boot.gdt_physical), window_of_vtl1 + boot.tss_physical);

  auto* idt = SkmmFromPhysical<Gate>(boot.idt_physical);
  for (unsigned vector = 0; vector < 256; ++vector)
    idt[vector] = make_gate(reinterpret_cast<uint64_t>(SkiTrapEntries[vector]), vector == double_fault ? double_fault_ist : 0);

  auto* tss = SkmmFromPhysical<Tss>(boot.tss_physical);
  tss->io_map_base = sizeof(Tss);
  tss->ist[double_fault_ist - 1] = window_of_vtl1 + SkmiTakeBootPage() + page_size;
}

static void describe(abi::hv::InitialVpContext& context, uint64_t gdt, uint64_t tss, uint64_t idt) {
  const SegmentRegister data{0, 0xFFFFFFFF, kernel_data_selector, 0xC093};
  context.cs = {0, 0xFFFFFFFF, kernel_code_selector, 0xA09B};
  context.ds = context.es = context.ss = context.fs = context.gs = data;
  context.tr = {tss, sizeof(Tss) - 1, tss_selector, 0x008B};
  context.ldtr = {0, 0, 0, 0x0082};
  context.gdtr = {{}, gdt_entries * 8 - 1, gdt};
  context.idtr = {{}, 256 * sizeof(Gate) - 1, idt};
}

void SkiDescribeTables(abi::hv::InitialVpContext& context, uint64_t window_of_vtl1) {
  const BootBlock& boot = SkBootBlock;
  describe(context, window_of_vtl1 + boot.gdt_physical, window_of_vtl1 + boot.tss_physical,
           window_of_vtl1 + boot.idt_physical);
}

// In the page of a further processor: the GDT, and the TSS behind it.
static constexpr uint64_t tss_offset = 128;
static_assert(gdt_entries * 8 <= tss_offset);

Tss* SkiBuildProcessorTables(uint8_t* page, uint64_t double_fault_top) {
  auto* tss = reinterpret_cast<Tss*>(page + tss_offset);
  tss->io_map_base = sizeof(Tss);
  tss->ist[double_fault_ist - 1] = double_fault_top;
  build_gdt(reinterpret_cast<uint64_t*>(page), reinterpret_cast<uint64_t>(tss));
  return tss;
}

void SkiDescribeProcessorTables(abi::hv::InitialVpContext& context, const uint8_t* page) {
  const auto base = reinterpret_cast<uint64_t>(page);
  describe(context, base, base + tss_offset, reinterpret_cast<uint64_t>(SkmmFromPhysical(SkBootBlock.idt_physical)));
}

}  // namespace sk
