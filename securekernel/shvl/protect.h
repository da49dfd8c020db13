#pragma once
// VTL protections: what VTL 0 may do with a physical page. The secure kernel owns the second stage (S35), NTOS the first.
#include <span>

#include "abi/hv/structs.h"
#include "ke/base.h"

namespace sk {

/// The masks that the secure kernel uses (section 5.1). W and X never meet.
enum class PageAccess : uint32_t {
  None = abi::hv::map_gpa::none,
  ReadOnly = abi::hv::map_gpa::readable,
  ReadUserExecute = abi::hv::map_gpa::readable | abi::hv::map_gpa::user_executable,
  ReadExecute = abi::hv::map_gpa::readable | abi::hv::map_gpa::kernel_executable | abi::hv::map_gpa::user_executable,
  ReadWrite = abi::hv::map_gpa::readable | abi::hv::map_gpa::writable,
  ReadWriteUserExecute =
      abi::hv::map_gpa::readable | abi::hv::map_gpa::writable | abi::hv::map_gpa::user_executable,
  All = abi::hv::map_gpa::all_access,
};

/// Applies one mask to a list of page frames; batches as the input page allows (510 per hypercall).
NtStatus ShvlProtectPages(std::span<const uint64_t> pfns, PageAccess access);
/// The same for a contiguous run.
NtStatus ShvlProtectContiguousPages(uint64_t first_pfn, uint64_t count, PageAccess access);

/// Turns protection on: EnableVtlProtection, ZeroMemoryOnReset, DenyLowerVtlStartup (7.14 step 4; section 3.4).
NtStatus ShvlEnableProtection();

}  // namespace sk
