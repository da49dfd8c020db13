// NT calls of trustlets (decisions 1). Those without pointers are forwarded as they are; those about memory and threads
// are decided here, with NTOS as the source of pages and of time to wait.
#include "ium/nt_calls.h"

#include "abi/hv/msrs.h"
#include "abi/sk/tables.h"
#include "nk/normal_calls.h"
#include "rt/arch.h"
#include "skmm/user_memory.h"
#include "skps/process.h"

namespace sk {

using abi::sk::NtCall;

static constexpr uint64_t current_process = ~uint64_t{0}, current_thread = ~uint64_t{1};
static constexpr uint32_t mem_commit = 0x1000, mem_reserve = 0x2000, mem_release = 0x8000;
static constexpr uint32_t page_readonly = 2, page_readwrite = 4;

static NtStatus forward(SystemCallContext& call, NtCall number, size_t count) {
  return NkSystemCall(static_cast<uint16_t>(number), call.arguments, count);
}

static NtStatus CallNtClose(SystemCallContext& call) { return forward(call, NtCall::NtClose, 1); }
static NtStatus CallNtClearEvent(SystemCallContext& call) { return forward(call, NtCall::NtClearEvent, 1); }
static NtStatus CallNtReleaseWorkerFactoryWorker(SystemCallContext& call) {
  return forward(call, NtCall::NtReleaseWorkerFactoryWorker, 1);
}
static NtStatus CallNtCancelWaitCompletionPacket(SystemCallContext& call) {
  return forward(call, NtCall::NtCancelWaitCompletionPacket, 2);
}

// S96: there is no registry; the stubs look at the arguments and find nothing.
static NtStatus CallNtOpenKey(SystemCallContext& call) {
  uint64_t object_attributes[6];
  SK_TRY(SkmmCopyFromUser(object_attributes, call.arguments[2], sizeof object_attributes));
  return NtStatus::ObjectNameNotFound;
}
static NtStatus CallNtOpenKeyEx(SystemCallContext& call) { return CallNtOpenKey(call); }

// Row 7: never asks NTOS. Reference time counts 100 ns.
static NtStatus CallNtQueryPerformanceCounter(SystemCallContext& call) {
  const uint64_t now = arch::read_msr(abi::hv::msr::TimeRefCount), frequency = 10'000'000;
  SK_TRY(SkmmCopyToUser(call.arguments[0], &now, sizeof now));
  return call.arguments[1] == 0 ? NtStatus::Success
                                : SkmmCopyToUser(call.arguments[1], &frequency, sizeof frequency);
}

static NtStatus CallNtAlertThreadByThreadId(SystemCallContext& call) {
  return NkAlertThreadByThreadId(call.arguments[0]);
}

// The timeout travels by value; the address that a waiter names is only compared by NTOS's twin and stays here.
static NtStatus CallNtWaitForAlertByThreadId(SystemCallContext& call) {
  uint64_t timeout = 0;
  const bool has_timeout = call.arguments[1] != 0;
  if (has_timeout) SK_TRY(SkmmCopyFromUser(&timeout, call.arguments[1], sizeof timeout));
  const NtStatus status = NkWaitForAlertByThreadId(1, has_timeout, timeout);
  const bool expected =
      status == NtStatus::Success || status == NtStatus::Alerted || status == NtStatus::Timeout;
  return expected ? status : NtStatus::DataError;
}

static NtStatus CallNtTerminateThread(SystemCallContext& call) {
  if (call.arguments[0] != 0 && call.arguments[0] != current_thread) return NtStatus::NotImplemented;
  SkpsTerminateCurrentThread(static_cast<NtStatus>(call.arguments[1]));
}

static NtStatus CallNtTerminateProcess(SystemCallContext& call) {
  if (call.arguments[0] != 0 && call.arguments[0] != current_process) return NtStatus::AccessDenied;
  SkpsTerminateCurrentProcess(static_cast<NtStatus>(call.arguments[1]));
}

// NtAllocateVirtualMemory(process, *base, zero bits, *size, type, protect): reserve and commit in one, read-write.
static NtStatus CallNtAllocateVirtualMemory(SystemCallContext& call) {
  const uint64_t base_address = call.arguments[1], size_address = call.arguments[3];
  if (call.arguments[0] != current_process) return NtStatus::AccessDenied;
  if (call.arguments[2] != 0 || (call.arguments[4] & mem_commit) == 0 ||
      (call.arguments[4] & ~uint64_t{mem_commit | mem_reserve}) != 0)
    return NtStatus::InvalidParameter;
  if (static_cast<uint32_t>(call.arguments[5]) != page_readwrite) return NtStatus::InvalidPageProtection;
  uint64_t base = 0, size = 0;
  SK_TRY(SkmmCopyFromUser(&base, base_address, sizeof base));
  SK_TRY(SkmmCopyFromUser(&size, size_address, sizeof size));
  if (size == 0 || size > maximum_range_pages * page_size) return NtStatus::InvalidParameter;
  base = base / page_size * page_size;
  SK_TRY(SkmmAllocateUserMemory(call.process, base, pages_for(size)));
  size = round_up(size, page_size);
  SK_TRY(SkmmCopyToUser(base_address, &base, sizeof base));
  return SkmmCopyToUser(size_address, &size, sizeof size);
}

// NtFreeVirtualMemory(process, *base, *size, type): whole ranges only.
static NtStatus CallNtFreeVirtualMemory(SystemCallContext& call) {
  if (call.arguments[0] != current_process) return NtStatus::AccessDenied;
  if (static_cast<uint32_t>(call.arguments[3]) != mem_release) return NtStatus::InvalidParameter;
  uint64_t base = 0;
  SK_TRY(SkmmCopyFromUser(&base, call.arguments[1], sizeof base));
  return SkmmFreeUserMemory(call.process, base);
}

// NtProtectVirtualMemory(process, *base, *size, protect, *old): data only; code is never made at run time (row 44).
static NtStatus CallNtProtectVirtualMemory(SystemCallContext& call) {
  if (call.arguments[0] != current_process) return NtStatus::AccessDenied;
  uint64_t base = 0, size = 0;
  SK_TRY(SkmmCopyFromUser(&base, call.arguments[1], sizeof base));
  SK_TRY(SkmmCopyFromUser(&size, call.arguments[2], sizeof size));
  const auto wanted = static_cast<uint32_t>(call.arguments[3]);
  if (wanted != page_readonly && wanted != page_readwrite) return NtStatus::InvalidPageProtection;
  base = base / page_size * page_size;
  if (size == 0 || SkmmFindRange(call.process, base, size) == nullptr) return NtStatus::InvalidParameter;
  const uint64_t entry = SkmmQueryPage(call.process.root, base);
  if ((entry & abi::x64::pte::no_execute) == 0) return NtStatus::InvalidPageProtection;
  const uint32_t old = (entry & abi::x64::pte::writable) != 0 ? page_readwrite : page_readonly;
  SK_TRY(SkmmCopyToUser(call.arguments[4], &old, sizeof old));
  return SkmmProtectUserMemory(call.process, base, pages_for(size),
                               wanted == page_readonly ? Protection::ReadOnly : Protection::ReadWrite);
}

#define HANDLER_Yes(name) &Call##name
#define HANDLER_No(name) nullptr
const SystemCallEntry ium_nt_calls[nt_call_count] = {
#define IUM_NT_CALL(name, number, arguments, answered, journey) {number, arguments, HANDLER_##journey(name)},
#include "abi/sk/ium_syscalls.def"
};

}  // namespace sk
