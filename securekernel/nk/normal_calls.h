#pragma once
// Nk: stubs that ask NTOS for something (S61, S88). Each parks the current thread until NTOS has answered; what comes
// back is untrusted and is checked here as far as the call itself allows.
#include "ke/base.h"

namespace sk {

/// Commits `pages` pages at `base` (exactly there) in the process of NTOS. ConflictingAddresses if NTOS answers another
/// place; the caller claims the pages before it believes in them.
NtStatus NkAllocateVirtualMemory(uint64_t normal_process, uint64_t& base, uint64_t pages);
NtStatus NkFreeVirtualMemory(uint64_t normal_process, uint64_t base, uint64_t pages);
/// Page frames behind `count` (1..10) pages.
inline constexpr uint64_t pages_per_query = 10;
NtStatus NkGetPhysicalPages(uint64_t normal_process, uint64_t address, uint64_t count, uint64_t* pfns);
/// memmove between VTL 0 addresses.
NtStatus NkCopyVirtualMemory(uint64_t destination, uint64_t source, uint32_t length);
NtStatus NkAlertThreadByThreadId(uint64_t tid);
NtStatus NkWaitForAlertByThreadId(uint64_t mode, bool has_timeout, uint64_t timeout);
/// NTOS ends the calling thread or process; these may come back only if NTOS misbehaves.
void NkTerminateThread(bool self, uint64_t exit_status);
void NkTerminateProcess(uint64_t exit_status);
/// A system call of a trustlet that NTOS answers: state 2, up to twelve arguments.
NtStatus NkSystemCall(uint16_t number, const uint64_t* arguments, size_t count);

}  // namespace sk
