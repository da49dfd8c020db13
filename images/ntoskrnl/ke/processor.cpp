// GDT, TSS, IDT, control registers and MSRs of each processor.
#include <string.h>

#include "abi/hv/structs.h"
#include "ke/ke.h"
#include "mm/mm.h"

extern "C" const uint8_t KiTrapStubs[256][16];  // ke/trap.S: code, one stub every 16 bytes
extern "C" void KiSystemCall64();

namespace {

struct [[gnu::packed]] Tss {
  uint32_t reserved0;
  uint64_t rsp[3];
  uint64_t reserved1;
  uint64_t ist[7];
  uint64_t reserved2;
  uint16_t reserved3, io_map;
};
static_assert(sizeof(Tss) == 104);

struct IdtEntry {
  uint16_t offset_low, selector;
  uint8_t ist, type;
  uint16_t offset_middle;
  uint32_t offset_high, reserved;
};
static_assert(sizeof(IdtEntry) == 16);

struct Processor {
  alignas(16) uint64_t gdt[10];
  alignas(16) Tss tss;
  alignas(16) KPCR pcr;
  alignas(16) uint8_t double_fault_stack[4096];
  alignas(16) uint8_t nmi_stack[4096];
};

alignas(16) IdtEntry idt[256];
Processor boot_processor;

enum Vector : uint8_t { NmiVector = 2, BreakpointVector = 3, DoubleFaultVector = 8 };
enum IstIndex : uint8_t { NoIst = 0, DoubleFaultIst = 1, NmiIst = 2 };

void build_gdt(Processor& processor) {
  uint64_t(&gdt)[10] = processor.gdt;
  Tss& tss = processor.tss;
  gdt[KGDT64_R0_CODE / 8] = 0x00209B0000000000;
  gdt[KGDT64_R0_DATA / 8] = 0x00CF93000000FFFF;
  gdt[KGDT64_R3_CMCODE / 8] = 0x00CFFB000000FFFF;
  gdt[KGDT64_R3_DATA / 8] = 0x00CFF3000000FFFF;
  gdt[KGDT64_R3_CODE / 8] = 0x0020FB0000000000;
  const auto base = reinterpret_cast<uint64_t>(&tss);
  gdt[KGDT64_SYS_TSS / 8] =
      (sizeof(Tss) - 1) | (base & 0xFFFFFF) << 16 | 0x89ull << 40 | (base >> 24 & 0xFF) << 56;
  gdt[KGDT64_SYS_TSS / 8 + 1] = base >> 32;
}

void build_idt() {
  for (int i = 0; i < 256; ++i) {
    const auto handler = reinterpret_cast<uint64_t>(&KiTrapStubs[i]);
    uint8_t ist = NoIst;
    if (i == DoubleFaultVector) ist = DoubleFaultIst;
    if (i == NmiVector) ist = NmiIst;
    // Interrupt gates; only the breakpoint may be raised by user code with INT n.
    const uint8_t type = i == BreakpointVector ? 0xEE : 0x8E;
    idt[i] = {static_cast<uint16_t>(handler),
              KGDT64_R0_CODE,
              ist,
              type,
              static_cast<uint16_t>(handler >> 16),
              static_cast<uint32_t>(handler >> 32),
              0};
  }
}

enum Cr4Bit : uint64_t {
  Cr4Pge = 1 << 7,
  Cr4OsFxsr = 1 << 9,
  Cr4OsXmmExcpt = 1 << 10,
  Cr4Smep = 1 << 20
};
enum EferBit : uint64_t { EferSce = 1, EferNxe = 1 << 11 };
enum Msr : uint32_t {
  MsrEfer = 0xC0000080,
  MsrStar = 0xC0000081,
  MsrLstar = 0xC0000082,
  MsrCstar = 0xC0000083,
  MsrSfmask = 0xC0000084,
  MsrGsBase = 0xC0000101,
  MsrKernelGsBase = 0xC0000102,
};

void load_segments() {
  arch::load_gdt({sizeof boot_processor.gdt - 1, reinterpret_cast<uint64_t>(boot_processor.gdt)});
  arch::write_cs(KGDT64_R0_CODE);
  arch::write_ss(KGDT64_R0_DATA);
  arch::write_ds(KGDT64_R3_DATA | 3);
  arch::write_es(KGDT64_R3_DATA | 3);
  arch::write_fs(0);
  arch::write_gs(0);
  arch::load_idt({sizeof idt - 1, reinterpret_cast<uint64_t>(idt)});
  arch::load_tr(KGDT64_SYS_TSS);
}

}  // namespace

