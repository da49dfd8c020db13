#include "ob/ob.h"

#include "mm/mm.h"
#include "ps/ps.h"

namespace {

constexpr uint32_t object_tag = 0x206A624F;  // "Obj "

HANDLE_TABLE_ENTRY* entry_of(EPROCESS* process, HANDLE handle) {
  const uint64_t index = handle / 4 - 1;
  if (handle == 0 || handle % 4 != 0 || index >= ObHandleCount) return nullptr;
  HANDLE_TABLE_ENTRY* entry = &process->handles.entries[index];
  return entry->type == ObjectType::None ? nullptr : entry;
}

}  // namespace

HANDLE ObCreateHandle(EPROCESS* process, ObjectType type, void* object) {
  for (uint32_t i = 0; i < ObHandleCount; ++i) {
    if (process->handles.entries[i].type != ObjectType::None) continue;
    process->handles.entries[i] = {type, object};
    return 4 * (uint64_t{i} + 1);
  }
  return 0;
}

void* ObReferenceObjectByHandle(EPROCESS* process, HANDLE handle, ObjectType type,
                                ObjectType* actual) {
  const HANDLE_TABLE_ENTRY* entry = entry_of(process, handle);
  if (entry == nullptr || (type != ObjectType::None && entry->type != type)) return nullptr;
  if (actual != nullptr) *actual = entry->type;
  return entry->object;
}

NtStatus ObCloseHandle(EPROCESS* process, HANDLE handle) {
  HANDLE_TABLE_ENTRY* entry = entry_of(process, handle);
  if (entry == nullptr) return NtStatus::InvalidHandle;
  // A thread that waits for the object keeps it alive: then only the handle goes.
  const auto header = static_cast<const DISPATCHER_HEADER*>(entry->object);
  if (header->first_waiter == nullptr) ExFreePoolWithTag(entry->object, object_tag);
  *entry = {};
  return NtStatus::Success;
}

void ObCloseAllHandles(EPROCESS* process) {
  for (uint32_t i = 0; i < ObHandleCount; ++i)
    if (process->handles.entries[i].type != ObjectType::None)
      ObCloseHandle(process, 4 * (uint64_t{i} + 1));
}
