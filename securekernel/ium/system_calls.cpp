// The secure system-call interface: 48 calls of NT and six of its own; every other number is refused (S91, S95).
#include <string.h>

#include "abi/hv/msrs.h"
#include "abi/sk/tables.h"
#include "dbg/debug_port.h"
#include "ium/capabilities.h"
#include "ium/nt_calls.h"
#include "ium/secure_calls.h"
#include "ium/system_call_entry.h"
#include "ke/descriptor_tables.h"
#include "ke/skpcr.h"
#include "rt/arch.h"
#include "ske/thread.h"
#include "skmm/user_memory.h"
#include "skps/process.h"

namespace sk {

static constexpr uint32_t msr_star = 0xC0000081, msr_lstar = 0xC0000082, msr_sfmask = 0xC0000084;
static constexpr uint64_t flags_cleared_on_entry = 0x4700;  // TF, IF, DF, NT

void IumInitSystemCalls() {
  // SYSCALL: CS = 31:16 of the high half, SS = CS + 8. SYSRET to 64 bits: CS = 63:48 + 16, SS = 63:48 + 8.
  arch::write_msr(msr_star, uint64_t{user_compatible_code_selector} << 48 | uint64_t{kernel_code_selector} << 32);
  arch::write_msr(msr_lstar, reinterpret_cast<uint64_t>(&IumSystemCallEntry));
  arch::write_msr(msr_sfmask, flags_cleared_on_entry);
}

// Arguments beyond four lie on the trustlet's stack, behind the return address and the four home slots.
static NtStatus capture_arguments(const SystemCallFrame& frame, size_t count,
                                  uint64_t (&arguments)[abi::sk::parameter_count]) {
  memcpy(arguments, frame.arguments, sizeof frame.arguments);
  if (count <= 4) return NtStatus::Success;
  return SkmmCopyFromUser(arguments + 4, frame.rsp + 0x28, (count - 4) * sizeof(uint64_t));
}

template <class Row, size_t Count>
static NtStatus dispatch(const Row (&rows)[Count], SystemCallContext& call, const SystemCallFrame& frame) {
  for (const Row& row : rows) {
    if (row.number != frame.number) continue;
    if (row.handler == nullptr) return NtStatus::NotImplemented;
    SK_TRY(capture_arguments(frame, row.arguments, call.arguments));
    return row.handler(call);
  }
  ++SkCounters.refused_system_calls;
  return NtStatus::InvalidSystemService;
}

uint64_t IumDispatchSystemCall(SystemCallFrame* frame) {
  ++SkCounters.user_system_calls;
  SkThread& thread = *SkeCurrentThread();
  SystemCallContext call{thread, *thread.process, {}};
  NtStatus status;
  if ((frame->number & abi::sk::secure_call_bit) == 0) {
    status = dispatch(ium_nt_calls, call, *frame);
  } else if (abi::sk::find_row(abi::sk::secure_calls, static_cast<uint32_t>(frame->number)) != nullptr &&
             !SkIsCapable(*thread.process, static_cast<uint32_t>(frame->number))) {
    ++SkCounters.refused_by_capability;  // before any argument is read (decisions 3)
    status = NtStatus::AccessDenied;
  } else {
    status = dispatch(ium_secure_calls, call, *frame);
  }
  if (thread.exit_requested) SkpsTerminateCurrentThread(NtStatus::ProcessIsTerminating);
  return static_cast<uint32_t>(status);
}

}  // namespace sk
