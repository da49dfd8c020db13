// PsDispatchIumService: the normal services of build 10240 (S88; rows in
// abi/sk/normal_services.def). The secure kernel trusts none of these answers; NTOS in turn checks
// that a request stays inside what was agreed.
#include <string.h>

#include "hvl/hvl.h"
#include "ps/ps.h"

namespace {

using abi::sk::parameter_count;
using Parameters = uint64_t (&)[parameter_count];

// +8 count; out +10 the MDL's page number: pages that leave NTOS's use.
NtStatus PspIumAllocatePhysicalPages(Parameters p) {
  const uint64_t count = p[0];
  if (count == 0 || count > abi::sk::transfer_mdl_max_pages) return NtStatus::InvalidParameter;
  if (count + 256 > MmFreePageCount()) return NtStatus::InsufficientResources;
  const PFN page = MiAllocatePage();
  auto mdl = MiPhysicalToVirtual<abi::sk::TransferMdl>(page * PAGE_SIZE);
  mdl->size = static_cast<uint16_t>(48 + 8 * count);
  mdl->byte_count = static_cast<uint32_t>(count * PAGE_SIZE);
  for (uint64_t i = 0; i < count; ++i)
    mdl->pfn[i] = MiAllocatePage();
  p[1] = page;
  return NtStatus::Success;
}

// The MDL's page comes back with the pages that it lists.
NtStatus PspIumFreePhysicalPages(Parameters p) {
  const auto mdl = MiPhysicalToVirtual<abi::sk::TransferMdl>(p[0] * PAGE_SIZE);
  if (p[0] == 0 || p[0] >= page_of(KeLoaderBlock->memory_size)) return NtStatus::InvalidParameter;
  if (mdl->size < 48 || mdl->size > sizeof *mdl) return NtStatus::InvalidParameter;
  const uint32_t count = (mdl->size - 48u) / 8;
  for (uint32_t i = 0; i < count; ++i)
    MiFreePages(mdl->pfn[i], 1);
  MiFreePages(p[0], 1);
  return NtStatus::Success;
}

// `IUM [VP:…,LN:…] text`, from the header word and 94 bytes of text.
NtStatus PspIumDbgPrint(Parameters p) {
  uint8_t bytes[96];
  memcpy(bytes, p, sizeof bytes);
  uint16_t header{};
  memcpy(&header, bytes, 2);
  char text[95]{};
  memcpy(text, bytes + 2, 94);
  DbgPrintEx("IUM [VP:{},LN:{}] {}", header >> 13, header >> 1 & 0xFFF,
             static_cast<const char*>(text));
  return NtStatus::Success;
}

// +8 process, +10 address, +18 count: the page numbers that back a range of the process, written
// from +10 on.
NtStatus PspIumGetPhysicalPages(Parameters p) {
  auto process = reinterpret_cast<EPROCESS*>(p[0]);
  const uint64_t address = p[1], count = p[2];
  if (!PsIsProcess(process) || address % PAGE_SIZE != 0 || count == 0 || count > 10)
    return NtStatus::InvalidParameter;
  uint64_t pages[10]{};
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t physical = MiTranslate(process->directory_table_base, address + i * PAGE_SIZE);
    if (physical == ~0ull) return NtStatus::AccessViolation;
    pages[i] = page_of(physical);
  }
  for (uint64_t i = 0; i < count; ++i)
    p[1 + i] = pages[i];
  return NtStatus::Success;
}

// Blocks until the thread is alerted or the time is over.
NtStatus PspIumWaitForAlert(Parameters p) {
  KTHREAD* thread = KeGetCurrentThread();
  const auto timeout = static_cast<int64_t>(p[2]);
  thread->waits_for_alert = true;
  const NtStatus status =
      KeWaitForSingleObject(&thread->alert.header, p[1] != 0 ? &timeout : nullptr);
  thread->waits_for_alert = false;
  return status == NtStatus::Success ? NtStatus::Alerted : status;
}

NtStatus PspIumAlertThread(Parameters p) {
  KTHREAD* thread = PsLookupThreadByThreadId(p[0]);
  if (thread == nullptr) return nt_status::InvalidCid;
  KeSetEvent(&thread->alert);
  return NtStatus::Success;
}

