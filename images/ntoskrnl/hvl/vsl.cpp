// Secure services as NTOS asks for them: numbers and argument offsets are rows of
// abi/sk/secure_services.def.
#include <string.h>

#include "hvl/hvl.h"
#include "io/io.h"
#include "mm/mm.h"
#include "ps/ps.h"

extern "C" uint64_t HvlpVsmVtlCallVa;
extern KSEMAPHORE HvlpIumThreadSemaphore;

uint64_t HvlpStrongCodeFlags;

namespace {

/// Where the secure kernel explains refusals (S83); read by PspIumLogBuffer's owner when an image
/// is refused.
abi::sk::LogPage* PspIumLogBuffer;

void report_failure_log() {
  if (PspIumLogBuffer == nullptr || PspIumLogBuffer->count == 0 || PspIumLogBuffer->capacity == 0)
    return;
  const uint32_t newest = (PspIumLogBuffer->count - 1) % PspIumLogBuffer->capacity;
  if (newest >= sizeof PspIumLogBuffer->records / sizeof PspIumLogBuffer->records[0]) return;
  const abi::sk::LogRecord& record = PspIumLogBuffer->records[newest];
  char name[sizeof record.name + 1]{};
  memcpy(name, record.name, sizeof record.name);
  DbgPrintEx("ntoskrnl: secure kernel log: service {}, status {:#010x}, detail {:#x} {}\n",
             record.service, record.status, record.detail, static_cast<const char*>(name));
}

// S83: registered during PspIumInitialize.
NtStatus HvlRegisterLogPages() {
  const PFN page = MiAllocatePage();
  PspIumLogBuffer = MiPhysicalToVirtual<abi::sk::LogPage>(page * PAGE_SIZE);
  const PFN mdl = MmBuildTransferMdl(PspIumLogBuffer, PAGE_SIZE);
  SecureCall call;
  call[0] = mdl;
  const NtStatus status = call(SecureService::RegisterLogPages);
  MmFreeTransferMdl(mdl);
  return status;
}

// 64 bytes each way (S59).
NtStatus VslExchangeEntropy() {
  SecureCall call;
  ExGetRandomBytes(&call.frame.parameter[1], 64);
  const NtStatus status = call(SecureService::ExchangeEntropy);
  if (succeeded(status)) ExAddEntropy(&call.frame.parameter[1], 64);
  return status;
}

NtStatus HvlRegisterSecureSystemProcess() {
  EPROCESS* process = PsCreateSecureSystemProcess();
  SecureCall call;
  call[0] = process->pid;
  call[1] = reinterpret_cast<uint64_t>(process);
  const NtStatus status = call(SecureService::RegisterSystemProcess);
  if (succeeded(status)) process->secure_pid = call[2];
  PsAnnounceProcess(process);
  return status;
}

NtStatus query_strong_code_guarantees() {
  SecureCall call;
  const NtStatus status = call(SecureService::QueryStrongCodeGuarantees);
  if (succeeded(status)) HvlpStrongCodeFlags = call[1];
  return status;
}

// The bytes of a file, 506 pages at a time, become the secure kernel's own copy.
NtStatus fill_allocation(uint64_t allocation, const void* file, uint64_t size) {
  constexpr uint64_t chunk = abi::sk::transfer_mdl_max_pages * PAGE_SIZE;
  for (uint64_t done = 0; done < size; done += chunk) {
    const uint64_t part = size - done < chunk ? size - done : chunk;
    const PFN mdl = MmBuildTransferMdl(static_cast<const uint8_t*>(file) + done, part);
    SecureCall call;
    call[0] = allocation;
    call[1] = page_of(done);
    call[2] = mdl;
    const NtStatus status = call(SecureService::FillSecureAllocation);
    MmFreeTransferMdl(mdl);
    if (!succeeded(status)) return status;
  }
  return NtStatus::Success;
}

NtStatus create_image(const void* file, uint64_t size, bool user, uint64_t* image) {
  SecureCall allocate;
  allocate[0] = size;
  NtStatus status = allocate(SecureService::CreateSecureAllocation);
  if (!succeeded(status)) return status;
  const uint64_t allocation = allocate[1];
  status = fill_allocation(allocation, file, size);
  SecureCall create;
  if (succeeded(status)) {
    create[0] = allocation;
    create[1] = user ? 1 : 0;
    status = create(SecureService::CreateSecureImage);
  }
  if (!succeeded(status)) {
    HvlCloseSecureHandle(allocation);
    return status;
  }
  *image = create[1];
  SecureCall hash;
  hash[0] = *image;
  return hash(SecureService::FinalizeSecureImageHash);
}

}  // namespace

