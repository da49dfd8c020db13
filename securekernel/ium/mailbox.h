#pragma once
#include "abi/sk/structures.h"
#include "ke/skpcr.h"

namespace sk {

/// IumPostMailbox: fills a slot of the calling trustlet; InvalidParameter, AccessViolation, MailboxSlotFull.
NtStatus IumPostMailbox(SkProcess& process, uint64_t slot, uint64_t data, uint64_t length);
/// Service 15 (S71). `buffer` is an address of VTL 0, which NTOS writes itself in normal service 13.
NtStatus SkRetrieveMailbox(uint64_t trustlet_id, const abi::sk::Guid& key, uint64_t slot, uint64_t buffer,
                           uint64_t capacity, uint32_t& length);

}  // namespace sk
