#pragma once
// The door between hvloader.efi and the machine: one OUT turns a bare machine into a root partition
// (decisions 5, "ours").
#include "abi/layout/fields.h"

namespace abi::boot {

/// 32-bit OUT with EAX = launch_hypervisor and RCX = GPA of a LaunchBlock; IN afterwards answers a
/// LaunchResult.
inline constexpr uint16_t hypervisor_launch_port = 0xA1C0;
inline constexpr uint32_t launch_hypervisor = 1;

enum class LaunchResult : uint32_t { Launched = 0, Refused = 1 };

struct LaunchBlock {
  uint32_t size;     ///< 0x20
  uint32_t version;  ///< 1
  uint64_t flags;    ///< LaunchFlags
  uint64_t reserved[2];
};

/// What HvlpInitializeBootParameters derived from the BCD elements of S57 and S58.
enum LaunchFlags : uint64_t {
  LaunchIommuPolicy = 1u << 0,      ///< 0x25000115
  LaunchMmioNxPolicy = 1u << 1,     ///< 0x25000119
  LaunchMsrFilterPolicy = 1u << 2,  ///< 0x25000118
};

}  // namespace abi::boot

ABI_FIELDS(abi::boot::LaunchBlock, 0x20, (size, Plain), (version, Plain), (flags, Flags),
           (reserved, Reserved));
