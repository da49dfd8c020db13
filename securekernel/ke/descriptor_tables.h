#pragma once
// GDT, IDT and TSS of VTL 1, in the areas that winload set aside. Selectors as Windows has them, so that STAR's two
// bases work out (SYSRET: CS = base+16, SS = base+8).
#include "abi/hv/structs.h"
#include "ke/base.h"

namespace sk {

inline constexpr uint16_t kernel_code_selector = 0x10, kernel_data_selector = 0x18;
inline constexpr uint16_t user_compatible_code_selector = 0x20 | 3, user_data_selector = 0x28 | 3;
inline constexpr uint16_t user_code_selector = 0x30 | 3, tss_selector = 0x40;

struct [[gnu::packed]] Tss {
  uint32_t reserved0;
  uint64_t rsp0, rsp1, rsp2;
  uint64_t reserved1;
  uint64_t ist[7];
  uint64_t reserved2;
  uint16_t reserved3, io_map_base;
};
static_assert(sizeof(Tss) == 104);

/// Fills the three tables through the window in force, with the addresses that VTL 1 will see them at.
void SkiBuildDescriptorTables(uint64_t window_of_vtl1);
/// GDT and TSS of a further processor, in one page of VTL 1 at `page`; the IDT is everybody's. `double_fault_top` ends the
/// stack for #DF.
Tss* SkiBuildProcessorTables(uint8_t* page, uint64_t double_fault_top);
/// Puts what SkiBuildProcessorTables built there into the context.
void SkiDescribeProcessorTables(abi::hv::InitialVpContext& context, const uint8_t* page);
/// Puts them, and flat segments, into the context with which VTL 1 starts.
void SkiDescribeTables(abi::hv::InitialVpContext& context, uint64_t window_of_vtl1);

}  // namespace sk
