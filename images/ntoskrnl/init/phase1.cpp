// Phase 1: the system has threads, and tells the secure kernel so.
#include "boot/debug.h"
#include "hvl/hvl.h"
#include "init/init.h"
#include "io/io.h"
#include "mm/mm.h"
#include "ps/ps.h"

namespace {

// Once per second. Among its duties on Windows: let VTL 1 do deferred work, since a processor could
// otherwise stay in VTL 0 for ever (S81; secure service 209).
void KeBalanceSetManager(void*) {
  for (;;) {
    KeDelayExecutionThread(one_second);
    HvlPeriodic();
  }
}

void PspIumInitialize() {
  if (!HvlVsmActive()) return;
  if (const NtStatus status = HvlPhase1Initialize(); !succeeded(status)) {
    DbgPrintEx("ntoskrnl: secure kernel initialisation answered {:#010x}\n", status);
    return;
  }
  boot::milestone("ntoskrnl: entropy exchanged, phases reported; HVCI {}{}",
                  HvlHvciInForce() ? "on" : "off",
                  (HvlpStrongCodeFlags & StrongCodeMbec) != 0 ? ", MBEC" : "");
  if (const NtStatus status = HvlRegisterSystemDlls(); !succeeded(status))
    DbgPrintEx("ntoskrnl: HvlRegisterSystemDlls: {:#010x}\n", status);
}

}  // namespace

void PoInitiateShutdown() {
  boot::milestone("ntoskrnl: shutting down");
  PsShutdownSystem();
  if (const NtStatus status = HvlNotifyShutdown(); !succeeded(status))
    DbgPrintEx("ntoskrnl: secure service 237 answered {:#010x}\n", status);
  arch::disable_interrupts();
  arch::out16(0x604, 0x3400);  // ACPI S5
  arch::stop();
}

void Phase1Initialization(void*) {
  MmFreeLoaderMemory();
  PsAnnounceProcess(PsInitialSystemProcess);
  PspIumInitialize();
  KeStartAllProcessors();
  PsCreateSystemThread(KeBalanceSetManager, nullptr);
  boot::milestone("ntoskrnl: phase 1 done");
  SmRunSession();
  PoInitiateShutdown();
}
