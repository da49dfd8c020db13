// The six calls that exist in VTL 1 only (S91, S101). They never leave it.
#include "ium/secure_calls.h"

#include "abi/sk/tables.h"
#include "ium/crypto.h"
#include "ium/mailbox.h"
#include "ium/storage.h"
#include "skmm/user_memory.h"

namespace sk {

using abi::sk::Guid;

// S110: once per process; it unlocks storage.
static NtStatus CallIumSetTrustletInstance(SystemCallContext& call) {
  Guid instance;
  SK_TRY(SkmmCopyFromUser(&instance, call.arguments[0], sizeof instance));
  if (instance == Guid{}) return NtStatus::InvalidParameter;
  if (call.process.instance != Guid{}) return NtStatus::AccessDenied;
  call.process.instance = instance;
  return NtStatus::Success;
}

static NtStatus CallIumPostMailbox(SystemCallContext& call) {
  return IumPostMailbox(call.process, static_cast<uint32_t>(call.arguments[0]), call.arguments[1],
                        static_cast<uint32_t>(call.arguments[2]));
}

static NtStatus CallIumCrypto(SystemCallContext& call) { return IumCrypto(call.process, call.arguments[0]); }

static NtStatus CallIumStoragePut(SystemCallContext& call) {
  return IumStoragePut(call.process, static_cast<uint32_t>(call.arguments[0]), call.arguments[1],
                       static_cast<uint32_t>(call.arguments[2]));
}

static NtStatus CallIumStorageGet(SystemCallContext& call) {
  return IumStorageGet(call.process, static_cast<uint32_t>(call.arguments[0]), call.arguments[1], call.arguments[2]);
}

#define HANDLER_Yes(name) &Call##name
#define HANDLER_No(name) nullptr
const SystemCallEntry ium_secure_calls[secure_call_count] = {
#define IUM_SECURE_CALL(name, number, arguments, handled) {number, arguments, HANDLER_##handled(name)},
#include "abi/sk/ium_syscalls.def"
};

}  // namespace sk
