#include "skob/objects.h"

#include "abi/sk/structures.h"
#include "ke/bugcheck.h"
#include "skmm/pool.h"

namespace sk {

static constexpr size_t maximum_handles = 256;
static ObjectHeader* table[maximum_handles];

static ObjectHeader* header_of(void* body) { return static_cast<ObjectHeader*>(body) - 1; }

void* SkobCreateObject(ObjectType type, size_t bytes, void (*destroy)(void*)) {
  auto* header = static_cast<ObjectHeader*>(SkAllocatePool(0, sizeof(ObjectHeader) + bytes, pool_tag("SkOb")));
  if (header == nullptr) return nullptr;
  header->type = type;
  header->destroy = destroy;
  header->references = 1;
  return header + 1;
}

void SkobReference(void* body) { ++header_of(body)->references; }

void SkobDereference(void* body) {
  ObjectHeader* header = header_of(body);
  if (header->references == 0) SkeBugCheck("an object is dereferenced too often");
  if (--header->references != 0) return;
  header->destroy(body);
  SkFreePool(header);
}

static ObjectHeader** slot_of(uint64_t handle) {
  if (handle < abi::sk::first_secure_handle || handle % 4 != 0) return nullptr;
  const uint64_t index = (handle - abi::sk::first_secure_handle) / 4;
  return index < maximum_handles && table[index] != nullptr ? &table[index] : nullptr;
}

uint64_t SkobInsertHandle(void* body) {
  for (size_t i = 0; i < maximum_handles; ++i) {
    if (table[i] != nullptr) continue;
    table[i] = header_of(body);
    SkobReference(body);
    return table[i]->handle = abi::sk::first_secure_handle + 4 * i;
  }
  return 0;
}

void* SkobReferenceByHandle(uint64_t handle, ObjectType type) {
  ObjectHeader** slot = slot_of(handle);
  if (slot == nullptr || (*slot)->type != type) return nullptr;
  SkobReference(*slot + 1);
  return *slot + 1;
}

bool SkobQueryType(uint64_t handle, ObjectType& type) {
  ObjectHeader** slot = slot_of(handle);
  if (slot == nullptr) return false;
  type = (*slot)->type;
  return true;
}

NtStatus SkobCloseHandle(uint64_t handle) {
  ObjectHeader** slot = slot_of(handle);
  if (slot == nullptr) return NtStatus::InvalidHandle;
  ObjectHeader* header = *slot;
  *slot = nullptr;
  header->handle = 0;
  SkobDereference(header + 1);
  return NtStatus::Success;
}

}  // namespace sk