void HvlInitializeIum() {
  if (HvlpVsmVtlCallVa == 0) return;
  SecureCall call;
  call[0] = MmSharedUserDataPfn();
  const NtStatus status = call(SecureService::Phase0Initialize);
  if (!succeeded(status)) {
    DbgPrintEx("ntoskrnl: HvlInitializeIum: secure service 208 answered {:#010x}; VSM is off\n",
               status);
    HvlpVsmVtlCallVa = 0;
    return;
  }
  const auto threads = static_cast<int32_t>(call[1]);
  KeInitializeSemaphore(&HvlpIumThreadSemaphore, threads, threads);
  HvlpFlags |= HvlpVsmInitialized;
}

NtStatus HvlPhase1Initialize() {
  NtStatus status = HvlRegisterLogPages();
  if (succeeded(status)) status = VslExchangeEntropy();
  if (succeeded(status)) status = HvlRegisterSecureSystemProcess();
  if (succeeded(status)) {
    SecureCall call;
    status = call(SecureService::Phase3Initialize);
  }
  if (succeeded(status)) status = query_strong_code_guarantees();
  if (!succeeded(status))
    HvlpFlags &= ~HvlpVsmInitialized;  // as the 10240 listing: failure clears the flag
  return status;
}

NtStatus HvlCreateSecureImage(const void* file, uint64_t size, bool user, uint64_t* image,
                              NtStatus* verdict) {
  *image = 0;
  const NtStatus status = create_image(file, size, user, image);
  if (!succeeded(status)) {
    if (*image != 0) HvlCloseSecureHandle(*image);
    return status;
  }
  SecureCall finish;
  finish[0] = *image;
  *verdict = finish(SecureService::FinishSecureImageValidation);
  if (!succeeded(*verdict)) report_failure_log();
  return NtStatus::Success;
}

NtStatus HvlCloseSecureHandle(uint64_t handle) {
  SecureCall call;
  call[0] = handle;
  return call(SecureService::CloseSecureHandle);
}

NtStatus HvlValidateDriverPages(uint64_t image, uint64_t base, uint64_t size,
                                uint64_t* executable_pages) {
  SecureCall relocate;
  relocate[0] = image;
  relocate[1] = base;
  NtStatus status = relocate(SecureService::RelocateImage);
  *executable_pages = 0;
  constexpr uint64_t chunk = abi::sk::transfer_mdl_max_pages * PAGE_SIZE;
  for (uint64_t done = 0; succeeded(status) && done < size; done += chunk) {
    const PFN mdl = MmBuildTransferMdl(reinterpret_cast<const void*>(base + done),
                                       size - done < chunk ? size - done : chunk);
    SecureCall call;
    call[0] = image;
    call[1] = page_of(done);
    call[2] = mdl;
    status = call(SecureService::ValidateSecureImagePages);
    MmFreeTransferMdl(mdl);
    if (succeeded(status)) *executable_pages += call[1];
  }
  return status;
}

