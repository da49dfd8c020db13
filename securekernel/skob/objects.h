#pragma once
// Objects that NTOS names by handle (7.6: handles from 0x140000004, header of 0x20 bytes with the count at +0x18).
#include "ke/base.h"

namespace sk {

enum class ObjectType : uint32_t { Process = 1, Allocation, Image };

struct ObjectHeader {
  ObjectType type;        ///< 00
  uint32_t reserved_04;
  void (*destroy)(void*); ///< 08: called with the body when the last reference goes
  uint64_t handle;        ///< 10
  uint32_t references;    ///< 18
  uint32_t reserved_1c;
};
static_assert(sizeof(ObjectHeader) == 0x20 && offsetof(ObjectHeader, references) == 0x18);

/// A zeroed body of `bytes` bytes behind a header, one reference; null without memory.
void* SkobCreateObject(ObjectType type, size_t bytes, void (*destroy)(void*));
void SkobReference(void* body);
void SkobDereference(void* body);

/// Puts the object into the table (the table takes its own reference); 0 when the table is full.
uint64_t SkobInsertHandle(void* body);
/// The object with that handle and type, with a reference for the caller; null otherwise.
void* SkobReferenceByHandle(uint64_t handle, ObjectType type);
/// InvalidHandle if there is none.
NtStatus SkobCloseHandle(uint64_t handle);
/// Type of the object behind a handle; false if there is none.
bool SkobQueryType(uint64_t handle, ObjectType& type);

/// A reference that goes with its scope.
template <class Body, ObjectType Type>
class Reference {
 public:
  explicit Reference(uint64_t handle) : body_{static_cast<Body*>(SkobReferenceByHandle(handle, Type))} {}
  Reference(const Reference&) = delete;
  Reference& operator=(const Reference&) = delete;
  ~Reference() {
    if (body_ != nullptr) SkobDereference(body_);
  }
  explicit operator bool() const { return body_ != nullptr; }
  Body* operator->() const { return body_; }
  Body& operator*() const { return *body_; }

 private:
  Body* body_;
};

}  // namespace sk
