#pragma once
#include <cstdint>

namespace machine {

/// The version of what this machine does. A recording is replayed only by a machine of the same version.
///
/// Raise it by one with every change after which the same configuration and images give another state, event or instant
/// than before: instruction counts, CPUID leaves, reset state, devices, hypercall results, timer arithmetic, the contents
/// and order of events, what the fingerprint covers. Do not raise it for speed, messages, or new commands. When in doubt,
/// replay a recording of the version before with --verify: if it diverges, the version must be raised.
inline constexpr uint32_t semantics_version = 3;

}  // namespace machine
