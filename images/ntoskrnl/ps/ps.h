#pragma once
// Processes: ordinary ones, and those whose inside belongs to the secure kernel.
#include "abi/sk/call_frame.h"
#include "ke/ke.h"
#include "mm/mm.h"
#include "ob/ob.h"

struct EPROCESS {
  DISPATCHER_HEADER header;
  uint64_t pid;
  uint64_t directory_table_base;  ///< CR3 of its VTL 0 address space
  uint64_t secure_pid;  ///< the secure kernel's handle, 0 for an ordinary process (section 7.6)
  uint64_t image_base;
  uint32_t image_size;
  bool terminating;
  NtStatus exit_status;
  MMVAD* vads;
  HANDLE_TABLE handles;
  KTHREAD* threads;
  EPROCESS* next;
  char name[64];  ///< ImageFileName, longer than Windows' 15 characters
};

extern EPROCESS* PsInitialSystemProcess;

/// PS_ATTRIBUTE of NtCreateUserProcess (section 7.11).
struct PS_ATTRIBUTE {
  uint64_t attribute;
  uint64_t size;
  uint64_t value;
  uint64_t return_length;
};
inline constexpr uint64_t PS_ATTRIBUTE_SECURE_PROCESS = 0x20012;

void PsInitSystem();
EPROCESS* PsCreateSecureSystemProcess();
/// The kernel's half of NtCreateUserProcess: an image of the boot volume, attributes, one thread
/// that is not started yet.
NtStatus PspCreateUserProcess(const char* image_name, const PS_ATTRIBUTE* attributes,
                              uint32_t attribute_count, EPROCESS** process, KTHREAD** thread);
KTHREAD* PsCreateSystemThread(ThreadStart start, void* context);
void PspResumeThread(KTHREAD* thread);
[[noreturn]] void PspTerminateCurrentProcess(NtStatus status);
[[noreturn]] void PspExitThread(NtStatus status);
/// Waits until every thread is gone, then gives everything back.
void PspDeleteProcess(EPROCESS* process);

extern "C" NtStatus PsLookupProcessByProcessId(uint64_t pid, EPROCESS** process);
extern "C" const char* PsGetProcessImageFileName(const EPROCESS* process);
KTHREAD* PsLookupThreadByThreadId(uint64_t tid);
void PsAnnounceProcess(const EPROCESS* process);
void PsAnnounceProcessExit(const EPROCESS* process);
// What still lives ends with the power: said before the secure kernel wipes its trustlets (service 237).
void PsShutdownSystem();

/// True for the address of a live process.
bool PsIsProcess(const EPROCESS* candidate);
void strncpy_name(char (&to)[64], const char* from);

/// Normal services (ps/ium.cpp): what the secure kernel asks of NTOS.
void PsDispatchIumService(abi::sk::SkCall* call);

/// The user half of the loader (ps/load.cpp): maps an image file and the DLLs that it imports.
NtStatus PspMapUserImage(EPROCESS* process, const char* name, uint64_t* base, uint64_t* entry);
