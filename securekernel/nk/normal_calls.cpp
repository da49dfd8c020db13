#include "nk/normal_calls.h"

#include "abi/sk/tables.h"
#include "dbg/debug_port.h"
#include "ske/thread.h"

namespace sk {

using abi::sk::NormalService;
using abi::sk::SkCall;
using abi::sk::State;

static constexpr uint64_t mem_commit_reserve = 0x3000, mem_release = 0x8000, page_readwrite = 4;

static NtStatus call(NormalService service, SkCall& frame) {
  ++SkCounters.normal_calls;
  frame.state = static_cast<uint8_t>(State::NormalService);
  frame.code = static_cast<uint16_t>(service);
  SkCallNormalMode(frame);
  return static_cast<NtStatus>(frame.parameter[0]);
}

NtStatus NkAllocateVirtualMemory(uint64_t normal_process, uint64_t& base, uint64_t pages) {
  SkCall frame{};
  frame.parameter[0] = normal_process;
  frame.parameter[1] = base;
  frame.parameter[2] = pages * page_size;
  frame.parameter[3] = mem_commit_reserve | page_readwrite << 32;
  SK_TRY(call(NormalService::AllocateVirtualMemory, frame));
  const bool good = base == 0 || frame.parameter[1] == base;
  if (!good || frame.parameter[2] != pages * page_size || frame.parameter[1] % page_size != 0) {
    ++SkCounters.answers_refused;
    return NtStatus::ConflictingAddresses;
  }
  base = frame.parameter[1];
  return NtStatus::Success;
}

NtStatus NkFreeVirtualMemory(uint64_t normal_process, uint64_t base, uint64_t pages) {
  SkCall frame{};
  frame.parameter[0] = normal_process;
  frame.parameter[1] = base;
  frame.parameter[2] = pages * page_size;
  frame.parameter[3] = mem_release;
  return call(NormalService::FreeVirtualMemory, frame);
}

NtStatus NkGetPhysicalPages(uint64_t normal_process, uint64_t address, uint64_t count, uint64_t* pfns) {
  if (count == 0 || count > pages_per_query) return NtStatus::InvalidParameter;
  SkCall frame{};
  frame.parameter[0] = normal_process;
  frame.parameter[1] = address;
  frame.parameter[2] = count;
  SK_TRY(call(NormalService::GetPhysicalPages, frame));
  for (uint64_t i = 0; i < count; ++i) pfns[i] = frame.parameter[1 + i];
  return NtStatus::Success;
}

NtStatus NkCopyVirtualMemory(uint64_t destination, uint64_t source, uint32_t length) {
  SkCall frame{};
  frame.parameter[0] = destination;
  frame.parameter[1] = source;
  frame.parameter[2] = length;
  return call(NormalService::CopyVirtualMemory, frame);
}

NtStatus NkAlertThreadByThreadId(uint64_t tid) {
  SkCall frame{};
  frame.parameter[0] = tid;
  return call(NormalService::AlertThreadByThreadId, frame);
}

NtStatus NkWaitForAlertByThreadId(uint64_t mode, bool has_timeout, uint64_t timeout) {
  SkCall frame{};
  frame.parameter[0] = mode;
  frame.parameter[1] = has_timeout ? 1 : 0;
  frame.parameter[2] = timeout;
  return call(NormalService::WaitForAlertByThreadId, frame);
}

void NkTerminateThread(bool self, uint64_t exit_status) {
  SkCall frame{};
  frame.parameter[0] = self ? 0 : 1;
  frame.parameter[1] = exit_status;
  call(NormalService::TerminateThread, frame);
}

void NkTerminateProcess(uint64_t exit_status) {
  SkCall frame{};
  frame.parameter[0] = exit_status;
  call(NormalService::TerminateProcess, frame);
}

NtStatus NkSystemCall(uint16_t number, const uint64_t* arguments, size_t count) {
  ++SkCounters.normal_calls;
  SkCall frame{};
  frame.state = static_cast<uint8_t>(State::UserSystemCall);
  frame.code = number;
  for (size_t i = 0; i < count && i < abi::sk::parameter_count; ++i) frame.parameter[i] = arguments[i];
  SkCallNormalMode(frame);
  return static_cast<NtStatus>(frame.parameter[0]);
}

}  // namespace sk
