// Further processors (service 2). NTOS names one and says how VTL 0 begins there. VTL 1 enables itself first, and starts the
// processor, since it denies that to VTL 0 (VsmPartitionConfig.DenyLowerVtlStartup): it begins in VTL 1, with memory of
// VTL 1, and goes on to what NTOS asked for.
#include <string.h>

#include "dbg/debug_port.h"
#include "ium/system_call_entry.h"
#include "ke/descriptor_tables.h"
#include "ke/init.h"
#include "rt/arch.h"
#include "shvl/hypercall.h"
#include "shvl/synic.h"
#include "shvl/vtl_switch.h"
#include "ske/kernel_lock.h"
#include "ske/thread.h"
#include "skmm/boot_memory.h"
#include "skmm/page_tables.h"
#include "skmm/pfn.h"
#include "skmm/pool.h"

namespace sk {

using namespace abi::hv;

static constexpr uint64_t maximum_processors = 8, stack_pages = 4;
static constexpr uint64_t initial_cr0 = 0x80010033;  // PG WP NE ET MP PE
static constexpr uint64_t initial_cr4 = 0x6A0;       // PAE PGE OSFXSR OSXMMEXCPT (the VTL stub uses XMM)
static constexpr uint64_t initial_efer = 0xD01;      // SCE LME LMA NXE
static constexpr uint64_t initial_pat = 0x0007040600070406;

namespace {

struct Processor {
  SkPcr pcr;
  HypervisorData hypervisor;
  VtlSwitch vtl_switch;
  uint64_t assist, messages;  ///< physical pages
};

/// What a processor needs before it runs; physical, 0 while it is missing.
struct ProcessorPages {
  uint64_t tables, double_fault_stack, stack, assist, messages;
};

Processor* processors[maximum_processors];

}  // namespace

void SkiSetInitialControl(InitialVpContext& context, uint64_t root) {
  context.efer = initial_efer;
  context.cr0 = initial_cr0;
  context.cr3 = root;
  context.cr4 = initial_cr4;
  context.msr_cr_pat = initial_pat;
}

static uint64_t top_of(uint64_t physical, uint64_t pages) {
  return reinterpret_cast<uint64_t>(SkmmFromPhysical(physical)) + pages * page_size;
}

// The first code of VTL 1 on a further processor.
extern "C" [[noreturn]] void SkiStartProcessorInVtl1() {
  SkiEnterKernel();
  SkPcr& pcr = *SkiCurrentPcr();
  const Processor& processor = *processors[pcr.number];
  ShvlInitSynic(*pcr.hypervisor, processor.assist, processor.messages);
  if (SkiPages.mbec) {
    const RegisterValue secure_config{VsmVpSecureConfig{}.with_mbec_enabled(true).raw, 0};
    if (ShvlSetRegister(Vtl::Vtl1, RegisterName::VsmVpSecureConfigVtl0, secure_config) != HvStatus::Success)
      SkeBugCheck("MBEC cannot be enabled for VTL 0 of a further processor");
  }
  IumInitSystemCalls();
  DbgMilestone("securekernel: VTL 1 runs on processor {}", pcr.number);
  SkeProcessorLoop();
}

static bool allocate(ProcessorPages& pages) {
  pages = {SkmmAllocatePage(), SkmmAllocatePage(), SkmmAllocatePages(stack_pages), SkmmAllocatePage(), SkmmAllocatePage()};
  return pages.tables != 0 && pages.double_fault_stack != 0 && pages.stack != 0 && pages.assist != 0 &&
         pages.messages != 0;
}

static void release(const ProcessorPages& pages) {
  if (pages.stack != 0) SkmmFreePages(pages.stack);
  for (const uint64_t page : {pages.tables, pages.double_fault_stack, pages.assist, pages.messages})
    if (page != 0) SkmmFreePage(page);
}

static InitialVpContext context_of(const Processor& processor, const ProcessorPages& pages) {
  InitialVpContext context{};
  context.rip = reinterpret_cast<uint64_t>(&SkiStartProcessorInVtl1);
  context.rsp = top_of(pages.stack, stack_pages) - 0x28;  // as after a call
  context.rflags = 2;
  SkiDescribeProcessorTables(context, SkmmFromPhysical<uint8_t>(pages.tables));
  context.gs.base = reinterpret_cast<uint64_t>(&processor.pcr);
  SkiSetInitialControl(context, SkmmKernelRoot);
  return context;
}

// NTOS's page is copied before anybody looks: what the hypervisor checks is what it uses.
static bool capture_context(uint64_t pfn, InitialVpContext& context) {
  const Pfn* page = SkmmPfn(pfn);
  if (page == nullptr || page->state != PfnState::Shared) return false;
  memcpy(&context, SkmmFromPhysical(pfn * page_size), sizeof context);
  return true;
}

static Processor* make_processor(uint64_t number, const ProcessorPages& pages) {
  auto* processor = static_cast<Processor*>(SkAllocatePool(0, sizeof(Processor), pool_tag("SkPr")));
  if (processor == nullptr) return nullptr;
  processor->assist = pages.assist;
  processor->messages = pages.messages;
  processor->hypervisor = *SkiBootPcr.hypervisor;  // the hypercall page is the partition's; the two pages follow
  SkPcr& pcr = processor->pcr;
  pcr.self = &pcr;
  pcr.hypervisor = &processor->hypervisor;
  pcr.vtl_switch = &processor->vtl_switch;
  pcr.number = number;
  pcr.tss = SkiBuildProcessorTables(SkmmFromPhysical<uint8_t>(pages.tables), top_of(pages.double_fault_stack, 1));
  return processor;
}

// VTL 1 exists on the processor, which does not run yet. Its pages stay, since it will begin with them.
static NtStatus enable_vtl1(uint64_t number) {
  ProcessorPages pages;
  Processor* processor = allocate(pages) ? make_processor(number, pages) : nullptr;
  if (processor == nullptr) {
    release(pages);
    return NtStatus::NoMemory;
  }
  const HvStatus status = ShvlEnableVpVtl(static_cast<uint32_t>(number), Vtl::Vtl1, context_of(*processor, pages));
  if (status == HvStatus::Success) {
    processors[number] = processor;
    return NtStatus::Success;
  }
  SkFreePool(processor);
  release(pages);
  return ShvlToNtStatus(status);
}

NtStatus SkiStartProcessor(uint64_t number, uint64_t context_pfn) {
  if (!SkPhases.phase3) return NtStatus::DeviceNotReady;
  InitialVpContext context;
  if (number == 0 || number >= maximum_processors || !capture_context(context_pfn, context))
    return NtStatus::InvalidParameter;
  if (processors[number] == nullptr) SK_TRY(enable_vtl1(number));
  const HvStatus status = ShvlStartVirtualProcessor(static_cast<uint32_t>(number), context);
  return status == HvStatus::Success ? NtStatus::Success : ShvlToNtStatus(status);
}

}  // namespace sk
