#include "se/failure_log.h"

#include "abi/sk/structures.h"
#include "skmm/boot_memory.h"
#include "skmm/pfn.h"

namespace sk {

using namespace abi::sk;

static uint64_t log_pfn;
static uint32_t records_written;
static constexpr uint32_t capacity = sizeof(LogPage::records) / sizeof(LogRecord);

NtStatus SeRegisterLogPage(uint64_t pfn) {
  const Pfn* page = SkmmPfn(pfn);
  if (page == nullptr || page->state != PfnState::Shared || log_pfn != 0) return NtStatus::InvalidParameter;
  log_pfn = pfn;
  *SkmmFromPhysical<LogPage>(pfn * page_size) = {.count = 0, .capacity = capacity, .reserved = {}, .records = {}};
  return NtStatus::Success;
}

// The page stays NTOS's: it is written, never read. Its state is asked again, for NTOS may have given it away.
void SeLogFailure(NtStatus status, uint32_t service, uint64_t detail) {
  if (log_pfn == 0 || SkmmPfn(log_pfn)->state != PfnState::Shared) return;
  auto* page = SkmmFromPhysical<LogPage>(log_pfn * page_size);
  page->records[records_written % capacity] = {static_cast<uint32_t>(status), service, detail, "skci"};
  page->count = ++records_written;
}

}  // namespace sk
