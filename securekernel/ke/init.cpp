// SkInitSystem: VTL 1's own start-up (7.14, steps 3 to 8), on the boot stack that winload set aside. The same stack then
// carries the processor loop.
#include "ke/init.h"

#include "abi/boot/virtual_layout.h"
#include "abi/hv/msrs.h"
#include "dbg/debug_port.h"
#include "ium/system_call_entry.h"
#include "ke/boot_block.h"
#include "ke/descriptor_tables.h"
#include "ke/skpcr.h"
#include "rt/arch.h"
#include "rtl/wipe.h"
#include "se/keys.h"
#include "ske/thread.h"
#include "shvl/hypercall.h"
#include "shvl/protect.h"
#include "shvl/synic.h"
#include "skmm/boot_memory.h"
#include "skmm/kernel_space.h"
#include "skmm/pfn.h"
#include "skci/skci.h"

namespace sk {

using namespace abi::hv;

SkiInterfacePages SkiPages;
NtStatus SkiStartStatus;
InitPhases SkPhases;
SkPcr SkiBootPcr;
static HypervisorData hypervisor_data;

static constexpr uint32_t msr_gs_base = 0xC0000101;

// GS first: everything else may ask for the processor region.
static void init_processor() {
  SkiBootPcr.self = &SkiBootPcr;
  SkiBootPcr.hypervisor = &hypervisor_data;
  SkiBootPcr.tss = SkmmFromPhysical<Tss>(SkBootBlock.tss_physical);
  arch::write_msr(msr_gs_base, reinterpret_cast<uint64_t>(&SkiBootPcr));
}

// The pages of the hypervisor interface are this VTL's own (section 4.3): VTL 0's hypercall page is another.
static void init_hypervisor_interface() {
  ShvlEnableHypercallPage(SkiPages.hypercall);
  ShvlInterface = {hypercall_page_address, SkmmFromPhysical<uint8_t>(SkiPages.input), SkiPages.input,
                   SkmmFromPhysical<uint8_t>(SkiPages.output), SkiPages.output};
  RegisterValue offsets{};
  if (ShvlGetRegister(Vtl::Vtl1, RegisterName::VsmCodePageOffsets, offsets) != HvStatus::Success)
    SkeBugCheck("VsmCodePageOffsets cannot be read");
  hypervisor_data.hypercall_page = hypercall_page_address;
  hypervisor_data.return_stub = hypercall_page_address + VsmCodePageOffsets{offsets.low}.vtl_return_offset();
  ShvlInitSynic(hypervisor_data, SkiPages.assist, SkiPages.messages);
}

static void init_protection() {
  if (!succeeded(ShvlEnableProtection())) SkeBugCheck("VTL protection cannot be enabled");
  if (!SkiPages.mbec) return;
  const RegisterValue secure_config{VsmVpSecureConfig{}.with_mbec_enabled(true).raw, 0};
  if (ShvlSetRegister(Vtl::Vtl1, RegisterName::VsmVpSecureConfigVtl0, secure_config) != HvStatus::Success)
    SkeBugCheck("MBEC cannot be enabled for VTL 0");
}

static bool holds_image_page(uint64_t physical) {
  for (uint32_t i = 0; i < SkBootBlock.secure_image_count; ++i) {
    const BootImage& image = SkBootBlock.secure_images[i];
    if (physical >= image.physical_base && physical < image.physical_base + image.size) return true;
  }
  return false;
}

// Step 8: our pages become read-only to VTL 0. The images stay executable there until service 208, because the function
// that called us is still on its way back to winload.
static NtStatus protect_own_pages() {
  for (uint64_t at = SkBootBlock.vsm_base; at < SkBootBlock.vsm_end;) {
    const bool image = holds_image_page(at);
    uint64_t end = at;
    while (end < SkBootBlock.vsm_end && holds_image_page(end) == image) end += page_size;
    SK_TRY(ShvlProtectContiguousPages(at / page_size, (end - at) / page_size,
                                      image ? PageAccess::ReadExecute : PageAccess::ReadOnly));
    at = end;
  }
  return NtStatus::Success;
}

// Decisions 4: the copy of the keys that VTL 0 could read is gone before VTL 0 runs again.
static void wipe_loader_secrets() {
  auto* block = SkmmFromPhysical<abi::boot::VsmLoaderBlock>(SkBootBlock.block_physical);
  if (block->boot_entropy >= abi::boot::direct_map_base)
    RtlSecureZero(SkmmFromPhysical(block->boot_entropy - abi::boot::direct_map_base), sizeof SkBootBlock.entropy);
  RtlSecureZero(&block->local_keys, sizeof block->local_keys);
  RtlSecureZero(SkBootBlock.entropy, sizeof SkBootBlock.entropy);
  RtlSecureZero(&SkBootBlock.local_keys, sizeof SkBootBlock.local_keys);
}

static NtStatus SkInitSystem() {
  SkmiInitPfnDatabase(SkBootBlock.memory_pages, SkBootBlock.vsm_base, SkBootBlock.vsm_end);
  SkmmReserveTransferPages(SkBootBlock.shared_physical / page_size, SkBootBlock.shared_pages);
  DbgMilestone("securekernel: secure PFN database: {} pages of RAM, {} free in VTL 1", SkmmMemoryPages(),
               SkmmFreePageCount());
  SK_TRY(SeInitKeys());
  SK_TRY(SkciInitialize({.test_signing = SkBootBlock.has(abi::boot::VsmTestSigning)}));
  SK_TRY(SkeInitThreads());
  IumInitSystemCalls();
  wipe_loader_secrets();
  return protect_own_pages();
}

extern "C" void SkiStartInVtl1() {
  SkmmDirectMap = abi::boot::secure_direct_map_base;
  init_processor();
  init_hypervisor_interface();
  DbgMilestone("securekernel: SkInitSystem in VTL 1");
  for (uint32_t i = 0; i < SkBootBlock.secure_image_count; ++i) {
    const BootImage& image = SkBootBlock.secure_images[i];
    DbgImageLoaded(image.base, image.size, image.text());
  }
  init_protection();
  SkiStartStatus = SkInitSystem();
  DbgMilestone("securekernel: SkInitSystem complete ({:#x}), own pages read-only to VTL 0",
               static_cast<uint32_t>(SkiStartStatus));
  SkeProcessorLoop();
}

}  // namespace sk
