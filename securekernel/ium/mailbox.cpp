// The mailbox: the one way by which a trustlet hands bytes to NTOS (S69..S71). A slot is a page of VTL 1: size and up to
// 4,092 bytes.
#include "ium/mailbox.h"

#include <string.h>

#include "dbg/debug_port.h"
#include "nk/normal_calls.h"
#include "rtl/wipe.h"
#include "skmm/pool.h"
#include "skmm/transfer.h"
#include "skmm/user_memory.h"
#include "skob/objects.h"
#include "skps/process.h"

namespace sk {

using abi::sk::Guid;
using abi::sk::Mailbox;

NtStatus IumPostMailbox(SkProcess& process, uint64_t slot, uint64_t data, uint64_t length) {
  if (slot >= abi::sk::mailbox_slots || length == 0 || length > sizeof Mailbox::data) return NtStatus::InvalidParameter;
  Mailbox*& mailbox = process.mailboxes[slot];
  if (mailbox == nullptr) mailbox = static_cast<Mailbox*>(SkAllocatePool(0, sizeof(Mailbox), pool_tag("SkMb")));
  if (mailbox == nullptr) return NtStatus::NoMemory;
  if (mailbox->size != 0) return NtStatus::MailboxSlotFull;  // S69: retrieved before it is used again
  SK_TRY(SkmmCopyFromUser(mailbox->data, data, length));
  mailbox->size = static_cast<uint32_t>(length);
  DbgMilestone("securekernel: trustlet {} posted {} bytes to mailbox slot {}", process.trustlet_id, length, slot);
  return NtStatus::Success;
}

// Decisions 3: the instance GUID once it is set, before that {trustlet id, 0}.
static Guid key_of(const SkProcess& process) {
  if (process.instance != Guid{}) return process.instance;
  Guid key{};
  memcpy(key.bytes, &process.trustlet_id, sizeof process.trustlet_id);
  return key;
}

// The contents leave through the shared buffer, for NTOS cannot read ours, and for no longer than the copy takes.
static NtStatus copy_to_normal_world(const uint8_t* data, uint32_t size, uint64_t buffer) {
  const SharedBuffer shared = SkmmSharedBuffer();
  if (shared.bytes < size) return NtStatus::InternalError;
  memcpy(shared.data, data, size);
  const NtStatus status = NkCopyVirtualMemory(buffer, shared.vtl0, size);
  RtlSecureZero(shared.data, size);
  return status;
}

NtStatus SkRetrieveMailbox(uint64_t trustlet_id, const Guid& key, uint64_t slot, uint64_t buffer, uint64_t capacity,
                           uint32_t& length) {
  if (key == Guid{} || slot >= abi::sk::mailbox_slots) return NtStatus::InvalidParameter;
  SkProcess* process = SkpsFindTrustlet(trustlet_id);
  if (process == nullptr || key_of(*process) != key) return NtStatus::NotFound;
  Mailbox* mailbox = process->mailboxes[slot];
  if (mailbox == nullptr || mailbox->size == 0) return NtStatus::NotFound;
  length = mailbox->size;
  if (capacity < length) return NtStatus::BufferTooSmall;

  SkobReference(process);  // NTOS may run the process down while it has the copy to make
  const NtStatus status = copy_to_normal_world(mailbox->data, length, buffer);
  // Freed only when NTOS said that it has the bytes; the slot may be gone by then.
  if (succeeded(status) && process->mailboxes[slot] == mailbox) RtlSecureZero(mailbox, sizeof *mailbox);
  SkobDereference(process);
  return status;
}

}  // namespace sk
