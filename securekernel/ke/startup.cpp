// SkiSystemStartup: the part of the secure kernel that runs in VTL 0, on winload's page tables (7.14, steps 1 and 2;
// decisions 5: the secure kernel itself enables VTL 1). When it returns, VTL 1 exists and is closed.
#include "abi/boot/virtual_layout.h"
#include "abi/hv/msrs.h"
#include "dbg/debug_port.h"
#include "ke/boot_block.h"
#include "ke/descriptor_tables.h"
#include "ke/init.h"
#include "rt/arch.h"
#include "rt/startup.h"
#include "rtl/wipe.h"
#include "shvl/hypercall.h"
#include "skmm/boot_memory.h"
#include "skmm/kernel_space.h"

namespace sk {

using namespace abi::hv;

static constexpr uint64_t secure_window = abi::boot::secure_direct_map_base;

// Pages that both halves of the start-up use.
static void take_interface_pages(bool mbec) {
  SkiInterfacePages& pages = SkiPages;
  pages.input = SkmiTakeBootPage();
  pages.output = SkmiTakeBootPage();
  pages.hypercall = SkmiTakeBootPage();
  pages.assist = SkmiTakeBootPage();
  pages.messages = SkmiTakeBootPage();
  pages.mbec = mbec;
}

static void use_interface_in_vtl0(uint64_t hypercall_physical) {
  // winload's identity map is executable; the hypercall page is an overlay on a page of VTL 0's memory.
  ShvlInterface = {hypercall_physical, SkmmFromPhysical<uint8_t>(SkiPages.input), SkiPages.input,
                   SkmmFromPhysical<uint8_t>(SkiPages.output), SkiPages.output};
}

static InitialVpContext make_initial_context(uint64_t root) {
  InitialVpContext context{};
  context.rip = reinterpret_cast<uint64_t>(&SkiStartInVtl1);
  // As after a call: the return address that the ABI expects below an aligned stack is missing on purpose.
  context.rsp = secure_window + SkBootBlock.stack_physical + SkBootBlock.stack_size - 0x28;
  context.rflags = 2;
  SkiDescribeTables(context, secure_window);
  SkiSetInitialControl(context, root);
  return context;
}

static NtStatus enable_vtl1(bool mbec) {
  HvStatus status = ShvlEnablePartitionVtl(Vtl::Vtl1, mbec);
  if (status != HvStatus::Success) return ShvlToNtStatus(status);
  DbgMilestone("securekernel: HvCallEnablePartitionVtl(VTL 1{})", mbec ? ", MBEC" : "");
  const uint64_t root = SkmmBuildKernelSpace(SkiPages.hypercall);
  SkiBuildDescriptorTables(secure_window);
  status = ShvlEnableVpVtl(vp_self, Vtl::Vtl1, make_initial_context(root));
  if (status != HvStatus::Success) return ShvlToNtStatus(status);
  DbgMilestone("securekernel: HvCallEnableVpVtl(VP 0, VTL 1)");
  return NtStatus::Success;
}

static NtStatus start(const abi::boot::VsmLoaderBlock* block, uint32_t size) {
  SkmmDirectMap = abi::boot::direct_map_base;
  SK_TRY(SkiCaptureLoaderBlock(block, size));
  if (!ShvlIsVsmAvailable()) return NtStatus::NotSupported;
  SkmiInitBootPages(SkBootBlock.free_base, SkBootBlock.vsm_end);

  const uint64_t hypercall_physical = ShvlEnableHypercallPage(SkBootBlock.shared_physical);
  take_interface_pages(false);
  use_interface_in_vtl0(hypercall_physical);

  RegisterValue capabilities{}, offsets{};
  HvStatus status = ShvlGetRegister(Vtl::Vtl0, RegisterName::VsmCapabilities, capabilities);
  if (status == HvStatus::Success)
    status = ShvlGetRegister(Vtl::Vtl0, RegisterName::VsmCodePageOffsets, offsets);
  if (status != HvStatus::Success) return ShvlToNtStatus(status);
  SkiPages.mbec = (VsmCapabilities{capabilities.low}.mbec_vtl_mask() & 1) != 0;

  SK_TRY(enable_vtl1(SkiPages.mbec));
  ShvlVtlCall(VsmCodePageOffsets{offsets.low}.vtl_call_offset());
  // VTL 1 has finished and taken its memory: of what this function may still read, only code and read-only data and
  // the registers are left. The status travels in memory that stays readable until service 208.
  return SkiStartStatus;
}

}  // namespace sk

/// Entry point of the image. RCX = VSM loader block, EDX = its size (decisions 5).
extern "C" uint32_t SkiSystemStartup(const abi::boot::VsmLoaderBlock* block, uint32_t size) {
  rt::run_static_initializers();
  const abi::NtStatus status = sk::start(block, size);
  return static_cast<uint32_t>(status);
}
