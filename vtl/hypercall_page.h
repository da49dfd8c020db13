#pragma once
// The page of stubs through which guests enter the hypervisor (TLFS 3.13, 15.6.3).
#include <array>
#include <cstdint>

#include "abi/hv/vsm_registers.h"
#include "vtl/hypervisor_config.h"

namespace vtl {

/// The stubs of a layout lie inside the page and do not overlap.
[[nodiscard]] bool valid(const HypercallPageLayout& layout);

/// The 4096 bytes of the page; what is not a stub is INT3. The layout must be valid (CHECK).
[[nodiscard]] std::array<uint8_t, 4096> build_hypercall_page(const HypercallPageLayout& layout,
                                                             Vendor vendor);

/// HvRegisterVsmCodePageOffsets of a 64-bit caller, or of a 32-bit one.
[[nodiscard]] abi::hv::VsmCodePageOffsets code_page_offsets(const HypercallPageLayout& layout,
                                                            bool long_mode);

}  // namespace vtl
