#pragma once
// The native library of ordinary processes: system call stubs and what start-up code needs.
#include <stdint.h>

#include "abi/sk/status.h"

using abi::NtStatus;

inline constexpr uint64_t NtCurrentProcess = ~0ull;  // the pseudo-handle -1

inline constexpr uint32_t MEM_COMMIT = 0x1000, MEM_RESERVE = 0x2000;
inline constexpr uint32_t PAGE_READWRITE = 4;
inline constexpr uint32_t SystemBootEntropyInformation = 117;

extern "C" {
NtStatus NtAllocateVirtualMemory(uint64_t process, void** base, uint64_t zero_bits, uint64_t* size,
                                 uint32_t type, uint32_t protect);
NtStatus NtQuerySystemInformation(uint32_t info_class, void* buffer, uint32_t length,
                                  uint32_t* returned);
NtStatus NtWaitForAlertByThreadId(const void* address, const int64_t* timeout);
NtStatus NtTerminateProcess(uint64_t process, NtStatus status);
[[noreturn]] void RtlExitUserProcess(NtStatus status);
}
