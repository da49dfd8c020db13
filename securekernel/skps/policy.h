#pragma once
// What a trustlet's .tpolicy section allows it (S106..S109).
#include "abi/sk/trustlet_metadata.h"
#include "boot/pe_image.h"
#include "ke/base.h"

namespace sk {

struct TrustletPolicy {
  uint64_t application_id;
  uint32_t entry_count;
  abi::sk::PolicyEntry entries[abi::sk::maximum_policy_entries];
};

/// Reads s_IumPolicyMetadata out of a mapped image. InvalidImageFormat: section or symbol missing, wrong flags, wrong
/// version, no end. InvalidParameter: the id is not the launch attribute's (S107).
NtStatus SkpsReadPolicy(const pe::Headers& headers, const uint8_t* mapped, uint64_t trustlet_id,
                        TrustletPolicy& policy);
/// The value of an entry of this id and type; false if there is none (S109: SkpspFindPolicy).
bool SkpspFindPolicy(const TrustletPolicy& policy, abi::sk::PolicyId id, abi::sk::PolicyType type, uint64_t& value);

}  // namespace sk
