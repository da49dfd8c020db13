#pragma once
// The observation port: ring 0 says what it does, the host listens, and nothing that a guest can
// see changes.
#include "abi/layout/fields.h"

namespace abi::boot {

/// 32-bit OUT with EAX = DebugEvent and RCX = GVA of the record, read with the caller's own
/// translation.
inline constexpr uint16_t debug_event_port = 0xA1D0;

enum class DebugEvent : uint32_t {
  ImageLoaded = 1,     ///< DebugImage
  Print = 2,           ///< DebugText
  Milestone = 3,       ///< DebugText
  ProcessCreated = 4,  ///< DebugProcess
  ImageUnloaded = 5,   ///< DebugImage
  ProcessExited = 6,   ///< DebugProcess: it ends; its pages and tables are still as they were
};

struct DebugImage {
  uint64_t base;         ///< GVA where the image runs
  uint32_t size;         ///< SizeOfImage
  uint32_t name_length;  ///< bytes of `name` in use
  char name[64];
};

struct DebugText {
  uint32_t length;  ///< bytes of `text` in use
  uint32_t reserved;
  char text[256];
};

struct DebugProcess {
  uint64_t pid;
  uint64_t cr3;            ///< of its VTL 0 address space
  uint64_t secure_handle;  ///< SecurePid, or 0 for an ordinary process
  uint32_t name_length;
  uint32_t reserved;
  char name[64];
};

}  // namespace abi::boot

ABI_FIELDS(abi::boot::DebugImage, 0x50, (base, Gva), (size, Count), (name_length, Count),
           (name, Bytes));
ABI_FIELDS(abi::boot::DebugText, 0x108, (length, Count), (reserved, Reserved), (text, Bytes));
ABI_FIELDS(abi::boot::DebugProcess, 0x60, (pid, Plain), (cr3, Gpa), (secure_handle, Plain),
           (name_length, Count), (reserved, Reserved), (name, Bytes));
