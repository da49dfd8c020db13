// A parent and its children, and three VTLs, in the whole machine: alike in both gears and under every policy of the
// scheduler.
#include "tests/support/catch.h"

#include "tests/guest/scheduled_run.h"
#include "tests/guest/shown_rules.h"
#include "tests/support/conformance.h"

using namespace test;
using loader::GearSetting;
using loader::SchedulerPolicy;

namespace {

constexpr const char* all_done = "done 21\n";

constexpr ShownRule rules[] = {
    {"a parent answers each act of its child", "HvCallInstallIntercept",
     "a child's CPUID, I/O port, unknown MSR: messages to the parent, which answers and resumes", "TLFS"},
    {"a parent answers each act of its child", "HvCallStartVirtualProcessor", "a child's VP, by its parent",
     "TLFS HvCallStartVirtualProcessor"},
    {"two children with the same addresses count side by side", "HvCallMapGpaPages",
     "each child has its own GPA space; elements are pages of the parent", "TLFS"},
    {"deposited pages are out of everybody's reach", "HvCallDepositMemory",
     "access of the parent -> #GP; a page that is mapped -> OPERATION_DENIED", "TLFS; our choice"},
    {"children that end give back all their pages, empty", "HvCallWithdrawMemory", "all that was deposited, zeroed",
     "TLFS; our choice"},
    {"children that end give back all their pages, empty", "HvCallDeletePartition",
     "not finalized -> INVALID_PARTITION_STATE; gone -> INVALID_PARTITION_ID", "TLFS"},
    {"a child meets the rights that its parent mapped with, and what is not mapped", "HvCallMapGpaPages",
     "beyond the rights: GpaIntercept; mapped again and resumed the access happens; W without R -> INVALID_PARAMETER",
     "TLFS"},
    {"a child meets the rights that its parent mapped with, and what is not mapped", "HvCallUnmapGpaPages",
     "then accesses are UnmappedGpa messages", "TLFS"},
    {"a parent translates its child's addresses, and holds its TLB until it lets it go on",
     "HvCallTranslateVirtualAddress", "of a child: its tables, its mappings and their rights", "TLFS 5.4"},
    {"a parent translates its child's addresses, and holds its TLB until it lets it go on",
     "HvCallTranslateVirtualAddress", "TLB_FLUSH_INHIBIT of a child: HvRegisterInterceptSuspend bit 1, cleared there",
     "TLFS 5.4"},
    {"a child without privileges is refused, each call by its status", "HvCallPostMessage",
     "without PostMessages -> ACCESS_DENIED", "TLFS 4.2.2"},
    {"a child without privileges is refused, each call by its status", "HvCallCreatePartition",
     "without CreatePartitions -> ACCESS_DENIED", "TLFS 4.2.2"},
    {"a child without privileges is refused, each call by its status", "HvCallSetPartitionProperty",
     "more than the parent has -> PROPERTY_VALUE_OUT_OF_RANGE; unknown -> UNKNOWN_PROPERTY", "TLFS 4.2.2"},
    {"a child without privileges is refused, each call by its status", "HvCallConnectPort",
     "the port is for another partition -> INVALID_PORT_ID", "TLFS 11.13"},
    {"with privileges from its parent a child sends it a message, and names nobody above", "HvCallSetPartitionProperty",
     "privileges hold from the next call on", "TLFS 4.2.2"},
    {"with privileges from its parent a child sends it a message, and names nobody above", "HvCallPostMessage",
     "from a child to a port of its parent", "TLFS 11.10"},
    {"with privileges from its parent a child sends it a message, and names nobody above", "HvCallGetPartitionId",
     "of a child", "TLFS"},
    {"with privileges from its parent a child sends it a message, and names nobody above", "HvCallGetVpRegisters",
     "a child names its parent -> INVALID_PARTITION_ID", "TLFS 4.1"},
    {"with privileges from its parent a child sends it a message, and names nobody above", "HvCallCreatePartition",
     "from a child -> PARTITION_TOO_DEEP", "hvdef"},
    {"with privileges from its parent a child sends it a message, and names nobody above", "HvCallInstallIntercept",
     "a child's hypercalls (type 8): message with their registers", "hvdef"},
    {"a parent decides CPUID beforehand, answers MSRs and exceptions, and hears of a triple fault",
     "HvCallRegisterInterceptResult", "masked bits of a leaf, without a message; of itself -> ACCESS_DENIED", "TLFS; hvhdk"},
    {"a parent decides CPUID beforehand, answers MSRs and exceptions, and hears of a triple fault",
     "HvCallInstallIntercept", "a child's exception and one MSR: message, answer, resume", "TLFS; hvgdk"},
    {"a parent decides CPUID beforehand, answers MSRs and exceptions, and hears of a triple fault",
     "HvMessageTypeUnrecoverableException", "a child's triple fault", "hvdef"},
    {"a parent sends a message to a SINT of its child", "HvCallPostMessageDirect",
     "to a child: SynIC off -> INVALID_SYNIC_STATE, on: the slot of its message page", "hvdef"},
    {"a parent interrupts a child that sleeps in a local APIC of its own", "HvCallAssertVirtualInterrupt",
     "to a child's local APIC: it leaves HLT and takes the interrupt", "TLFS"},
    {"children are listed, and their processors come and go", "HvCallGetNextChildPartition", "all children, then 0", "TLFS"},
    {"children are listed, and their processors come and go", "HvCallDeleteVp", "then the index is free; again -> INVALID_VP_INDEX",
     "TLFS"},
    {"children are listed, and their processors come and go", "HvCallCreateVp", "an index that exists -> INVALID_VP_INDEX",
     "TLFS"},
    {"children are listed, and their processors come and go", "HvCallInitializePartition",
     "finalized -> INVALID_PARTITION_STATE", "TLFS"},
    {"VTL 1 enables VTL 2; VTL 0 may not", "HvCallEnablePartitionVtl",
     "VTL 2 from VTL 1; from VTL 0 while VTL 1 is enabled -> ACCESS_DENIED", "TLFS 15.5"},
    {"VTL 1 calls VTL 2, which returns to it", "HvCallVtlCall", "to the next higher VTL, which returns there", "TLFS 15.6.1"},
};

loader::MachineConfig family(SchedulerPolicy policy, GearSetting gear) {
  loader::MachineConfig config = bare_machine();
  config.firmware = guest_image("test_partitions.efi");
  config.disk = "none";
  config.maximum_vtl = 2;
  config.child_processors = 3;
  config.scheduler_policy = policy;
  config.scheduler_seed = 1;
  config.quantum = 1000;
  config.gear = gear;
  return config;
}

}  // namespace

