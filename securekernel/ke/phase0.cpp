// Service 208 (7.14 step 9): NTOS is up, winload is gone. From here VTL 0 is not trusted with anything of ours.
#include "abi/hv/synic.h"
#include "boot/pe_image.h"
#include "dbg/debug_port.h"
#include "ke/boot_block.h"
#include "ke/init.h"
#include "shvl/hypercall.h"
#include "shvl/protect.h"
#include "skmm/boot_memory.h"
#include "skmm/pfn.h"

namespace sk {

using namespace abi::hv;

static NtStatus close_own_pages() {
  return ShvlProtectContiguousPages(SkBootBlock.vsm_base / page_size,
                                    (SkBootBlock.vsm_end - SkBootBlock.vsm_base) / page_size, PageAccess::None);
}

// S35, S36: strong guarantees leave user execution to NTOS, strict ones do not. Without MBEC the two cannot be told
// apart, and KX governs both (section 5.2).
static PageAccess default_access_under_hvci() {
  if (SkBootBlock.has(abi::boot::VsmHvciStrict) || !SkiPages.mbec) return PageAccess::ReadWrite;
  return PageAccess::ReadWriteUserExecute;
}

static NtStatus make_executable(uint64_t first_pfn, uint64_t count) {
  for (uint64_t i = 0; i < count; ++i) {
    const Pfn* page = SkmmPfn(first_pfn + i);
    if (page == nullptr || page->state != PfnState::Shared) return NtStatus::InvalidParameter;
  }
  SK_TRY(ShvlProtectContiguousPages(first_pfn, count, PageAccess::ReadExecute));
  for (uint64_t i = 0; i < count; ++i) SkmmPfn(first_pfn + i)->state = PfnState::Image;
  return NtStatus::Success;
}

// Boot images were measured and checked by winload; they have no secure image object (7.13). Their code loses W.
static NtStatus protect_boot_image(const BootImage& image) {
  pe::Headers headers;
  if (pe::read_headers(SkmmFromPhysical(image.physical_base), image.size, headers) != pe::Status::Ok)
    return NtStatus::InvalidImageFormat;
  uint64_t count = 0;
  for (uint32_t i = 0; i < headers.section_count; ++i) {
    const pe::Section& section = headers.sections[i];
    if ((section.characteristics & pe::SectionExecute) == 0) continue;
    const uint64_t pages = pages_for(section.virtual_size);
    SK_TRY(make_executable((image.physical_base + section.rva) / page_size, pages));
    count += pages;
  }
  DbgMilestone("securekernel: {}: {} code pages executable, not writable", image.text(), count);
  return NtStatus::Success;
}

// NTOS calls us through this page. The hypervisor overlays it, but what lies underneath follows the same rule.
static NtStatus keep_hypercall_page_executable() {
  RegisterValue value{};
  const HvStatus status = ShvlGetRegister(Vtl::Vtl0, RegisterName::Hypercall, value);
  if (status != HvStatus::Success) return ShvlToNtStatus(status);
  const OverlayRegister page{value.low};
  if (!page.enable()) return NtStatus::Success;
  return ShvlProtectContiguousPages(page.page(), 1, PageAccess::ReadExecute);
}

static NtStatus enforce_code_integrity() {
  const PageAccess access = default_access_under_hvci();
  const uint64_t first = SkBootBlock.vsm_base / page_size, last = SkBootBlock.vsm_end / page_size;
  SK_TRY(ShvlProtectContiguousPages(0, first, access));
  SK_TRY(ShvlProtectContiguousPages(last, SkmmMemoryPages() - last, access));
  SkmmSetDefaultAccess(access);
  for (uint32_t i = 0; i < SkBootBlock.normal_image_count; ++i)
    SK_TRY(protect_boot_image(SkBootBlock.normal_images[i]));
  return keep_hypercall_page_executable();
}

NtStatus SkiPhase0Initialize() {
  SK_TRY(close_own_pages());
  DbgMilestone("securekernel: VTL 1 memory {:#x}..{:#x} inaccessible to VTL 0", SkBootBlock.vsm_base,
               SkBootBlock.vsm_end - 1);
  if (SkBootBlock.has(abi::boot::VsmHvci)) {
    SK_TRY(enforce_code_integrity());
    DbgMilestone("securekernel: HVCI on ({}): VTL 0 memory is not kernel-executable",
                 SkBootBlock.has(abi::boot::VsmHvciStrict) ? "strict" : "strong");
  }
  SkPhases.phase0 = true;
  return NtStatus::Success;
}

}  // namespace sk
