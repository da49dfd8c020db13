#pragma once
// What the machine tells its firmware at reset: the strap pins and the factory's seed of this
// machine.
#include "abi/layout/fields.h"

namespace abi::boot {

/// Where the machine puts the record before the first instruction (GPA, below 1 MiB).
inline constexpr uint64_t firmware_handoff_address = 0x8000;
/// Where the firmware image is mapped as "flash", and its preferred base.
inline constexpr uint64_t firmware_base = 0x100000;

/// Values of the two launch types as BCD knows them (section 9.3).
enum class LaunchType : uint32_t { Off = 0, Auto = 1 };

enum FirmwareFlags : uint32_t {
  FirmwareHvci = 1u << 0,        ///< HypervisorEnforcedCodeIntegrity
  FirmwareHvciStrict = 1u << 1,  ///< user-mode code as well (S36, S40)
  FirmwareSecureBoot = 1u << 2,
  FirmwareTestSigning = 1u << 3,
};

/// RCX at the firmware's entry holds the GPA of this record. The machine file's switches reach the
/// boot manager as firmware variables; carrying them there is the only purpose of the record.
struct FirmwareHandoff {
  uint64_t memory_size;  ///< bytes; RAM is [0, memory_size)
  uint64_t framebuffer;  ///< 0: there is none
  uint8_t machine_seed[32];
  LaunchType hypervisor_launch_type;
  LaunchType vsm_launch_type;
  uint32_t flags;    ///< FirmwareFlags
  uint32_t profile;  ///< Windows build whose service numbers are used: 10240
};

}  // namespace abi::boot

ABI_FIELDS(abi::boot::FirmwareHandoff, 0x40, (memory_size, Plain), (framebuffer, Gpa),
           (machine_seed, Bytes), (hypervisor_launch_type, Plain), (vsm_launch_type, Plain),
           (flags, Flags), (profile, Plain));
