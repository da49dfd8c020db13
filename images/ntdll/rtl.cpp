#include "ntdll/ntdll.h"

// ntdll's own initialisation has nothing to do here: the kernel has mapped and bound every image of
// the process.
extern "C" uint32_t LdrpInitialize(void*, uint32_t, void*) {
  return 1;
}

void RtlExitUserProcess(NtStatus status) {
  NtTerminateProcess(NtCurrentProcess, status);
  __builtin_trap();
}
