#pragma once
// What the trustlets of this machine have in common: a policy (S106..S108: s_IumPolicyMetadata in section .tpolicy,
// exported by the image's .def file), an end like a process's, and waiting to be told of it.
#include "abi/sk/trustlet_metadata.h"
#include "iumdll/iumdll.h"

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

/// NTOS wakes the trustlet when it is no longer needed: normal service 11 goes out, its answer comes back.
inline void wait_for_alert() {
  while (NtWaitForAlertByThreadId(nullptr, nullptr) == abi::NtStatus::Timeout) {
  }
}

[[noreturn]] inline void exit_process(abi::NtStatus status) {
  for (;;) NtTerminateProcess(ium::current_process, status);
}

}  // namespace trustlet

#pragma section(".tpolicy", read)
#define TRUSTLET_POLICY(count)                                        \
  extern "C" const trustlet::Policy<count> s_IumPolicyMetadata;       \
  __declspec(allocate(".tpolicy")) const trustlet::Policy<count> s_IumPolicyMetadata
