#include "ium/storage.h"

#include "skmm/pool.h"
#include "skmm/user_memory.h"

namespace sk {

using abi::sk::Guid;
using abi::sk::StorageBlob;

// The list entry is outside the page, because page and blob are one size (decisions 3).
struct BlobEntry {
  BlobEntry* next;
  Guid instance;
  StorageBlob* page;
};
static BlobEntry* blob_list;  // S75: one list for the whole system

static BlobEntry** find(const Guid& instance, uint64_t id) {
  BlobEntry** link = &blob_list;
  while (*link != nullptr && ((*link)->instance != instance || (*link)->page->id != id)) link = &(*link)->next;
  return link;
}

static void remove(BlobEntry** link) {
  BlobEntry* entry = *link;
  if (entry == nullptr) return;
  *link = entry->next;
  SkFreePool(entry->page);
  SkFreePool(entry);
}

static NtStatus check(const SkProcess& process, uint64_t id) {
  if (process.instance == Guid{}) return NtStatus::InvalidDeviceState;
  return id < abi::sk::storage_ids ? NtStatus::Success : NtStatus::InvalidParameter;
}

NtStatus IumStoragePut(SkProcess& process, uint64_t id, uint64_t data, uint64_t length) {
  SK_TRY(check(process, id));
  if (length > sizeof StorageBlob::data) return NtStatus::InvalidParameter;
  if (length == 0) {
    remove(find(process.instance, id));
    return NtStatus::Success;
  }
  auto* page = static_cast<StorageBlob*>(SkAllocatePool(0, sizeof(StorageBlob), pool_tag("SkSt")));
  auto* entry = static_cast<BlobEntry*>(SkAllocatePool(0, sizeof(BlobEntry), pool_tag("SkSt")));
  NtStatus status = page == nullptr || entry == nullptr ? NtStatus::NoMemory : NtStatus::Success;
  if (succeeded(status)) status = SkmmCopyFromUser(page->data, data, length);
  if (!succeeded(status)) {
    SkFreePool(page);
    SkFreePool(entry);
    return status;
  }
  remove(find(process.instance, id));
  page->id = static_cast<uint32_t>(id);
  page->size = static_cast<uint32_t>(length);
  *entry = {blob_list, process.instance, page};
  blob_list = entry;
  return NtStatus::Success;
}

NtStatus IumStorageGet(SkProcess& process, uint64_t id, uint64_t data, uint64_t length_address) {
  SK_TRY(check(process, id));
  uint32_t capacity = 0;
  SK_TRY(SkmmCopyFromUser(&capacity, length_address, sizeof capacity));
  const BlobEntry* entry = *find(process.instance, id);
  if (entry == nullptr) return NtStatus::NotFound;
  SK_TRY(SkmmCopyToUser(length_address, &entry->page->size, sizeof entry->page->size));
  if (capacity < entry->page->size) return NtStatus::BufferTooSmall;
  return SkmmCopyToUser(data, entry->page->data, entry->page->size);
}

void IumWipeStorage() {
  while (blob_list != nullptr) remove(&blob_list);
}

}  // namespace sk