// Only into the buffer that the caller of the secure service offered: NTOS trusts the secure
// kernel, not every frame.
NtStatus PspIumCopyVirtualMemory(Parameters p) {
  const KTHREAD* thread = KeGetCurrentThread();
  const uint64_t destination = p[0], source = p[1], length = p[2] & 0xFFFFFFFF;
  if (destination < thread->offered_buffer || length > thread->offered_size ||
      destination - thread->offered_buffer > thread->offered_size - length)
    return NtStatus::AccessViolation;
  struct Copy {
    uint64_t to, from, size;
  } copy{destination, source, length};
  return KeTryAccess(
      [](void* context) {
        const auto c = static_cast<const Copy*>(context);
        memmove(reinterpret_cast<void*>(c->to), reinterpret_cast<const void*>(c->from), c->size);
        return NtStatus::Success;
      },
      &copy, nullptr);
}

// The pages that come of it are NTOS's until the secure kernel asks for their numbers and takes
// access away.
NtStatus PspIumAllocateVirtualMemory(Parameters p) {
  auto process = reinterpret_cast<EPROCESS*>(p[0]);
  if (!PsIsProcess(process)) return NtStatus::InvalidParameter;
  const auto type = static_cast<uint32_t>(p[3]), protect = static_cast<uint32_t>(p[3] >> 32);
  uint64_t base = p[1], size = p[2];
  const NtStatus status = MmAllocateVirtualMemory(process, &base, &size, type, protect);
  if (succeeded(status)) {
    p[1] = base;
    p[2] = size;
  }
  return status;
}

NtStatus PspIumFreeVirtualMemory(Parameters p) {
  auto process = reinterpret_cast<EPROCESS*>(p[0]);
  if (!PsIsProcess(process)) return NtStatus::InvalidParameter;
  return MmFreeVirtualMemory(process, p[1], p[2], static_cast<uint32_t>(p[3]));
}

NtStatus PspIumGetCurrentProcessorNumber(Parameters p) {
  p[1] = 0;
  return NtStatus::Success;  // group 0 stands at +8, where the status is too
}

NtStatus PspIumCheckForApcDelivery(Parameters) {
  KeEnterCriticalRegion();
  KeLeaveCriticalRegion();
  return NtStatus::Success;
}

NtStatus serve(NormalService service, Parameters p) {
  switch (service) {
    case NormalService::AllocatePhysicalPages:
      return PspIumAllocatePhysicalPages(p);
    case NormalService::FreePhysicalPages:
      return PspIumFreePhysicalPages(p);
    case NormalService::DbgPrint:
      return PspIumDbgPrint(p);
    case NormalService::GetPhysicalPages:
      return PspIumGetPhysicalPages(p);
    case NormalService::TerminateThread:
      PspExitThread(static_cast<NtStatus>(p[0] == 0 ? 0 : static_cast<uint32_t>(p[1])));
    case NormalService::TerminateProcess:
      PspTerminateCurrentProcess(static_cast<NtStatus>(static_cast<uint32_t>(p[0])));
    case NormalService::AlertThreadByThreadId:
      return PspIumAlertThread(p);
    case NormalService::WaitForAlertByThreadId:
      return PspIumWaitForAlert(p);
    case NormalService::CheckForApcDelivery:
      return PspIumCheckForApcDelivery(p);
    case NormalService::CopyVirtualMemory:
      return PspIumCopyVirtualMemory(p);
    case NormalService::AllocateVirtualMemory:
      return PspIumAllocateVirtualMemory(p);
    case NormalService::FreeVirtualMemory:
      return PspIumFreeVirtualMemory(p);
    case NormalService::GetCurrentProcessorNumber:
      return PspIumGetCurrentProcessorNumber(p);
    // 5, 6: structures of unknown layout; 9, 18, 19: user-mode debugging; 14: sections; 20: error
    // popups; 21..23: ETW.
    case NormalService::GetSystemData:
    case NormalService::GetProcessorInfo:
    case NormalService::DebugForwardException:
    case NormalService::GetSecureImageHandle:
    case NormalService::SuspendProcess:
    case NormalService::ResumeProcess:
    case NormalService::SendError:
    case NormalService::EtwRegister:
    case NormalService::EtwSetInformation:
    case NormalService::EtwWriteTransfer:
      return NtStatus::NotImplemented;
  }
  // Section 7.4: an unknown number ends the current thread.
  DbgPrintEx("ntoskrnl: unknown normal service {}\n", static_cast<uint32_t>(service));
  PspExitThread(NtStatus::AccessViolation);
}

}  // namespace

void PsDispatchIumService(abi::sk::SkCall* call) {
  const NtStatus status = serve(static_cast<NormalService>(call->code), call->parameter);
  call->parameter[0] = static_cast<uint32_t>(status);
}
