#pragma once
// IUMDLL.DLL: the native library of isolated user mode, VTL 1's twin of ntdll (S92). One stub per row of
// vtl/abi/sk/ium_syscalls.def; names, numbers and argument counts stand there. What trustlets call is declared here.
#include "abi/sk/structures.h"
#include "abi/sk/status.h"

namespace ium {
using abi::NtStatus;
using Handle = uint64_t;
inline constexpr Handle current_process = ~uint64_t{0};
inline constexpr uint32_t mem_commit = 0x1000, mem_reserve = 0x2000, mem_release = 0x8000;
inline constexpr uint32_t page_readonly = 2, page_readwrite = 4;
}  // namespace ium

#ifdef IUMDLL_IMPLEMENTATION
#define IUMDLL_API extern "C"
#else
#define IUMDLL_API extern "C" __declspec(dllimport)
IUMDLL_API ium::NtStatus NtAllocateVirtualMemory(ium::Handle process, uint64_t* base, uint64_t zero_bits,
                                                 uint64_t* size, uint32_t type, uint32_t protect);
IUMDLL_API ium::NtStatus NtFreeVirtualMemory(ium::Handle process, uint64_t* base, uint64_t* size, uint32_t type);
IUMDLL_API ium::NtStatus NtProtectVirtualMemory(ium::Handle process, uint64_t* base, uint64_t* size,
                                                uint32_t protect, uint32_t* old_protect);
IUMDLL_API ium::NtStatus NtQueryPerformanceCounter(uint64_t* counter, uint64_t* frequency);
IUMDLL_API ium::NtStatus NtOpenKey(ium::Handle* key, uint32_t access, const void* object_attributes);
IUMDLL_API ium::NtStatus NtClose(ium::Handle handle);
IUMDLL_API ium::NtStatus NtWaitForAlertByThreadId(const void* address, const int64_t* timeout);
IUMDLL_API ium::NtStatus NtTerminateProcess(ium::Handle process, ium::NtStatus status);
IUMDLL_API ium::NtStatus NtTerminateThread(ium::Handle thread, ium::NtStatus status);
IUMDLL_API ium::NtStatus IumGetIdk(uint32_t kind, void* buffer, uint32_t* size);
IUMDLL_API ium::NtStatus IumSetTrustletInstance(const abi::sk::Guid* instance);
IUMDLL_API ium::NtStatus IumPostMailbox(uint32_t slot, const void* data, uint32_t length);
IUMDLL_API ium::NtStatus IumCrypto(abi::sk::CryptoParameters* parameters);
IUMDLL_API ium::NtStatus IumStoragePut(uint32_t id, const void* data, uint32_t length);
IUMDLL_API ium::NtStatus IumStorageGet(uint32_t id, void* data, uint32_t* length);
#endif
