#pragma once
// Handles: a table per process, typed, counted from 4 in steps of 4 as everywhere in NT. No names,
// no security descriptors.
#include "ke/ke.h"

using HANDLE = uint64_t;
inline constexpr HANDLE NtCurrentProcessHandle = ~0ull;     // -1
inline constexpr HANDLE NtCurrentThreadHandle = ~0ull - 1;  // -2

enum class ObjectType : uint8_t { None, Event, Semaphore };

struct HANDLE_TABLE_ENTRY {
  ObjectType type;
  void* object;
};
inline constexpr uint32_t ObHandleCount = 64;
struct HANDLE_TABLE {
  HANDLE_TABLE_ENTRY entries[ObHandleCount];
};

/// 0 when the table is full.
HANDLE ObCreateHandle(EPROCESS* process, ObjectType type, void* object);
/// Null when the handle is not one, or of another type (None accepts any).
void* ObReferenceObjectByHandle(EPROCESS* process, HANDLE handle, ObjectType type,
                                ObjectType* actual = nullptr);
NtStatus ObCloseHandle(EPROCESS* process, HANDLE handle);
void ObCloseAllHandles(EPROCESS* process);
