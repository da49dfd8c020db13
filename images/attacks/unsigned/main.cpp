// A driver that nobody signed. That its one line is printed, or not, is the whole point (scenario
// 4).
#include "boot/debug.h"
#include "ntoskrnl/ntoskrnl.h"

extern "C" NtStatus DriverEntry(DRIVER_OBJECT*, const void*) {
  DbgPrint("unsigned.sys: I run in ring 0, and nobody signed me\n");
  boot::milestone("unsigned.sys: running in ring 0");
  return NtStatus::Success;
}
