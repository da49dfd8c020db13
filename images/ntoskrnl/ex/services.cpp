// System services. Pointers from user mode, or from the secure kernel on a trustlet's behalf, are
// probed and then touched only through KeTryAccess: the page may belong to VTL 1 by now, and then
// the access ends in an intercept.
#include "ex/services.h"

#include <string.h>

#include "io/io.h"
#include "ob/ob.h"
#include "ps/ps.h"

namespace {

constexpr uint32_t object_tag = 0x206A624F;  // "Obj "

uint64_t answer(NtStatus status) {
  return static_cast<uint32_t>(status);
}

struct Transfer {
  void* to;
  const void* from;
  uint64_t size;
};
NtStatus copy(void* context) {
  const auto t = static_cast<const Transfer*>(context);
  memcpy(t->to, t->from, t->size);
  return NtStatus::Success;
}

// With PreviousMode Kernel (state 3, the secure kernel's own request) kernel addresses are allowed.
bool allowed(uint64_t address, uint64_t size, bool write) {
  return KeGetCurrentThread()->previous_mode == Mode::Kernel || MmProbe(address, size, write);
}

template <class T>
NtStatus read(uint64_t address, T& value) {
  if (!allowed(address, sizeof value, false)) return NtStatus::AccessViolation;
  Transfer t{&value, reinterpret_cast<const void*>(address), sizeof value};
  return KeTryAccess(copy, &t, nullptr);
}

NtStatus write(uint64_t address, const void* from, uint64_t size) {
  if (!allowed(address, size, true)) return NtStatus::AccessViolation;
  Transfer t{reinterpret_cast<void*>(address), from, size};
  return KeTryAccess(copy, &t, nullptr);
}
template <class T>
NtStatus write(uint64_t address, const T& value) {
  return write(address, &value, sizeof value);
}

// -1 is the caller; other processes cannot be named: there are no process handles.
EPROCESS* process_of(HANDLE handle) {
  return handle == NtCurrentProcessHandle ? PsGetCurrentProcess() : nullptr;
}

// A timeout argument: a pointer to a value, or null.
NtStatus read_timeout(uint64_t address, int64_t& value, const int64_t*& pointer) {
  pointer = nullptr;
  if (address == 0) return NtStatus::Success;
  pointer = &value;
  return read(address, value);
}

NtStatus new_handle(uint64_t out, ObjectType type, void* object) {
  const HANDLE handle = ObCreateHandle(PsGetCurrentProcess(), type, object);
  if (handle == 0) {
    ExFreePoolWithTag(object, object_tag);
    return NtStatus::InsufficientResources;
  }
  const NtStatus status = write(out, handle);
  if (!succeeded(status)) ObCloseHandle(PsGetCurrentProcess(), handle);
  return status;
}

}  // namespace

#define SERVICE(name, a, b, c, d, e, f)                                                            \
  uint64_t name([[maybe_unused]] uint64_t a, [[maybe_unused]] uint64_t b,                          \
                [[maybe_unused]] uint64_t c, [[maybe_unused]] uint64_t d,                          \
                [[maybe_unused]] uint64_t e, [[maybe_unused]] uint64_t f, uint64_t, uint64_t,      \
                uint64_t, uint64_t, uint64_t, uint64_t)

SERVICE(NtAllocateVirtualMemory, process_handle, base_address, zero_bits, region_size, type,
        protect) {
  EPROCESS* process = process_of(process_handle);
  if (process == nullptr) return answer(NtStatus::InvalidHandle);
  uint64_t base{}, size{};
  NtStatus status = read(base_address, base);
  if (succeeded(status)) status = read(region_size, size);
  if (succeeded(status))
    status = MmAllocateVirtualMemory(process, &base, &size, static_cast<uint32_t>(type),
                                     static_cast<uint32_t>(protect));
  if (succeeded(status)) status = write(base_address, base);
  if (succeeded(status)) status = write(region_size, size);
  return answer(status);
}

SERVICE(NtFreeVirtualMemory, process_handle, base_address, region_size, type, u4, u5) {
  EPROCESS* process = process_of(process_handle);
  if (process == nullptr) return answer(NtStatus::InvalidHandle);
  uint64_t base{}, size{};
  NtStatus status = read(base_address, base);
  if (succeeded(status)) status = read(region_size, size);
  if (succeeded(status))
    status = MmFreeVirtualMemory(process, base, size, static_cast<uint32_t>(type));
  return answer(status);
}

SERVICE(NtClose, handle, u1, u2, u3, u4, u5) {
  return answer(ObCloseHandle(PsGetCurrentProcess(), handle));
}

SERVICE(NtCreateEvent, out, access, attributes, type, initial_state, u5) {
  if (type > 1) return answer(NtStatus::InvalidParameter);
  auto event = static_cast<KEVENT*>(ExAllocatePoolWithTag(0, sizeof(KEVENT), object_tag));
  KeInitializeEvent(
      event, type == 0 ? DispatcherType::NotificationEvent : DispatcherType::SynchronizationEvent,
      initial_state != 0);
  return answer(new_handle(out, ObjectType::Event, event));
}

