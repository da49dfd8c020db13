#include "ium/secure_services.h"

#include <string.h>

#include "dbg/debug_port.h"
#include "ke/init.h"

namespace sk {

using abi::sk::SecureService;
using abi::sk::SkCall;
using abi::sk::State;

struct ServiceRow {
  uint16_t number;
  ServiceHandler handler;  ///< null: not implemented
};

#define SK_HANDLER_Yes(name) &Service##name
#define SK_HANDLER_No(name) nullptr
static constexpr ServiceRow services[] = {
#define SK_SERVICE(name, number, implemented, inputs, outputs) {number, SK_HANDLER_##implemented(name)},
#include "abi/sk/secure_services.def"
};

SkCall ServiceCall::finish(NtStatus status) {
  SkCall frame = out_;
  frame.state = static_cast<uint8_t>(State::Finished);
  frame.parameter[0] = static_cast<uint32_t>(status);
  return frame;
}

// S59: NTOS comes up in phases, and each phase unlocks services. secure_services.def states the order.
static NtStatus check_phase(uint16_t number) {
  if (SkPhases.shut_down) return NtStatus::DeviceNotConnected;
  if (number >= abi::sk::first_pre_init_service) return NtStatus::Success;
  if (!SkPhases.phase0) return NtStatus::DeviceNotReady;
  const bool needs_phase3 = number == static_cast<uint16_t>(SecureService::RegisterSystemDlls) ||
                            (number >= static_cast<uint16_t>(SecureService::CreateProcess) &&
                             number <= static_cast<uint16_t>(SecureService::RetrieveMailbox));
  return needs_phase3 && !SkPhases.phase3 ? NtStatus::DeviceNotReady : NtStatus::Success;
}

static NtStatus invoke(ServiceCall& call, uint16_t number) {
  for (const ServiceRow& row : services) {
    if (row.number != number) continue;
    if (row.handler == nullptr) return NtStatus::NotImplemented;
    SK_TRY(check_phase(number));
    return row.handler(call);
  }
  return NtStatus::InvalidSystemService;  // decisions 7: no bug check in 10240
}

void IumInvokeSecureService(SkCall& frame) {
  ++SkCounters.secure_services;
  const uint16_t number = frame.code;
  ServiceCall call{frame};
  frame = call.finish(invoke(call, number));
}

}  // namespace sk
