#pragma once
// s_IumPolicyMetadata: a trustlet's policy in its .tpolicy section (S106..S108). Exported by the image's .def file.
#include "abi/sk/trustlet_metadata.h"

namespace trustlet {

template <size_t Count>
struct Policy {
  abi::sk::PolicyMetadata metadata;
  abi::sk::PolicyEntry entries[Count + 1];  ///< the last one stays {None, None}
};

constexpr abi::sk::PolicyMetadata metadata(abi::sk::TrustletId id) {
  return {abi::sk::policy_metadata_version, {}, static_cast<uint64_t>(id)};
}

constexpr abi::sk::PolicyEntry entry(abi::sk::PolicyId id, abi::sk::PolicyType type, uint64_t value) {
  return {static_cast<uint32_t>(type), static_cast<uint32_t>(id), value};
}

}  // namespace trustlet

#pragma section(".tpolicy", read)
#define TRUSTLET_POLICY(count)                                        \
  extern "C" const trustlet::Policy<count> s_IumPolicyMetadata;       \
  __declspec(allocate(".tpolicy")) const trustlet::Policy<count> s_IumPolicyMetadata