SERVICE(NtSetEvent, handle, previous_state, u2, u3, u4, u5) {
  auto event = static_cast<KEVENT*>(
      ObReferenceObjectByHandle(PsGetCurrentProcess(), handle, ObjectType::Event));
  if (event == nullptr) return answer(NtStatus::InvalidHandle);
  const int32_t previous = KeSetEvent(event);
  return answer(previous_state == 0 ? NtStatus::Success : write(previous_state, previous));
}

SERVICE(NtClearEvent, handle, u1, u2, u3, u4, u5) {
  auto event = static_cast<KEVENT*>(
      ObReferenceObjectByHandle(PsGetCurrentProcess(), handle, ObjectType::Event));
  if (event == nullptr) return answer(NtStatus::InvalidHandle);
  KeClearEvent(event);
  return answer(NtStatus::Success);
}

SERVICE(NtCreateSemaphore, out, access, attributes, initial, maximum, u5) {
  const auto count = static_cast<int32_t>(initial), limit = static_cast<int32_t>(maximum);
  if (limit <= 0 || count < 0 || count > limit) return answer(NtStatus::InvalidParameter);
  auto semaphore =
      static_cast<KSEMAPHORE*>(ExAllocatePoolWithTag(0, sizeof(KSEMAPHORE), object_tag));
  KeInitializeSemaphore(semaphore, count, limit);
  return answer(new_handle(out, ObjectType::Semaphore, semaphore));
}

SERVICE(NtReleaseSemaphore, handle, count, previous_count, u3, u4, u5) {
  auto semaphore = static_cast<KSEMAPHORE*>(
      ObReferenceObjectByHandle(PsGetCurrentProcess(), handle, ObjectType::Semaphore));
  if (semaphore == nullptr) return answer(NtStatus::InvalidHandle);
  int32_t previous{};
  if (!KeReleaseSemaphore(semaphore, static_cast<int32_t>(count), &previous))
    return answer(nt_status::SemaphoreLimitExceeded);
  return answer(previous_count == 0 ? NtStatus::Success : write(previous_count, previous));
}

SERVICE(NtWaitForSingleObject, handle, alertable, timeout, u3, u4, u5) {
  auto object = static_cast<DISPATCHER_HEADER*>(
      ObReferenceObjectByHandle(PsGetCurrentProcess(), handle, ObjectType::None));
  if (object == nullptr) return answer(NtStatus::InvalidHandle);
  int64_t value{};
  const int64_t* pointer{};
  const NtStatus status = read_timeout(timeout, value, pointer);
  return answer(succeeded(status) ? KeWaitForSingleObject(object, pointer) : status);
}

SERVICE(NtWaitForAlertByThreadId, address, timeout, u2, u3, u4, u5) {
  int64_t value{};
  const int64_t* pointer{};
  const NtStatus status = read_timeout(timeout, value, pointer);
  if (!succeeded(status)) return answer(status);
  KTHREAD* thread = KeGetCurrentThread();
  thread->waits_for_alert = true;
  const NtStatus waited = KeWaitForSingleObject(&thread->alert.header, pointer);
  thread->waits_for_alert = false;
  return answer(waited == NtStatus::Success ? NtStatus::Alerted : waited);
}

SERVICE(NtAlertThreadByThreadId, tid, u1, u2, u3, u4, u5) {
  KTHREAD* thread = PsLookupThreadByThreadId(tid);
  if (thread == nullptr) return answer(nt_status::InvalidCid);
  KeSetEvent(&thread->alert);
  return answer(NtStatus::Success);
}

SERVICE(NtQueryPerformanceCounter, counter, frequency, u2, u3, u4, u5) {
  uint64_t per_second{};
  const uint64_t now = KeQueryPerformanceCounter(&per_second);
  NtStatus status = write(counter, now);
  if (succeeded(status) && frequency != 0) status = write(frequency, per_second);
  return answer(status);
}

SERVICE(NtQuerySystemInformation, info_class, buffer, length, return_length, u4, u5) {
  // SystemBootEntropyInformation: here, 64 bytes of the kernel's generator. No other class is
  // implemented.
  constexpr uint64_t SystemBootEntropyInformation = 117;
  if (info_class != SystemBootEntropyInformation) return answer(NtStatus::NotImplemented);
  uint8_t random[64];
  if (length < sizeof random) return answer(NtStatus::InfoLengthMismatch);
  ExGetRandomBytes(random, sizeof random);
  NtStatus status = write(buffer, random, sizeof random);
  if (succeeded(status) && return_length != 0)
    status = write(return_length, static_cast<uint32_t>(sizeof random));
  memset(random, 0, sizeof random);
  return answer(status);
}

SERVICE(NtTerminateProcess, process_handle, exit_status, u2, u3, u4, u5) {
  if (process_handle != 0 && process_of(process_handle) == nullptr)
    return answer(NtStatus::InvalidHandle);
  PspTerminateCurrentProcess(static_cast<NtStatus>(static_cast<uint32_t>(exit_status)));
}

SERVICE(NtTerminateThread, thread_handle, exit_status, u2, u3, u4, u5) {
  if (thread_handle != 0 && thread_handle != NtCurrentThreadHandle)
    return answer(NtStatus::InvalidHandle);
  PspExitThread(static_cast<NtStatus>(static_cast<uint32_t>(exit_status)));
}