static void build_tables(Processor& processor, uint32_t number) {
  Tss& tss = processor.tss;
  tss.io_map = sizeof tss;
  tss.ist[DoubleFaultIst - 1] =
      reinterpret_cast<uint64_t>(processor.double_fault_stack + sizeof processor.double_fault_stack);
  tss.ist[NmiIst - 1] = reinterpret_cast<uint64_t>(processor.nmi_stack + sizeof processor.nmi_stack);
  build_gdt(processor);
  processor.pcr.self = &processor.pcr;
  processor.pcr.gdt_base = processor.gdt;
  processor.pcr.tss_base = &tss;
  processor.pcr.number = number;
}

void KiInitializeProcessor() {
  build_tables(boot_processor, 0);
  build_idt();
  load_segments();
  arch::write_msr(MsrGsBase, reinterpret_cast<uint64_t>(&boot_processor.pcr));
  arch::write_msr(MsrKernelGsBase, 0);

  uint64_t cr4 = arch::read_cr4() | Cr4Pge | Cr4OsFxsr | Cr4OsXmmExcpt;
  // SMEP keeps the kernel off user pages; with VSM it also is what lets MBEC tell kernel from user
  // execution (section 5.2).
  if ((arch::cpuid(7).ebx & 1 << 7) != 0) cr4 |= Cr4Smep;
  arch::write_cr4(cr4);
  arch::write_msr(MsrEfer, arch::read_msr(MsrEfer) | EferSce | EferNxe);
}

void KiInitializeSystemCalls() {
  // SYSRET adds 16 and 8 to the upper selector: R3_CODE and R3_DATA.
  arch::write_msr(MsrStar, uint64_t{KGDT64_R3_CMCODE | 3} << 48 | uint64_t{KGDT64_R0_CODE} << 32);
  arch::write_msr(MsrLstar, reinterpret_cast<uint64_t>(&KiSystemCall64));
  arch::write_msr(MsrCstar, reinterpret_cast<uint64_t>(&KiSystemCall64));
  arch::write_msr(MsrSfmask, 0x4700);  // TF, DF, IF, NT are clear in the kernel
}

// Registers with which a further processor begins: those of this one, but for what each has of its own. Null without
// memory.
KPCR* KiDescribeProcessor(uint32_t number, abi::hv::InitialVpContext& context) {
  const auto segment = [](uint16_t selector, uint16_t attributes) {
    return abi::hv::SegmentRegister{0, 0xFFFFFFFF, selector, attributes};
  };
  auto processor = ExAllocate<Processor>(0x2043504B);  // "KPC "
  if (processor == nullptr) return nullptr;
  memset(processor, 0, sizeof *processor);
  build_tables(*processor, number);
  context.rflags = 2;
  context.cs = segment(KGDT64_R0_CODE, 0xA09B);
  context.ss = segment(KGDT64_R0_DATA, 0xC093);
  context.ds = context.es = segment(KGDT64_R3_DATA | 3, 0xC0F3);
  context.fs = context.gs = segment(0, 0xC093);
  context.gs.base = reinterpret_cast<uint64_t>(&processor->pcr);
  context.tr = {reinterpret_cast<uint64_t>(&processor->tss), sizeof(Tss) - 1, KGDT64_SYS_TSS, 0x8B};
  context.ldtr = {0, 0, 0, 0x82};
  context.gdtr = {{}, sizeof processor->gdt - 1, reinterpret_cast<uint64_t>(processor->gdt)};
  context.idtr = {{}, sizeof idt - 1, reinterpret_cast<uint64_t>(idt)};
  context.efer = arch::read_msr(MsrEfer);
  context.cr0 = arch::read_cr0();
  context.cr3 = MiSystemRoot;
  context.cr4 = arch::read_cr4();
  context.msr_cr_pat = 0x0007040600070406;
  return &processor->pcr;
}

// Where interrupts and system calls from user mode find their stack.
void KiSetKernelStack(uint64_t top) {
  reinterpret_cast<Tss*>(arch::read_gs64(offsetof(KPCR, tss_base)))->rsp[0] = top;
  arch::write_gs64(offsetof(KPCR, rsp_base), top);
}

void KiSetCurrentThread(KTHREAD* thread) {
  arch::write_gs64(offsetof(KPCR, current_thread), reinterpret_cast<uint64_t>(thread));
}
