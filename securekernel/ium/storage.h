#pragma once
#include "ke/skpcr.h"

namespace sk {

/// Secure storage (S74..S76): two blobs per instance GUID, put by trustlet 3, got by trustlet 2; they live until the
/// machine goes down.
NtStatus IumStoragePut(SkProcess& process, uint64_t id, uint64_t data, uint64_t length);
NtStatus IumStorageGet(SkProcess& process, uint64_t id, uint64_t data, uint64_t length_address);
void IumWipeStorage();

}  // namespace sk
