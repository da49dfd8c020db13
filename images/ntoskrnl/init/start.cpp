// KiSystemStartup: from the loader's hand-over to the idle loop. The thread that runs here becomes
// the idle thread.
#include "boot/debug.h"
#include "hvl/hvl.h"
#include "init/init.h"
#include "io/io.h"
#include "mm/mm.h"
#include "ps/ps.h"
#include "rt/panic.h"
#include "rt/startup.h"

NtLoaderBlock* KeLoaderBlock;

namespace {

void on_panic(const char* text) {
  DbgPrintEx("ntoskrnl: panic: {}\n", text);
  KeBugCheckEx(0xE2);  // MANUALLY_INITIATED_CRASH
}

// Memory management's first part. At its end the secure kernel takes its own pages away from VTL 0
// and, with HVCI, execution from everything that the loader did not vouch for (section 7.14, step
// 9: secure service 208).
void MmInitNucleus() {
  HvlInitializeIum();
  if (HvlVsmActive())
    boot::milestone("ntoskrnl: HvlInitializeIum: the secure kernel's memory is closed to VTL 0");
}

const char* describe_world() {
  if (HvlVsmActive()) return "root partition, VTL 0, under a secure kernel";
  return HvlQueryHypervisorPresent() ? "root partition, no VTL 1" : "bare machine";
}

}  // namespace

extern "C" [[noreturn]] void KiSystemStartup(NtLoaderBlock* loader_block) {
  KeLoaderBlock = loader_block;
  rt::run_static_initializers();
  rt::set_panic_handler(on_panic);
  KiInitializeProcessor();
  if (loader_block->size != sizeof(NtLoaderBlock) || loader_block->version != 1)
    KeBugCheckEx(0x100);  // LOADER_BLOCK_MISMATCH
  boot::milestone("ntoskrnl: KiSystemStartup, build {}", loader_block->profile);

  MiInitializePfnDatabase();
  MmInitSystem();
  PsInitSystem();
  ExInitializeRandom();
  HvlInitSystem();
  MmInitNucleus();
  KiInitializeSystemCalls();
  KeInitializeClock();
  boot::milestone("ntoskrnl: phase 0 done: {}, {} free pages", describe_world(), MmFreePageCount());

  PsCreateSystemThread(Phase1Initialization, nullptr);
  KiIdleLoop();
}
