#pragma once
// What a hypercall answers. Never used for host failures.
#include <stddef.h>
#include <stdint.h>

namespace abi::hv {

/// HV_STATUS (TLFS appendix B). A guest may meet values that are not listed.
enum class HvStatus : uint16_t {
#define HV_STATUS(name, code, meaning) name = code,
#include "abi/hv/status.def"
};

struct StatusInfo {
  HvStatus status;
  const char* name;
  const char* meaning;
};

inline constexpr StatusInfo statuses[] = {
#define HV_STATUS(name, code, meaning) {HvStatus::name, #name, meaning},
#include "abi/hv/status.def"
};

consteval bool statuses_sorted_and_unique() {
  for (size_t i = 1; i < sizeof(statuses) / sizeof(statuses[0]); ++i) {
    if (statuses[i - 1].status >= statuses[i].status) return false;
  }
  return true;
}
static_assert(statuses_sorted_and_unique(),
              "status.def must be sorted by code, without duplicates");

/// The row of a status, or null for a code that is not listed.
constexpr const StatusInfo* find_status(uint16_t code) {
  for (const StatusInfo& row : statuses) {
    if (static_cast<uint16_t>(row.status) == code) return &row;
  }
  return nullptr;
}

/// How NT shows a hypervisor status as an NTSTATUS: facility 0x35, severity error.
constexpr uint32_t to_ntstatus(HvStatus status) {
  return status == HvStatus::Success ? 0 : 0xC035'0000u | static_cast<uint16_t>(status);
}

}  // namespace abi::hv
