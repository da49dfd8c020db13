// ShvlpInterceptHandler: VTL 0 touched what it may not. The hypervisor stopped it on the instruction and told us in
// slot 0 of the SIM page (section 5.3); the policy of 2015 is an exception in VTL 0, where NTOS bugchecks or its caller
// recovers. HyperGuard's finer rules came later (S44).
#include <string.h>

#include "abi/hv/msrs.h"
#include "dbg/debug_port.h"
#include "ke/skpcr.h"
#include "rt/arch.h"
#include "shvl/hypercall.h"
#include "shvl/synic.h"

namespace sk {

using namespace abi::hv;

static constexpr uint16_t general_protection = 13;

// #GP(0), delivered before VTL 0's next instruction: its RIP still points at the one that failed.
static void inject_general_protection() {
  const auto event = PendingExceptionEvent{}
                         .with_event_pending(true)
                         .with_event_type(static_cast<uint8_t>(PendingEventType::Exception))
                         .with_vector(general_protection)
                         .with_deliver_error_code(true);
  const HvStatus status = ShvlSetRegister(Vtl::Vtl0, RegisterName::PendingEvent0, {event.raw, 0});
  if (status != HvStatus::Success) SkeBugCheck("PendingEvent0 of VTL 0 was refused");
}

static std::string_view describe(InterceptAccess access) {
  switch (access) {
    case InterceptAccess::Read: ++SkCounters.intercepts_read; return "read";
    case InterceptAccess::Write: ++SkCounters.intercepts_write; return "write";
    case InterceptAccess::Execute: ++SkCounters.intercepts_execute; return "execute";
  }
  return "access";
}

static void handle_memory_intercept(const MemoryIntercept& message) {
  DbgMilestone("securekernel: intercept: {} of gpa {:#x} (gva {:#x}) at rip {:#x} refused, #GP(0) into VTL 0",
               describe(message.header.access), message.gpa, message.gva, message.header.rip);
  inject_general_protection();
}

// A register or MSR that VTL 1 watches. Nothing is watched in 10240, so a message of this kind is refused like any
// other access.
static void handle_other_intercept(MessageType type, const InterceptHeader& header) {
  DbgMilestone("securekernel: intercept of type {:#x} at rip {:#x} refused, #GP(0) into VTL 0",
               static_cast<uint32_t>(type), header.rip);
  inject_general_protection();
}

void ShvlpInterceptHandler() {
  Message& slot = SkiCurrentPcr()->hypervisor->messages[0];
  const MessageType type = slot.header.type;
  if (type == MessageType::None) return;  // nothing was delivered: the sender lost a race with our EOM
  ++SkCounters.intercepts;

  // The payload is copied before the slot is given back: the hypervisor writes the next one there.
  MemoryIntercept message;
  memcpy(&message, slot.payload, sizeof message);
  const bool more = (slot.header.flags & message_pending) != 0;
  slot.header.type = MessageType::None;
  if (more) arch::write_msr(msr::Eom, 0);

  if (type == MessageType::GpaIntercept || type == MessageType::UnmappedGpa)
    handle_memory_intercept(message);
  else
    handle_other_intercept(type, message.header);
}

}  // namespace sk