TEST_CASE("a parent and its children pass their micro-kernel under each policy, alike in both gears") {
  for (const SchedulerPolicy policy : policies) {
    CAPTURE(static_cast<int>(policy));
    const Report fast = boot(family(policy, GearSetting::Fast));
    INFO(fast.lines << fast.detail);
    EXPECT(fast.stop == machine::StopReason::PowerOff);
    EXPECT(fast.lines.find("fail ") == std::string::npos);
    EXPECT(fast.lines.ends_with(all_done));
    for (const ShownRule& shown : rules) {
      INFO(shown.line);
      EXPECT(shown.passed(fast.lines));
      CONFORMANCE(shown.call, shown.rule, shown.source);
    }
    const Report exact = boot(family(policy, GearSetting::Exact));
    EXPECT(exact.lines == fast.lines);
    EXPECT(exact.end == fast.end);
    EXPECT(exact.fingerprint == fast.fingerprint);
  }
}

TEST_CASE("a machine with children comes back from a state that was saved at any time") {
  const loader::MachineConfig config = family(SchedulerPolicy::Random, GearSetting::Fast);
  const Report straight = boot(config);
  MachineRun run{config}, other{config};
  for (uint64_t part = 1; part < 24; ++part) {
    REQUIRE(run.machine().run(support::Instant{straight.end * part / 24}) == machine::StopReason::Deadline);
    REQUIRE(other.machine().restore(run.machine().save()).ok());
    REQUIRE(other.machine().fingerprint() == run.machine().fingerprint());
  }
  EXPECT(run.finish() == machine::StopReason::PowerOff);
  EXPECT(other.finish() == machine::StopReason::PowerOff);
  EXPECT(run.machine().fingerprint().to_string() == straight.fingerprint);
  EXPECT(other.machine().fingerprint().to_string() == straight.fingerprint);
}
