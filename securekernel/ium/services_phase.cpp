// Services by which NTOS announces its phases, gives entropy and says goodbye (S59, S80, S81, S83).
#include <string.h>

#include "abi/boot/vsm_loader_block.h"
#include "dbg/debug_port.h"
#include "ium/secure_services.h"
#include "ium/storage.h"
#include "ke/boot_block.h"
#include "ke/init.h"
#include "rt/arch.h"
#include "rtl/wipe.h"
#include "se/failure_log.h"
#include "se/keys.h"
#include "shvl/hypercall.h"
#include "skmm/pfn.h"
#include "skmm/transfer.h"
#include "skps/process.h"

namespace sk {

NtStatus ServicePhase0Initialize(ServiceCall& call) {
  if (SkPhases.phase0) return NtStatus::InvalidDeviceState;
  const Pfn* shared_user_data = SkmmPfn(call.argument(0x08));
  if (shared_user_data == nullptr || shared_user_data->state != PfnState::Shared) return NtStatus::InvalidParameter;
  SK_TRY(SkiPhase0Initialize());
  call.answer(0x10, abi::sk::secure_thread_pool_size);
  return NtStatus::Success;
}

NtStatus ServicePhase3Initialize(ServiceCall&) {
  if (SkPhases.phase3) return NtStatus::InvalidDeviceState;
  SkPhases.phase3 = true;
  DbgMilestone("securekernel: phase 3 initialised: secure processes may be created");
  return NtStatus::Success;
}

NtStatus ServiceStartProcessor(ServiceCall& call) { return SkiStartProcessor(call.argument(0x08), call.argument(0x10)); }

NtStatus ServiceExchangeEntropy(ServiceCall& call) {
  constexpr size_t bytes = 64;
  SK_TRY(SeMixEntropy(call.bytes(0x10), bytes));
  return SeRandom(call.answer_bytes(0x10), bytes);
}

// S81: VTL 1 has no clock of its own in 10240. Pool memory is freed at once in this build, so that the visit itself is
// all there is to do.
NtStatus ServicePeriodic(ServiceCall&) { return NtStatus::Success; }

NtStatus ServiceRegisterLogPages(ServiceCall& call) {
  TransferList list;
  SK_TRY(SkmmCaptureMdl(call.argument(0x08), list));
  if (list.byte_count != page_size) return NtStatus::InvalidParameter;
  return SeRegisterLogPage(list.pfns[0]);
}

NtStatus ServiceQueryStrongCodeGuarantees(ServiceCall& call) {
  const bool hvci = SkmmDefaultAccess() != PageAccess::All;
  const bool strict = hvci && SkBootBlock.has(abi::boot::VsmHvciStrict);
  call.answer(0x10, (hvci ? 1 : 0) | (strict ? 2 : 0) | (SkiPages.mbec ? 4 : 0));
  return NtStatus::Success;
}

static void flush_tb() { arch::write_cr3(arch::read_cr3()); }

// The user halves of VTL 1 hold no global pages, so that reloading CR3 is enough; other processors
// drop what they hold when they enter (ske/kernel_lock.h).
NtStatus ServiceFlushAddressSpace(ServiceCall& call) {
  ProcessReference process{call.argument(0x08)};
  if (!process) return NtStatus::InvalidHandle;
  flush_tb();
  return NtStatus::Success;
}
NtStatus ServiceFastFlushRangeList(ServiceCall& call) { return ServiceFlushAddressSpace(call); }
NtStatus ServiceSlowFlushRangeList(ServiceCall& call) { return ServiceFlushAddressSpace(call); }

NtStatus ServiceNotifyShutdown(ServiceCall& call) {
  const uint8_t kind = *call.bytes(0x08);
  if (kind > 1) return NtStatus::InvalidParameter;
  SkpsWipeAll();
  IumWipeStorage();
  SeWipeKeys();
  SkPhases.shut_down = true;
  DbgMilestone("securekernel: shutdown: trustlets, storage and keys wiped ({} intercepts in this boot)",
               SkCounters.intercepts);
  return NtStatus::Success;
}

}  // namespace sk
