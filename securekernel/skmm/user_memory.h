#pragma once
// A trustlet's address space: ranges that NTOS provided and the secure kernel claimed. VTL 0's page tables map the same
// pages at the same addresses, so that a look through them ends at the second stage, not at an empty entry.
#include "ke/skpcr.h"
#include "skmm/page_tables.h"

namespace sk {

inline constexpr uint64_t user_space_end = 0x00007FFFFFFE0000;
inline constexpr uint64_t lowest_user_address = 0x10000;
inline constexpr uint64_t maximum_range_pages = 1024;

struct SecureRange {
  SecureRange* next;
  uint64_t base;
  uint64_t pages;
  uint64_t* pfns;
};

/// Allocates at `base` (0: anywhere), zeroed, read-write. Parks the thread in normal calls. ConflictingAddresses: the
/// range is taken. DataError: NTOS's pages were not usable.
NtStatus SkmmAllocateUserMemory(SkProcess& process, uint64_t& base, uint64_t pages);
/// Wipes the range that starts at `base` and gives it back; NTOS is asked to free the addresses.
NtStatus SkmmFreeUserMemory(SkProcess& process, uint64_t base);
/// Wipes and gives back everything; NTOS tears down the addresses itself.
void SkmmDeleteUserMemory(SkProcess& process);
/// Overwrites all of it; the pages stay VTL 1's, because a machine that goes down opens nothing again.
void SkmmWipeUserMemory(const SkProcess& process);
/// Never writable and executable (decisions 1, row 44).
NtStatus SkmmProtectUserMemory(SkProcess& process, uint64_t address, uint64_t pages, Protection protection);
/// The range that contains all of [address, address + bytes), or null.
SecureRange* SkmmFindRange(const SkProcess& process, uint64_t address, uint64_t bytes);

/// Copies between a trustlet and the kernel; the process's page tables must be in force. AccessViolation: the range is
/// not the trustlet's, or not writable.
NtStatus SkmmCopyFromUser(void* to, uint64_t from, uint64_t bytes);
NtStatus SkmmCopyToUser(uint64_t to, const void* from, uint64_t bytes);

}  // namespace sk
