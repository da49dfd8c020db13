#pragma once
// What drivers may call: the exports of ntoskrnl.exe (exports.def). Prototypes as Windows' wdm.h
// and ntifs.h have them where the function is Windows' own.
#include <stdint.h>

#include "abi/sk/status.h"
#include "ntoskrnl/exception_record.h"

using abi::NtStatus;
struct EPROCESS;
struct DRIVER_OBJECT;

using TryRoutine = NtStatus (*)(void* context);

extern "C" {
__declspec(dllimport) void DbgPrint(const char* text);
/// Ours, in place of structured exception handling: calls routine(context); an exception inside
/// becomes a status.
__declspec(dllimport) NtStatus KeTryAccess(TryRoutine routine, void* context,
                                           EXCEPTION_RECORD64* record);
__declspec(dllimport) void* ExAllocatePoolWithTag(uint32_t type, uint64_t bytes, uint32_t tag);
__declspec(dllimport) void ExFreePoolWithTag(void* p, uint32_t tag);
__declspec(dllimport) void KeStackAttachProcess(EPROCESS* process);
__declspec(dllimport) void KeUnstackDetachProcess();
__declspec(dllimport) uint64_t MmGetPhysicalAddress(const void* address);
__declspec(dllimport) void* MmGetVirtualForPhysical(uint64_t physical);
__declspec(dllimport) void* MmMapIoSpace(uint64_t physical, uint64_t bytes, uint32_t cache);
__declspec(dllimport) void MmUnmapIoSpace(void* address, uint64_t bytes);
__declspec(dllimport) NtStatus PsLookupProcessByProcessId(uint64_t pid, EPROCESS** process);
__declspec(dllimport) const char* PsGetProcessImageFileName(const EPROCESS* process);
}
