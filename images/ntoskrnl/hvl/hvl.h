#pragma once
// NTOS as a guest: the hypercall page, and the way into the secure kernel.
#include "abi/hv/structs.h"
#include "abi/sk/call_frame.h"
#include "abi/sk/structures.h"
#include "abi/sk/tables.h"
#include "ke/ke.h"

using abi::sk::NormalService;
using abi::sk::Operation;
using abi::sk::SecureService;
using abi::sk::SkCall;

/// Finds the hypervisor and enables the hypercall page (hvl/hvl.cpp). Without a hypervisor it does
/// nothing.
void HvlInitSystem();
bool HvlQueryHypervisorPresent();
/// HvCallStartVirtualProcessor in VTL 0 of this partition: the hypervisor's status.
uint16_t HvlStartVirtualProcessor(uint32_t vp, const abi::hv::InitialVpContext& context);
/// Drops what any processor holds of `address`, in every address space. Only where there is more than one.
void HvlFlushAllProcessors(uint64_t address);

/// HvlpFlags of 10240: the one bit that is known (section 7.3).
inline constexpr uint32_t HvlpVsmInitialized = 0x2000;
extern uint32_t HvlpFlags;
inline bool HvlVsmActive() {
  return (HvlpFlags & HvlpVsmInitialized) != 0;
}

/// Crosses to VTL 1 and serves its normal-mode requests until it is done (hvl/enter_ium.cpp;
/// section 7.3). cookie 0: the thread's own, or any pool thread. Returns what the secure kernel
/// left at +8.
NtStatus HvlpEnterIumSecureMode(Operation operation, uint16_t code, uint32_t cookie, SkCall* call);

/// A secure service call with its parameters from +8; the caller reads outputs from the same array.
struct SecureCall {
  SkCall frame{};
  uint64_t& operator[](size_t n) { return frame.parameter[n]; }
  NtStatus operator()(SecureService service) {
    return HvlpEnterIumSecureMode(Operation::SecureService, static_cast<uint16_t>(service), 0,
                                  &frame);
  }
};

// ---- Secure services by name (hvl/vsl.cpp) ----

void HvlInitializeIum();           ///< service 208, from MmInitNucleus
NtStatus HvlPhase1Initialize();    ///< 212, 27, 4, 1, 231
NtStatus HvlRegisterSystemDlls();  ///< 3
/// The file as the secure kernel sees and judges it: services 16, 17, 19, 20, 21. `verdict` is
/// SKCI's status.
NtStatus HvlCreateSecureImage(const void* file, uint64_t size, bool user, uint64_t* image,
                              NtStatus* verdict);
NtStatus HvlCloseSecureHandle(uint64_t handle);  ///< 24
/// Pages of an accepted driver image become executable: services 23 and 193.
NtStatus HvlValidateDriverPages(uint64_t image, uint64_t base, uint64_t size,
                                uint64_t* executable_pages);
NtStatus HvlCreateSecureProcess(EPROCESS* process, const void* file, uint64_t size,
                                uint64_t trustlet_id);  ///< 5, 6
NtStatus HvlCreateSecureThread(KTHREAD* thread);        ///< 7
NtStatus HvlStartSecureThread(KTHREAD* thread);         ///< operation 0
NtStatus HvlTerminateSecureThread(uint32_t cookie);     ///< 9
NtStatus HvlRundownSecureProcess(EPROCESS* process);    ///< 10
NtStatus VslRetrieveMailbox(uint64_t trustlet_id, const uint64_t (&key)[2], uint64_t slot,
                            void* buffer, uint64_t* length);
void HvlPeriodic();            ///< 209
NtStatus HvlNotifyShutdown();  ///< 237

/// What service 231 said: whether kernel code must pass SKCI.
enum StrongCodeFlag : uint64_t { StrongCodeHvci = 1, StrongCodeStrict = 2, StrongCodeMbec = 4 };
extern uint64_t HvlpStrongCodeFlags;
inline bool HvlHvciInForce() {
  return (HvlpStrongCodeFlags & StrongCodeHvci) != 0;
}
