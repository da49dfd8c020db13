// Services for secure processes and threads, and the mailbox on NTOS's side.
#include "abi/sk/structures.h"
#include "ium/mailbox.h"
#include "ium/secure_services.h"
#include "ske/thread.h"
#include "skps/process.h"

namespace sk {

NtStatus ServiceRegisterSystemDlls(ServiceCall& call) {
  return SkpsRegisterSystemDlls(call.argument(0x08), call.argument(0x10));
}

NtStatus ServiceRegisterSystemProcess(ServiceCall& call) {
  uint64_t secure_pid = 0;
  SK_TRY(SkpsRegisterSystemProcess(call.argument(0x08), call.argument(0x10), secure_pid));
  call.answer(0x18, secure_pid);
  return NtStatus::Success;
}

NtStatus ServiceCreateProcess(ServiceCall& call) {
  uint64_t secure_pid = 0;
  SK_TRY(SkpsCreateProcess(call.argument(0x08), call.argument(0x18), secure_pid));
  call.answer(0x10, secure_pid);
  return NtStatus::Success;
}

NtStatus ServiceInitializeProcess(ServiceCall& call) {
  if (call.argument(0x20) != 0 || call.argument(0x28) != 0 || call.argument(0x30) != 0)
    return NtStatus::InvalidParameter;
  ProcessReference process{call.argument(0x08)};
  ImageReference image{call.argument(0x10)};
  if (!process || !image) return NtStatus::InvalidHandle;
  SK_TRY(SkpsInitializeProcess(*process, *image, call.argument(0x18)));
  call.answer(0x10, process->image_base);
  call.answer(0x18, process->entry);
  call.answer(0x20, process->peb);
  call.answer(0x28, process->image_size);
  return NtStatus::Success;
}

NtStatus ServiceCreateThread(ServiceCall& call) {
  ProcessReference process{call.argument(0x08)};
  if (!process) return NtStatus::InvalidHandle;
  SkThread* thread = nullptr;
  SK_TRY(SkpsCreateThread(*process, call.argument(0x10), call.argument(0x18), thread));
  call.answer(0x10, thread->cookie);
  call.answer(0x18, thread->teb);
  return NtStatus::Success;
}

static SkThread* user_thread(uint64_t cookie) {
  SkThread* thread = cookie > ~uint32_t{0} ? nullptr : SkeFindThread(static_cast<uint32_t>(cookie));
  return thread != nullptr && thread->process != nullptr ? thread : nullptr;
}

NtStatus ServiceRequestThreadExit(ServiceCall& call) {
  SkThread* thread = user_thread(call.argument(0x08));
  if (thread == nullptr) return NtStatus::InvalidParameter;
  thread->exit_requested = true;
  return NtStatus::Success;
}

NtStatus ServiceTerminateThread(ServiceCall& call) {
  SkThread* thread = user_thread(call.argument(0x08));
  if (thread == nullptr) return NtStatus::InvalidParameter;
  uint64_t exit_status = 0;
  SK_TRY(SkpsTerminateThread(thread->cookie, exit_status));
  call.answer(0x10, exit_status);
  return NtStatus::Success;
}

NtStatus ServiceRundownProcess(ServiceCall& call) { return SkpsRundownProcess(call.argument(0x08)); }

NtStatus ServiceGetTebAddress(ServiceCall& call) {
  const SkThread* thread = user_thread(call.argument(0x08));
  if (thread == nullptr) return NtStatus::InvalidParameter;
  call.answer(0x10, thread->teb);
  return NtStatus::Success;
}

NtStatus ServiceGetPebAddress(ServiceCall& call) {
  ProcessReference process{call.argument(0x08)};
  if (!process) return NtStatus::InvalidHandle;
  call.answer(0x10, process->peb);
  return NtStatus::Success;
}

NtStatus ServiceRetrieveMailbox(ServiceCall& call) {
  abi::sk::Guid key;
  __builtin_memcpy(&key, call.bytes(0x10), sizeof key);
  uint32_t length = 0;
  const NtStatus status =
      SkRetrieveMailbox(call.argument(0x08), key, call.argument(0x20), call.argument(0x28), call.argument(0x30), length);
  if (succeeded(status) || status == NtStatus::BufferTooSmall) call.answer(0x10, length);
  return status;
}

}  // namespace sk
