#pragma once
// Synthetic MSR numbers as constants: abi::hv::msr::GuestOsId and so on.
#include <stddef.h>
#include <stdint.h>

#include "abi/layout/bits.h"

namespace abi::hv {

namespace msr {
#define HV_MSR(name, number, scope, source) inline constexpr uint32_t name = number;
#include "abi/hv/msrs.def"
/// SINTx = Sint0 + x.
inline constexpr uint32_t last = 0x400001FF;
}  // namespace msr

enum class MsrScope : uint8_t { Shared, Private, Partition };

struct MsrInfo {
  uint32_t number;
  const char* name;
  MsrScope scope;
  const char* source;
};

inline constexpr MsrInfo synthetic_msrs[] = {
#define HV_MSR(name, number, scope, source) {number, #name, MsrScope::scope, source},
#include "abi/hv/msrs.def"
};

consteval bool synthetic_msrs_sorted() {
  for (size_t i = 1; i < sizeof(synthetic_msrs) / sizeof(synthetic_msrs[0]); ++i) {
    if (synthetic_msrs[i - 1].number >= synthetic_msrs[i].number) return false;
  }
  return true;
}
static_assert(synthetic_msrs_sorted(), "msrs.def must be sorted, without duplicates");

/// The row of a synthetic MSR, or null.
constexpr const MsrInfo* find_synthetic_msr(uint32_t number) {
  for (const MsrInfo& row : synthetic_msrs) {
    if (row.number == number) return &row;
  }
  return nullptr;
}

/// HV_X64_MSR_GUEST_OS_ID of a closed-source system (TLFS 2.6).
struct GuestOsId {
  using Self = GuestOsId;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BITS(15, 0, uint16_t, build)
  ABI_BITS(23, 16, uint8_t, service_version)
  ABI_BITS(31, 24, uint8_t, minor_version)
  ABI_BITS(39, 32, uint8_t, major_version)
  ABI_BITS(47, 40, uint8_t, os_id)       ///< 4 = Windows NT
  ABI_BITS(62, 48, uint16_t, vendor_id)  ///< 1 = Microsoft
  ABI_BIT(63, open_source)
};

/// HV_X64_MSR_CRASH_CTL.
struct CrashControl {
  using Self = CrashControl;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BITS(60, 58, uint8_t, pre_os_id)
  ABI_BIT(61, no_crash_dump)
  ABI_BIT(62, crash_message)
  ABI_BIT(63, crash_notify)
};

}  // namespace abi::hv
