#pragma once
#include "ke/base.h"

namespace sk {

/// Where VTL 1's hypercall page is mapped, executable and read-only.
inline constexpr uint64_t hypercall_page_address = 0xFFFFF80103000000;

/// Builds the kernel half of VTL 1 from boot memory: the window on all RAM (never executable), the three images with
/// the rights of their sections, the hypercall page. Runs in VTL 0. Returns the root.
uint64_t SkmmBuildKernelSpace(uint64_t hypercall_page_physical);

}  // namespace sk
