#pragma once
// Which VTL sees a violation of a lower one, and how it is told (TLFS 15.13; sections 5.2 to 5.5).
#include "abi/hv/messages.h"
#include "mmu/physical_memory.h"
#include "vtl/cpuid.h"
#include "vtl/exit.h"
#include "vtl/partition.h"

namespace vtl {

/// HvMessageTypeGpaIntercept for a refused access of the active VTL, HvMessageTypeUnmappedGpa where
/// nothing is, byte for byte as the receiver finds it.
[[nodiscard]] abi::hv::Message memory_intercept(const VirtualProcessor& vp,
                                                const Partition& partition, const Exit& exit);
/// The same for a GPA that a hypercall named: there is no linear address.
[[nodiscard]] abi::hv::Message hypercall_memory_intercept(const VirtualProcessor& vp,
                                                          const Partition& partition, Gpa gpa,
                                                          abi::hv::InterceptAccess access);
/// HvMessageTypeMsrIntercept; `value` is EDX:EAX of a write.
[[nodiscard]] abi::hv::Message msr_intercept(const VirtualProcessor& vp, const Partition& partition,
                                             const Exit& exit, abi::hv::InterceptAccess access);

/// HvMessageTypeX64CpuidIntercept; `answer` is what the hypervisor would say.
[[nodiscard]] abi::hv::Message cpuid_intercept(const VirtualProcessor& vp,
                                               const Partition& partition, const Exit& exit,
                                               const CpuidResult& answer);
/// HvMessageTypeX64IoPortIntercept of an IoRead or IoWrite.
[[nodiscard]] abi::hv::Message io_port_intercept(const VirtualProcessor& vp,
                                                 const Partition& partition, const Exit& exit);
/// HvMessageTypeExceptionIntercept.
[[nodiscard]] abi::hv::Message exception_intercept(const VirtualProcessor& vp,
                                                   const Partition& partition, const Exit& exit);
/// HvMessageTypeRegisterIntercept.
[[nodiscard]] abi::hv::Message register_intercept(const VirtualProcessor& vp,
                                                  const Partition& partition, const Exit& exit);
/// HvMessageTypeHypercallIntercept.
[[nodiscard]] abi::hv::Message hypercall_intercept(const VirtualProcessor& vp,
                                                   const Partition& partition);
/// HvMessageTypeX64Halt or UnrecoverableException.
[[nodiscard]] abi::hv::Message plain_intercept(const VirtualProcessor& vp,
                                               const Partition& partition,
                                               abi::hv::MessageType type, uint8_t length);
/// HvMessageTypeX64SipiIntercept: `vp` asks for the start of another.
[[nodiscard]] abi::hv::Message startup_intercept(const VirtualProcessor& vp,
                                                 const Partition& partition, uint32_t target);

/// The bit of HvX64RegisterCrInterceptControl that covers an access; 0 for none (section 5.6).
[[nodiscard]] uint64_t intercept_bit_of_msr(uint32_t msr, bool write);
[[nodiscard]] uint64_t intercept_bit_of_register(uint32_t name);

/// The access that stage 2 refused, as HV_MAP_GPA bits (any of them missing is the reason) and as a
/// message says it.
struct RefusedAccess {
  uint32_t rights{};
  abi::hv::InterceptAccess access{};
};
[[nodiscard]] RefusedAccess refused_access(const Exit& exit);

enum class Delivery : uint8_t {
  Posted,         ///< message written, interrupt pending in the receiver
  SlotBusy,       ///< the last one is not consumed; only the slot's pending flag was set
  CannotReceive,  ///< no message page, SynIC or APIC off, or SINT masked: it will never hear of it
};

class InterceptRouter {
 public:
  explicit InterceptRouter(mmu::PhysicalMemory& memory) : memory_{memory} {}

  /// The VTL whose restriction refused the access; none if no VTL did (section 5.2: lower first).
  [[nodiscard]] std::optional<Vtl> owner(const Partition& partition, Vtl accessor,
                                         const Exit& exit) const;

  /// Puts `message` into the slot of SINT0 of `receiver` and raises the SINT's vector.
  Delivery deliver(VtlState& receiver, const abi::hv::Message& message);

 private:
  mmu::PhysicalMemory& memory_;
};

}  // namespace vtl
