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
#include "shvl/vtl_switch.h"
#include "ske/kernel_lock.h"
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
static VtlSwitch vtl_switch;

static constexpr uint32_t msr_gs_base = 0xC0000101;

// GS first: everything else may ask for the processor region.
static void init_processor() {
  SkiBootPcr.self = &SkiBootPcr;
  SkiBootPcr.hypervisor = &hypervisor_data;
  SkiBootPcr.vtl_switch = &vtl_switch;
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

// Step 8: the secure kernel's own image becomes read-only to VTL 0. It stays executable there until service 208, because
// the function that called us is still on its way back to winload. Whatever may hold a secret - pool, stacks, CNG's
// generator - is closed at once (decisions 4: no key in memory that VTL 0 can read).
static NtStatus protect_own_pages() {
  const BootImage& kernel = SkBootBlock.secure_images[0];
  const uint64_t first = SkBootBlock.vsm_base / page_size, end = SkBootBlock.vsm_end / page_size;
  const uint64_t image = kernel.physical_base / page_size, image_end = image + kernel.size / page_size;
  if (image < first || image_end > end) return NtStatus::InvalidParameter;
  SK_TRY(ShvlProtectContiguousPages(first, image - first, PageAccess::None));
  SK_TRY(ShvlProtectContiguousPages(image, image_end - image, PageAccess::ReadExecute));
  return ShvlProtectContiguousPages(image_end, end - image_end, PageAccess::None);
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
  return protect_own_pages();
}

extern "C" void SkiStartInVtl1() {
  SkmmDirectMap = abi::boot::secure_direct_map_base;
  init_processor();
  SkiEnterKernel();
  init_hypervisor_interface();
  DbgMilestone("securekernel: SkInitSystem in VTL 1");
  for (uint32_t i = 0; i < SkBootBlock.secure_image_count; ++i) {
    const BootImage& image = SkBootBlock.secure_images[i];
    DbgImageLoaded(image.base, image.size, image.text());
  }
  init_protection();
  SkiStartStatus = SkInitSystem();
  wipe_loader_secrets();
  if (!succeeded(SkiStartStatus)) SeWipeKeys();
  DbgMilestone("securekernel: SkInitSystem complete ({:#x}): image read-only to VTL 0, memory closed",
               static_cast<uint32_t>(SkiStartStatus));
  SkeProcessorLoop();
}

}  // namespace sk