NtStatus HvlRegisterSystemDlls() {
  uint64_t images[2]{};
  const char* names[2] = {"iumdll.dll", "iumbase.dll"};
  for (int i = 0; i < 2; ++i) {
    const BOOT_FILE file = IoFindBootFile(names[i]);
    if (file.data == nullptr) return NtStatus::ObjectNameNotFound;
    NtStatus verdict{};
    const NtStatus status = HvlCreateSecureImage(file.data, file.size, true, &images[i], &verdict);
    if (!succeeded(status)) return status;
    if (!succeeded(verdict)) return verdict;
  }
  SecureCall call;
  call[0] = images[0];
  call[1] = images[1];
  return call(SecureService::RegisterSystemDlls);
}

NtStatus HvlCreateSecureProcess(EPROCESS* process, const void* file, uint64_t size,
                                uint64_t trustlet_id) {
  SecureCall create;
  create[0] = reinterpret_cast<uint64_t>(process);
  create[2] = process->pid;
  NtStatus status = create(SecureService::CreateProcess);
  if (!succeeded(status)) return status;
  process->secure_pid = create[1];

  uint64_t image{};
  NtStatus verdict{};
  status = HvlCreateSecureImage(file, size, true, &image, &verdict);
  if (succeeded(status)) status = verdict;
  if (!succeeded(status)) {
    if (image != 0) HvlCloseSecureHandle(image);
    return status;
  }
  SecureCall initialize;
  initialize[0] = process->secure_pid;
  initialize[1] = image;
  initialize[2] = trustlet_id;
  status = initialize(SecureService::InitializeProcess);
  if (succeeded(status)) {
    process->image_base = initialize[1];
    process->image_size = static_cast<uint32_t>(initialize[4]);
  }
  HvlCloseSecureHandle(image);
  return status;
}

NtStatus HvlCreateSecureThread(KTHREAD* thread) {
  SecureCall call;
  call[0] = thread->process->secure_pid;
  call[1] = reinterpret_cast<uint64_t>(thread);
  call[2] = thread->tid;
  const NtStatus status = call(SecureService::CreateThread);
  if (!succeeded(status)) return status;
  thread->secure_thread_cookie = static_cast<uint32_t>(call[1]);
  thread->teb = call[2];
  return status;
}

NtStatus HvlStartSecureThread(KTHREAD* thread) {
  SkCall call{};
  return HvlpEnterIumSecureMode(Operation::ResumeThread, 0, thread->secure_thread_cookie, &call);
}

NtStatus HvlTerminateSecureThread(uint32_t cookie) {
  SecureCall call;
  call[0] = cookie;
  return call(SecureService::TerminateThread);
}

NtStatus HvlRundownSecureProcess(EPROCESS* process) {
  SecureCall call;
  call[0] = process->secure_pid;
  return call(SecureService::RundownProcess);
}

NtStatus VslRetrieveMailbox(uint64_t trustlet_id, const uint64_t (&key)[2], uint64_t slot,
                            void* buffer, uint64_t* length) {
  // Normal service 13 will copy into this buffer and nowhere else (see PsDispatchIumService).
  KTHREAD* thread = KeGetCurrentThread();
  thread->offered_buffer = reinterpret_cast<uint64_t>(buffer);
  thread->offered_size = *length;
  SecureCall call;
  call[0] = trustlet_id;
  call[1] = key[0];
  call[2] = key[1];
  call[3] = slot;
  call[4] = reinterpret_cast<uint64_t>(buffer);
  call[5] = *length;
  const NtStatus status = call(SecureService::RetrieveMailbox);
  thread->offered_buffer = thread->offered_size = 0;
  if (succeeded(status) || status == NtStatus::BufferTooSmall) *length = call[1];
  return status;
}

void HvlPeriodic() {
  if (!HvlVsmActive()) return;
  SecureCall call;
  call(SecureService::Periodic);
}

NtStatus HvlNotifyShutdown() {
  if (!HvlVsmActive()) return NtStatus::Success;
  SecureCall call;
  call[0] = 0;  // power off
  return call(SecureService::NotifyShutdown);
}
