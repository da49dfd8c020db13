#pragma once
// Files that winload left in memory, drivers, power.
#include "nt.h"

struct BOOT_FILE {
  const void* data;  ///< in the direct map, page-aligned; null: there is no such file
  uint64_t size;
};
/// By file name without folder: what stands in \Windows\System32 and its drivers folder.
BOOT_FILE IoFindBootFile(const char* name);

struct DRIVER_OBJECT {
  uint64_t base;
  uint32_t size;
  uint64_t entry;
  uint64_t secure_image;  ///< handle in the secure kernel, 0 without HVCI
  char name[64];
};

enum class DriverLoad : uint8_t {
  Validated,  ///< as NtLoadDriver does: with HVCI the secure kernel decides
  Forced,     ///< as an attacker in ring 0 does who has patched the check out (S68)
};
/// Maps, relocates and binds a driver. `verdict` is what SKCI said; with HVCI off nobody judges and
/// it stays success.
NtStatus IopLoadDriver(const char* name, DriverLoad how, DRIVER_OBJECT* driver, NtStatus* verdict);

using DRIVER_INITIALIZE = NtStatus (*)(DRIVER_OBJECT* driver, const void* registry_path);
void IopUnloadDriver(DRIVER_OBJECT* driver);

void PoInitiateShutdown();

// ex/: randomness and query classes
void ExInitializeRandom();
void ExGetRandomBytes(void* to, uint64_t size);
void ExAddEntropy(const void* from, uint64_t size);

/// Prints to the observation port and, from the first call on, to COM1.
extern "C" void DbgPrint(const char* text);
