#pragma once
// s_IumPolicyMetadata: what a trustlet's .tpolicy section says about it (S106..S109, section 7.10).
#include <stddef.h>
#include <stdint.h>

#include "abi/layout/fields.h"

namespace abi::sk {

/// IMAGE_POLICY_ENTRY_TYPE
enum class PolicyType : uint32_t {
  None, Bool, Int8, UInt8, Int16, UInt16, Int32, UInt32, Int64, UInt64, AnsiString, UnicodeString, Override, Maximum
};

/// IMAGE_POLICY_ID
enum class PolicyId : uint32_t {
  None, Etw, Debug, CrashDump, CrashDumpKey, CrashDumpKeyGuid, ParentSd, ParentSdRev, Svn, DeviceId, Capability,
  ScenarioId, CapabilityOverridable, TrustletIdOverridable
};

struct PolicyEntry {
  uint32_t type;       ///< PolicyType
  uint32_t policy_id;  ///< PolicyId
  uint64_t value;      ///< a number, or an address inside the image (strings, GUIDs)
};

struct PolicyMetadata {
  uint8_t version;  ///< 1
  uint8_t reserved[7];
  uint64_t application_id;  ///< trustlet id, must equal the launch attribute (S107)
  // PolicyEntry[] follows and ends with {None, None}.
};

inline constexpr uint8_t policy_metadata_version = 1;
inline constexpr char policy_section_name[] = ".tpolicy";
inline constexpr char policy_symbol_name[] = "s_IumPolicyMetadata";
/// IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ (S106)
inline constexpr uint32_t policy_section_characteristics = 0x40000040;
/// Entries that the secure kernel reads at most; a list without an end is refused.
inline constexpr size_t maximum_policy_entries = 32;

/// Trustlet ids of build 10240 (S111) and 1607 (S112).
enum class TrustletId : uint64_t { SecureKernel = 0, LsaIso = 1, Vmsp = 2, VtpmProvisioning = 3, BioIso = 4 };

}  // namespace abi::sk

ABI_FIELDS(abi::sk::PolicyEntry, 16, (type, Plain), (policy_id, Plain), (value, Plain));
ABI_FIELDS(abi::sk::PolicyMetadata, 16, (version, Plain), (reserved, Reserved), (application_id, Plain));
