// Hypercalls from inside (images/tests/hypercalls): each line of the kernel's report is a rule of the specification.
#include "tests/support/catch.h"

#include <span>

#include "tests/guest/scheduled_run.h"
#include "tests/guest/shown_rules.h"
#include "tests/support/conformance.h"

using namespace test;

namespace {

constexpr ShownRule forms[] = {
    {"an XMM-fast call reads RDX, R8, XMM0 and writes its output into the next register", "HvCallGetVpRegisters",
     "XMM-fast: output in the XMM register behind the input, all others as they were", "TLFS 3.7.2"},
    {"an XMM-fast call may fill all of XMM0 to XMM5", "HvCallGetVpRegisters", "XMM-fast: input and output of 112 bytes",
     "TLFS 3.7.2"},
    {"a fast call with too many elements is refused", "HvCallGetVpRegisters",
     "XMM-fast: more than 112 bytes -> INVALID_HYPERCALL_INPUT", "TLFS 3.7.2"},
    {"an XMM-fast list is flushed", "HvCallFlushVirtualAddressList", "XMM-fast: the list lies behind the header",
     "TLFS 3.7.2"},
    {"a variable header in registers: the processors of its banks alone are flushed",
     "HvCallFlushVirtualAddressSpaceEx", "sparse set: only processors of valid banks; XMM-fast too", "TLFS 7.8.7.3"},
    {"a variable header in registers: the processors of its banks alone are flushed",
     "HvCallFlushVirtualAddressListEx", "the list lies behind the variable header", "TLFS 3.7.1"},
    {"variable headers that are too short, too long, or of a call that has none are refused",
     "HvCallFlushVirtualAddressSpaceEx", "fewer banks than valid_banks, or too large -> INVALID_HYPERCALL_INPUT",
     "TLFS 7.8.7.3"},
    {"variable headers that are too short, too long, or of a call that has none are refused",
     "HvCallFlushVirtualAddressSpace", "a variable header though the call has none -> INVALID_HYPERCALL_INPUT",
     "TLFS 3.8"},
    {"a list begins at its start index, and that is below its count", "HvCallGetVpRegisters",
     "rep start: what is before it is neither read nor written; start >= count -> INVALID_HYPERCALL_INPUT", "TLFS 3.8"},
    {"interrupts come between the elements of a long list, and RCX says how far it is", "HvCallFlushVirtualAddressList",
     "continuation: RIP stays, RCX has the start index, interrupts are taken, the count is right in the end", "TLFS 3.6"},
    {"malformed control words are refused by name", "HvCallDisablePartitionVtl",
     "not implemented -> INVALID_HYPERCALL_CODE", "TLFS 3.8"},
};

constexpr ShownRule messages[] = {
    {"message and event pages hide RAM, keep what they hold, and are each VTL's own", "HV_X64_MSR_SIMP",
     "an overlay page per VTL: RAM below is kept, its content moves with it, no RAM -> #GP", "TLFS 11.8.3"},
    {"message and event pages hide RAM, keep what they hold, and are each VTL's own", "HV_X64_MSR_SIEFP",
     "one page per VTL; no RAM -> #GP", "TLFS 11.8.2"},
    {"synthetic interrupts are masked at first, and take no vector below 16", "HV_X64_MSR_SINT0",
     "reset: masked, vector 0; vector below 16 unmasked -> #GP", "TLFS 11.8.5"},
    {"synthetic interrupts are masked at first, and take no vector below 16", "HV_X64_MSR_SVERSION",
     "1, read-only", "TLFS 11.8.1"},
    {"ports and connections that cannot be are refused by name", "HvCallCreatePort",
     "partition, identifier, SINT, VP, flags, VTL above the caller's: each its status", "TLFS HvCallCreatePort"},
    {"ports and connections that cannot be are refused by name", "HvCallConnectPort", "no port -> INVALID_PORT_ID",
     "TLFS HvCallConnectPort"},
    {"a message goes through a connection into the slot of its port's SINT, with an interrupt", "HvCallPostMessage",
     "type, size, payload and the port as origin in the slot, and the SINT's vector", "TLFS 11.10"},
    {"a message goes through a connection into the slot of its port's SINT, with an interrupt", "HvCallPostMessage",
     "SynIC off -> INVALID_SYNIC_STATE; type 0 or the hypervisor's, size above 240 -> INVALID_PARAMETER",
     "TLFS HvCallPostMessage"},
    {"a message goes through a connection into the slot of its port's SINT, with an interrupt", "HvCallCreatePort",
     "identifier in use -> INVALID_PORT_ID", "TLFS HvCallCreatePort"},
    {"a message goes through a connection into the slot of its port's SINT, with an interrupt", "HvCallConnectPort",
     "another type -> INVALID_PORT_ID; identifier in use -> INVALID_CONNECTION_ID", "TLFS HvCallConnectPort"},
    {"sixteen messages wait behind a full slot, and each EOM brings the next", "HV_X64_MSR_EOM",
     "busy slot: message_pending; EOM delivers in order once the slot is free", "TLFS 11.8.6"},
    {"sixteen messages wait behind a full slot, and each EOM brings the next", "HvCallPostMessage",
     "no buffer -> INSUFFICIENT_BUFFERS", "TLFS HvCallPostMessage"},
    {"a masked SINT keeps its messages, a polled one interrupts nobody", "HV_X64_MSR_SINT0",
     "masked: messages wait; polling: they arrive without interrupt", "TLFS 11.8.5"},
    {"with auto-EOI the second message interrupts though no handler ended the first", "HV_X64_MSR_SINT0",
     "auto-EOI: no EOI is needed", "TLFS 11.8.5"},
    {"an event sets its port's flag and interrupts once", "HvCallSignalEvent",
     "flag of the port's base; set already: no interrupt; beyond the port's -> INVALID_PARAMETER", "TLFS 11.11"},
    {"nothing goes through a port that is deleted or a connection that is cut", "HvCallDeletePort",
     "then messages -> INVALID_PORT_ID", "TLFS HvCallDeletePort"},
    {"nothing goes through a port that is deleted or a connection that is cut", "HvCallDisconnectPort",
     "then messages -> INVALID_CONNECTION_ID", "TLFS HvCallDisconnectPort"},
    {"VTL 0 sends a message to VTL 1, which alone decides who may", "HvCallPostMessage",
     "a port of VTL 1: the message enters VTL 1 whatever VTL 0 masks", "TLFS 11.13"},
    {"VTL 0 sends a message to VTL 1, which alone decides who may", "HvCallConnectPort",
     "below the port's minimum VTL, or for a VTL above the caller's -> ACCESS_DENIED", "TLFS 11.13"},
    {"VTL 0 sends a message to VTL 1, which alone decides who may", "HvCallDeletePort",
     "a port of VTL 1 from VTL 0 -> ACCESS_DENIED", "TLFS 11.13"},
    {"VTL 1 sends to a SINT of VTL 0 by its number, VTL 0 to none above it", "HvCallPostMessageDirect",
     "from VTL 1 to VTL 0; VTL above the caller's -> ACCESS_DENIED", "hvdef"},
    {"VTL 1 sends to a SINT of VTL 0 by its number, VTL 0 to none above it", "HvCallSignalEventDirect",
     "says whether the flag was clear; flag 2048 -> INVALID_PARAMETER; VTL above -> ACCESS_DENIED", "hvdef"},
    {"a one-shot timer sends its message once, with its times", "HV_X64_MSR_STIMER0_CONFIG",
     "one-shot: TimerExpired with both times, then disabled; SINT 0: stays disabled", "TLFS 12.3"},
    {"a periodic timer sends again until its count is 0", "HV_X64_MSR_STIMER0_COUNT",
     "auto-enable starts, periodic goes on, 0 stops", "TLFS 12.3.2"},
    {"a timer in direct mode is an interrupt, and VTL 1's enters VTL 1", "HV_X64_MSR_STIMER0_CONFIG",
     "direct mode; each VTL has its own timers, and VTL 1's forces an entry", "TLFS 12.3.1, KUT"},
};

constexpr ShownRule times[] = {
    {"reference time runs with the time stamp counter", "HV_X64_MSR_TIME_REF_COUNT", "100 ns units", "TLFS 12.4"},
    {"the reference TSC page says what the reference counter says, in each VTL on a page of its own",
     "HV_X64_MSR_REFERENCE_TSC", "((TSC * scale) >> 64) + offset is the reference counter; one page per VTL",
     "TLFS 12.7.3"},
    {"the time stamp counter and the APIC timer run at their frequencies", "HV_X64_MSR_TSC_FREQUENCY",
     "ticks per second", "TLFS 12.2"},
    {"the time stamp counter and the APIC timer run at their frequencies", "HV_X64_MSR_APIC_FREQUENCY",
     "timer cycles per second", "TLFS 12.2"},
    {"the run time of a processor grows and is read-only", "HV_X64_MSR_VP_RUNTIME", "grows; write -> #GP",
     "TLFS 7.8.3"},
    {"GUEST_IDLE ends with the next interrupt, RFLAGS.IF or not", "HV_X64_MSR_GUEST_IDLE",
     "left for an interrupt that RFLAGS.IF keeps out", "TLFS 10.4"},
    {"NPIEP makes SGDT #GP at CPL 3, in its VTL alone", "HV_X64_MSR_NPIEP_CONFIG",
     "SGDT at CPL 3 -> #GP; private to a VTL; reserved bit -> #GP", "TLFS 13.3"},
};

constexpr ShownRule translations[] = {
    {"an address is translated by the caller's page tables, or the reason why not is said",
     "HvCallTranslateVirtualAddress",
     "page, cache type, overlay; not present, privilege, reserved bits, unmapped: each its result", "TLFS 5.4"},
    {"accessed and dirty bits are set only if that is asked for", "HvCallTranslateVirtualAddress",
     "SET_PAGE_TABLE_BITS", "TLFS 5.4"},
    {"VTL 1 translates with VTL 0's tables and VTL 0's rights, and not the other way round",
     "HvCallTranslateVirtualAddress",
     "target VTL below: its tables and protections (NO_READ_ACCESS, NO_WRITE_ACCESS); above -> ACCESS_DENIED",
     "TLFS 5.4"},
    {"translations that contradict themselves, or name nobody, are refused", "HvCallTranslateVirtualAddress",
     "partition, VP, reserved, both privileges: each its status", "TLFS 5.4"},
    {"TranslateVirtualAddressEx says which page fault there would have been", "HvCallTranslateVirtualAddressEx",
     "the event is the page fault that the access raises: vector, error code, CR2", "hvdef"},
    {"which pages VTL 0 could not write, and who would be told", "HvCallCheckSparseGpaPageVtlAccess",
     "denied access and intercepting VTL for each page; above, no access, no RAM: each its status", "hvdef"},
    {"a switch of the address space by hypercall is MOV CR3", "HvCallSwitchVirtualAddressSpace",
     "CR3 changes, its translations are dropped; a bad CR3 -> INVALID_PARAMETER", "TLFS"},
    {"flushes of guest physical addresses succeed, with flags they do not", "HvCallFlushGuestPhysicalAddressSpace",
     "flags -> INVALID_PARAMETER", "TLFS"},
    {"flushes of guest physical addresses succeed, with flags they do not", "HvCallFlushGuestPhysicalAddressList",
     "all ranges; flags -> INVALID_PARAMETER", "TLFS"},
    {"CPUID by hypercall is what CPUID says", "HvCallGetVpCpuidValues", "the values of CPUID; flags, VP: each its status",
     "hvdef"},
    {"the hypervisor says who the partition is, what it may do, and how it schedules", "HvCallGetPartitionId", "root: 1",
     "TLFS"},
    {"the hypervisor says who the partition is, what it may do, and how it schedules", "HvCallGetPartitionProperty",
     "privileges are those of CPUID 0x40000003; unknown -> UNKNOWN_PROPERTY", "TLFS"},
    {"the hypervisor says who the partition is, what it may do, and how it schedules", "HvCallExtQueryCapabilities",
     "none", "TLFS 3.10"},
    {"the hypervisor says who the partition is, what it may do, and how it schedules", "HvCallGetSystemProperty",
     "scheduler type; unknown -> UNKNOWN_PROPERTY", "hvdef"},
    {"the hypervisor says who the partition is, what it may do, and how it schedules", "HvCallNotifyPartitionEvent",
     "known events of the root", "hvdef"},
    {"the hypervisor says who the partition is, what it may do, and how it schedules", "HvCallNotifyLongSpinWait",
     "succeeds", "TLFS"},
};

constexpr ShownRule interceptions[] = {
    {"a write of CR4 that changes a bit of the mask is told, and refused or done by VTL 1",
     "HvX64RegisterCrInterceptControl",
     "CR4 with mask: RegisterIntercept with name and value; VTL 1 injects #GP, or writes CR4 and advances RIP",
     "TLFS 15.14"},
    {"loads of GDTR, IDTR and TR are told with what would have been loaded", "HvX64RegisterCrInterceptControl",
     "GDTR, IDTR, TR: RegisterIntercept with the table; nothing is loaded", "TLFS 15.14"},
    {"accesses of MSRs are told by kind, and a read is answered by VTL 1", "HvX64RegisterCrInterceptControl",
     "LSTAR read and write, not TSC_AUX read: MsrIntercept with MSR, RAX, RDX", "TLFS 15.14"},
    {"intercepts that nobody could install are refused", "HvCallInstallIntercept",
     "own partition from VTL 0 -> ACCESS_DENIED; access, parameter, type -> INVALID_PARAMETER", "TLFS"},
    {"CPUID is told with its usual answer, and VTL 1 gives another", "HvCallInstallIntercept",
     "CPUID leaf from VTL 1: message with default results; access 0 takes it back", "TLFS"},
    {"accesses of a port are told with size and value, and answered", "HvCallInstallIntercept",
     "I/O port from VTL 1: port, size, direction, RAX", "TLFS"},
    {"an exception is told before it is delivered, and need not happen", "HvCallInstallIntercept",
     "exception from VTL 1: vector and instruction; VTL 1 decides whether it happens", "TLFS"},
    {"MSRs that do not exist, or one by its number, are told", "HvCallInstallIntercept",
     "unknown MSRs (type 1) and one MSR (type 12) from VTL 1", "TLFS, hvgdk"},
    {"a hypercall is told with its registers before anything is done", "HvCallInstallIntercept",
     "hypercalls (type 8) from VTL 1: message with the call's registers", "hvdef"},
    {"with an intercept page VTL 1 is entered without an interrupt", "HvRegisterVsmPartitionConfig",
     "InterceptPage: message in the assist page, entry reason Intercept", "hvdef"},
};

}  // namespace

TEST_CASE("Hypercalls hold their rules from inside, in VTL 0 and in VTL 1, alike in both gears") {
  loader::MachineConfig config = bare_machine();
  config.firmware = guest_image("test_hypercalls.efi");
  config.disk = "none";
  const Report fast = boot(config);
  INFO(fast.lines << fast.detail);
  EXPECT(fast.stop == machine::StopReason::PowerOff);
  EXPECT(fast.lines.find("fail ") == std::string::npos);
  EXPECT(fast.lines.find("done ") != std::string::npos);
  for (const std::span<const ShownRule> rules :
       {std::span<const ShownRule>{forms}, {messages}, {times}, {translations}, {interceptions}}) {
    for (const ShownRule& shown : rules) {
      INFO(shown.line);
      EXPECT(shown.passed(fast.lines));
      CONFORMANCE(shown.call, shown.rule, shown.source);
    }
  }
  config.gear = loader::GearSetting::Exact;
  const Report exact = boot(config);
  EXPECT(exact.lines == fast.lines);
  EXPECT(exact.end == fast.end);
  EXPECT(exact.fingerprint == fast.fingerprint);
}
