#pragma once
// A signed driver with bad intentions: everything that ring 0 of VTL 0 can do to a page of another
// process (scenario 2).
#include <string_view>

#include "ntoskrnl/ntoskrnl.h"

namespace thief {

inline constexpr uint64_t secret_address = 0x2779cbb0000;  // Figure 4 of the first seed (S24)
inline constexpr uint64_t page_size = 4096;
inline constexpr uint64_t ret_offset = page_size - 16;  // lsass.exe keeps RET instructions there

enum class Access : uint8_t { Read, Write, Execute };

/// What one attempt came to.
struct Attempt {
  std::string_view way;
  Access access;
  NtStatus status;
  EXCEPTION_RECORD64 exception;
};

/// Reads, writes and executes at `page`, which should show the secret, and reports each.
void try_all(std::string_view way, void* page);

// page_tables.cpp
/// The leaf entry for `address` in the current address space, as ring 0 finds it: CR3 and four
/// reads. Null: not mapped by 4 KiB.
uint64_t* find_pte(const void* address);

// report.cpp
void report(const Attempt& attempt);
void report_bytes(const uint8_t* bytes);
/// Reads that brought the secret's bytes, of all that were tried.
extern uint32_t successes, attempts;

}  // namespace thief
