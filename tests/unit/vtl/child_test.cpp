// Children: made, fed, mapped, run, ended by their parent (TLFS HvCallCreatePartition and following).
#include "sim/support/state.h"
#include "tests/support/conformance.h"
#include "tests/unit/vtl/child_world.h"

using namespace test;

TEST_CASE("a child is created, initialized, finalized and deleted in this order") {
  CONFORMANCE("HvCallCreatePartition", "numbers are given in sequence and never twice", "TLFS HV_PARTITION_ID");
  CONFORMANCE("HvCallInitializePartition", "before memory was deposited -> INSUFFICIENT_MEMORY", "TLFS; mshv");
  CONFORMANCE("HvCallInitializePartition", "twice -> INVALID_PARTITION_STATE", "TLFS");
  CONFORMANCE("HvCallFinalizePartition", "twice -> INVALID_PARTITION_STATE", "TLFS");
  CONFORMANCE("HvCallDeletePartition", "not finalized -> INVALID_PARTITION_STATE", "TLFS");
  CONFORMANCE("HvCallDeletePartition", "memory was not withdrawn -> OBJECT_IN_USE", "our choice");
  ChildWorld world;
  uint64_t id = 0, second = 0;
  REQUIRE(world.create(0, id) == HvStatus::Success);
  EXPECT(id == 2);
  EXPECT(world.with_id(CallCode::InitializePartition, id) == HvStatus::InsufficientMemory);
  EXPECT(world.create_vp(id, 0) == HvStatus::InvalidPartitionState);
  EXPECT(world.map(id, 0, child_ram_page, 0xF) == HvStatus::InvalidPartitionState);
  REQUIRE(world.deposit(id, pool_page, 8) == HvStatus::Success);
  REQUIRE(world.with_id(CallCode::InitializePartition, id) == HvStatus::Success);
  EXPECT(world.with_id(CallCode::InitializePartition, id) == HvStatus::InvalidPartitionState);
  EXPECT(world.with_id(CallCode::DeletePartition, id) == HvStatus::InvalidPartitionState);
  REQUIRE(world.with_id(CallCode::FinalizePartition, id) == HvStatus::Success);
  EXPECT(world.with_id(CallCode::FinalizePartition, id) == HvStatus::InvalidPartitionState);
  EXPECT(world.deposit(id, pool_page + 8, 1) == HvStatus::InvalidPartitionState);
  EXPECT(world.with_id(CallCode::DeletePartition, id) == HvStatus::ObjectInUse);
  EXPECT(world.withdraw(id, 9) == HvStatus::NoResources);
  EXPECT(world.result().reps_completed() == 8);
  REQUIRE(world.with_id(CallCode::DeletePartition, id) == HvStatus::Success);
  EXPECT(world.with_id(CallCode::DeletePartition, id) == HvStatus::InvalidPartitionId);
  REQUIRE(world.create(0, second) == HvStatus::Success);
  EXPECT(second == 3);
}

TEST_CASE("calls on partitions name a child, and need the privilege to have one") {
  CONFORMANCE("HvCallCreatePartition", "without CreatePartitions -> ACCESS_DENIED", "TLFS 4.2.2");
  CONFORMANCE("HvCallCreatePartition", "unknown flag, padding or isolation -> INVALID_PARAMETER", "TLFS");
  CONFORMANCE("HvCallCreatePartition", "none free -> NO_RESOURCES", "our choice");
  CONFORMANCE("HvCallInitializePartition", "unknown id, self -> INVALID_PARTITION_ID", "TLFS");
  CONFORMANCE("HvCallGetNextChildPartition", "enumerates in the order of ids, then answers 0", "TLFS");
  CONFORMANCE("HvCallGetPartitionId", "the root is 1", "TLFS HV_PARTITION_ID");
  ChildWorld world;
  uint64_t id = 0;
  EXPECT(world.create(1, id) == HvStatus::InvalidParameter);
  abi::hv::CreatePartition input{};
  input.padding = 1;
  EXPECT(world.slow(CallCode::CreatePartition, input) == HvStatus::InvalidParameter);
  input = {};
  input.isolation_properties = 1;
  EXPECT(world.slow(CallCode::CreatePartition, input) == HvStatus::InvalidParameter);
  for (const CallCode code : {CallCode::InitializePartition, CallCode::FinalizePartition, CallCode::DeletePartition}) {
    for (const uint64_t wrong : {uint64_t{0}, uint64_t{1}, uint64_t{2}, partition_self})
      EXPECT(world.with_id(code, wrong) == HvStatus::InvalidPartitionId);
  }
  EXPECT(world.deposit(partition_self, pool_page, 1) == HvStatus::InvalidPartitionId);
  for (uint64_t expected = 2; expected <= 16; ++expected) {
    REQUIRE(world.create(0, id) == HvStatus::Success);
    EXPECT(id == expected);
  }
  EXPECT(world.create(0, id) == HvStatus::NoResources);
  uint64_t previous = 0;
  for (uint64_t expected = 2; expected <= 17; ++expected) {
    REQUIRE(world.slow(CallCode::GetNextChildPartition, abi::hv::GetNextChildPartition{partition_self, previous}) ==
            HvStatus::Success);
    previous = world.read<uint64_t>(output_page);
    EXPECT(previous == (expected <= 16 ? expected : 0));
  }
  EXPECT(world.slow(CallCode::GetNextChildPartition, abi::hv::GetNextChildPartition{42, 0}) ==
         HvStatus::InvalidPartitionId);
  REQUIRE(world.vmcall(control_for(CallCode::GetPartitionId).raw, input_page, output_page).kind == OutcomeKind::Retire);
  EXPECT(world.status() == HvStatus::Success);
  EXPECT(world.read<uint64_t>(output_page) == 1);

  vtl::HypervisorConfig config;
  config.privileges = config.privileges.with_create_partitions(false).with_access_partition_id(false);
  ChildWorld powerless{config};
  EXPECT(powerless.create(0, id) == HvStatus::AccessDenied);
  EXPECT(powerless.with_id(CallCode::InitializePartition, 2) == HvStatus::AccessDenied);
  REQUIRE(powerless.vmcall(control_for(CallCode::GetPartitionId).raw, input_page, output_page).kind ==
          OutcomeKind::Retire);
  EXPECT(powerless.status() == HvStatus::AccessDenied);
}

TEST_CASE("a page that was deposited is nobody's until it is withdrawn, and comes back empty") {
  CONFORMANCE("HvCallDepositMemory", "the page leaves the GPA space of the root", "TLFS");
  CONFORMANCE("HvCallDepositMemory", "no RAM, twice, an overlay page -> INVALID_PARAMETER", "TLFS");
  CONFORMANCE("HvCallDepositMemory", "a page that a child maps -> OPERATION_DENIED", "our choice");
  CONFORMANCE("HvCallDepositMemory", "a page that a higher VTL keeps -> ACCESS_DENIED", "TLFS 15.9");
  CONFORMANCE("HvCallWithdrawMemory", "the page comes back, full of zeros", "mshv");
  ChildWorld world;
  uint64_t id = 0;
  REQUIRE(world.create(0, id) == HvStatus::Success);
  const Gpa page{pool_page * 4096};
  world.write(page.value(), uint64_t{0x1234});
  const auto& root = *world.hypervisor.partition().memory;
  REQUIRE(world.deposit(id, pool_page, 1) == HvStatus::Success);
  EXPECT(!root.slat(Vtl::Vtl0)->lookup(page).mapped);
  EXPECT(!root.is_ram(page));
  EXPECT(world.deposit(id, pool_page, 1) == HvStatus::InvalidParameter);
  EXPECT(world.deposit(id, guest_bytes / 4096, 1) == HvStatus::InvalidParameter);
  EXPECT(world.deposit(id, ~uint64_t{0}, 1) == HvStatus::InvalidParameter);
  REQUIRE(world.wrmsr(msr::VpAssistPage, assist_page0 | 1));
  EXPECT(world.deposit(id, assist_page0 / 4096, 1) == HvStatus::InvalidParameter);
  REQUIRE(world.withdraw(id, 1) == HvStatus::Success);
  EXPECT(world.read<uint64_t>(output_page) == pool_page);
  EXPECT(root.is_ram(page));
  EXPECT(world.read<uint64_t>(page.value()) == 0);
  EXPECT(world.withdraw(id, 1) == HvStatus::NoResources);

  const uint64_t other = world.child();
  EXPECT(world.deposit(other, child_ram_page, 1) == HvStatus::OperationDenied);
  world.enter_vtl1_ready();
  REQUIRE(world.protect(victim_page, 1) == HvStatus::Success);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.deposit(other, victim_page / 4096, 1) == HvStatus::AccessDenied);
}

TEST_CASE("a child sees what is mapped, with the rights it was given, and nothing else") {
  CONFORMANCE("HvCallMapGpaPages", "element n appears at base + n with the rights of MapFlags", "TLFS; hvhdk_mini");
  CONFORMANCE("HvCallMapGpaPages", "bad flags or a page beyond the space -> INVALID_PARAMETER", "TLFS");
  CONFORMANCE("HvCallMapGpaPages", "no RAM of the caller -> INVALID_PARAMETER", "TLFS");
  CONFORMANCE("HvCallMapGpaPages", "out of deposited memory -> INSUFFICIENT_MEMORY", "TLFS; mshv");
  CONFORMANCE("HvCallUnmapGpaPages", "the pages are gone, and translations with them", "TLFS");
  ChildWorld world;
  const uint64_t id = world.child();
  const auto& memory = world.memory_of(id);
  for (uint64_t page = 0; page < 16; ++page)
    EXPECT(memory.slat(Vtl::Vtl0)->lookup(Gpa{page * 4096}).spa == Spa{(child_ram_page + page) * 4096});
  EXPECT(!memory.slat(Vtl::Vtl0)->lookup(Gpa{16 * 4096}).mapped);
  EXPECT(!memory.slat(Vtl::Vtl0)->lookup(Gpa{child_ram_page * 4096}).mapped);
  EXPECT(memory.slat(Vtl::Vtl0)->lookup(Gpa{0xFEE00000}).mapped);  // its local APIC
  REQUIRE(world.map(id, 1, child_ram_page + 20, 1) == HvStatus::Success);
  EXPECT(memory.slat(Vtl::Vtl0)->lookup(Gpa{4096}).spa == Spa{(child_ram_page + 20) * 4096});
  EXPECT(memory.slat(Vtl::Vtl0)->lookup(Gpa{4096}).rights == mmu::Rights{true, false, false, false});

  for (const uint32_t flags : {0x2u, 0x4u, 0x10u, 0x8000u, 0x80000000u})
    EXPECT(world.map(id, 0x40, child_ram_page, flags) == HvStatus::InvalidParameter);
  EXPECT(world.map(id, uint64_t{1} << 28, child_ram_page, 1) == HvStatus::InvalidParameter);
  EXPECT(world.map(id, (uint64_t{1} << 28) - 1, child_ram_page, 1, 2) == HvStatus::InvalidParameter);
  EXPECT(world.map(id, 0x40, guest_bytes / 4096, 1) == HvStatus::InvalidParameter);
  EXPECT(world.map(id, 0x40, pool_page, 1) == HvStatus::InvalidParameter);
  EXPECT(world.map(42, 0x40, child_ram_page, 1) == HvStatus::InvalidPartitionId);

  const uint64_t before = world.translator.epoch(2, Vtl::Vtl0);
  REQUIRE(world.unmap(id, 0, 2) == HvStatus::Success);
  EXPECT(world.translator.epoch(2, Vtl::Vtl0) != before);
  EXPECT(!memory.slat(Vtl::Vtl0)->lookup(Gpa{4096}).mapped);
  EXPECT(memory.slat(Vtl::Vtl0)->lookup(Gpa{2 * 4096}).mapped);
  EXPECT(world.unmap(id, 0x100000, 2) == HvStatus::Success);

  HvStatus status = HvStatus::Success;
  uint64_t mapped = 0;
  for (uint64_t spread = 1; status == HvStatus::Success && spread < 40; ++spread, ++mapped)
    status = world.map(id, spread << 18, child_ram_page, 1);  // each needs tables of its own
  EXPECT(status == HvStatus::InsufficientMemory);
  EXPECT(mapped > 5);
}

TEST_CASE("what VTL 1 keeps from VTL 0 no child of VTL 0 can have, earlier or later") {
  CONFORMANCE("HvCallMapGpaPages", "rights that the calling VTL has not -> ACCESS_DENIED", "TLFS 15.9, 15.14");
  CONFORMANCE("HvCallModifyVtlProtectionMask", "children that share the page lose it too", "TLFS 15.9, 15.14");
  ChildWorld world;
  const uint64_t id = world.child();
  const auto rights = [&](uint64_t page) {
    return world.memory_of(id).slat(Vtl::Vtl0)->lookup(Gpa{page * 4096}).rights;
  };
  world.enter_vtl1_ready();
  REQUIRE(world.protect(child_ram_page * 4096, 0) == HvStatus::Success);
  REQUIRE(world.protect((child_ram_page + 1) * 4096, 1) == HvStatus::Success);
  REQUIRE(world.protect((child_ram_page + 40) * 4096, 0) == HvStatus::Success);
  EXPECT(rights(0) == mmu::Rights{false, false, false, false});
  EXPECT(rights(1) == mmu::Rights{true, false, false, false});
  EXPECT(rights(2) == mmu::all_rights);
  REQUIRE(world.vtl_return(1).vtl_changed);
  EXPECT(world.map(id, 0x40, child_ram_page + 40, 1) == HvStatus::AccessDenied);
  EXPECT(world.map(id, 0x40, child_ram_page + 1, 3) == HvStatus::AccessDenied);
  EXPECT(world.map(id, 0x40, child_ram_page + 1, 1) == HvStatus::Success);
}

TEST_CASE("a child's processors come from the spare ones and wait for their parent") {
  CONFORMANCE("HvCallCreateVp", "an index that exists or is too high -> INVALID_VP_INDEX", "TLFS");
  CONFORMANCE("HvCallCreateVp", "reserved fields -> INVALID_PARAMETER", "TLFS");
  CONFORMANCE("HvCallCreateVp", "no processor left -> NO_RESOURCES", "our choice");
  CONFORMANCE("HvCallDeleteVp", "no such processor -> INVALID_VP_INDEX", "TLFS");
  CONFORMANCE("HvRegisterExplicitSuspend", "the parent starts and stops a VP with it; its own partition cannot",
              "TLFS 7.8.2");
  ChildWorld world;
  EXPECT(world.spares[0].suspended());
  EXPECT(world.spares[0].partition == 0);
  const uint64_t id = world.child();
  EXPECT(world.spares[0].partition == 2);
  EXPECT(world.spares[0].explicit_suspend);
  EXPECT(!world.spares[0].startup_suspend);
  EXPECT(world.create_vp(id, 0) == HvStatus::InvalidVpIndex);
  EXPECT(world.create_vp(id, 64) == HvStatus::InvalidVpIndex);
  abi::hv::CreateVp wrong{};
  wrong.partition = id;
  wrong.vp = 1;
  wrong.flags = 1;
  EXPECT(world.slow(CallCode::CreateVp, wrong) == HvStatus::InvalidParameter);
  REQUIRE(world.create_vp(id, 5) == HvStatus::Success);
  REQUIRE(world.create_vp(id, 3) == HvStatus::Success);
  EXPECT(world.spares[1].index == 5);
  EXPECT(world.spares[1].startup_suspend);
  EXPECT(world.spares[2].index == 3);
  EXPECT(world.create_vp(id, 4) == HvStatus::NoResources);
  const auto& vps = world.hypervisor.find_partition(id)->vps;
  REQUIRE(vps.size() == 3);
  EXPECT(vps[1]->registers->index == 3);

  uint64_t value = 0;
  EXPECT(world.get_child(id, 0, RegisterName::Rip, value) == HvStatus::Success);
  EXPECT(value == 0xFFF0);
  EXPECT(world.get_child(id, 0, RegisterName::ExplicitSuspend, value) == HvStatus::Success);
  EXPECT(value == 1);
  EXPECT(world.set_child(id, 0, RegisterName::Rip, 0x1000) == HvStatus::Success);
  EXPECT(world.set_child(id, 0, RegisterName::ExplicitSuspend, 2) == HvStatus::InvalidRegisterValue);
  EXPECT(world.set_child(id, 0, RegisterName::ExplicitSuspend, 0) == HvStatus::Success);
  EXPECT(!world.spares[0].suspended());
  EXPECT(world.set(RegisterName::ExplicitSuspend, 1) == HvStatus::AccessDenied);
  EXPECT(world.get_child(id, 9, RegisterName::Rip, value) == HvStatus::InvalidVpIndex);
  EXPECT(world.get_child(42, 0, RegisterName::Rip, value) == HvStatus::InvalidPartitionId);

  REQUIRE(world.slow(CallCode::DeleteVp, abi::hv::DeleteVp{id, 5, 0}) == HvStatus::Success);
  EXPECT(world.spares[1].partition == 0);
  EXPECT(world.slow(CallCode::DeleteVp, abi::hv::DeleteVp{id, 5, 0}) == HvStatus::InvalidVpIndex);
  REQUIRE(world.create_vp(id, 4) == HvStatus::Success);
  REQUIRE(world.with_id(CallCode::FinalizePartition, id) == HvStatus::Success);
  for (const VirtualProcessor& spare : world.spares) {
    EXPECT(spare.partition == 0);
    EXPECT(spare.suspended());
  }
}

TEST_CASE("a child has its own hypercall page, privileges and address space, and cannot name its parent") {
  CONFORMANCE("HvCallSetPartitionProperty", "privileges that the parent has not -> PROPERTY_VALUE_OUT_OF_RANGE",
              "TLFS 4.2.2");
  CONFORMANCE("HvCallSetPartitionProperty", "unknown -> UNKNOWN_PROPERTY", "TLFS; hvhdk");
  CONFORMANCE("HvCallGetVpRegisters", "a child names its parent -> INVALID_PARTITION_ID", "TLFS 4.1");
  CONFORMANCE("HvCallCreatePartition", "from a child -> PARTITION_TOO_DEEP", "hvdef");
  ChildWorld world;
  const uint64_t id = world.child();
  REQUIRE(world.slow(CallCode::GetPartitionProperty, abi::hv::GetPartitionProperty{id, 0x10000, 0}) ==
          HvStatus::Success);
  const uint64_t privileges = world.read<uint64_t>(output_page);
  EXPECT(!PrivilegeMask{privileges}.access_vp_registers());
  const auto property = [&](uint32_t code, uint64_t value) {
    return world.slow(CallCode::SetPartitionProperty, abi::hv::SetPartitionProperty{id, code, 0, value});
  };
  EXPECT(property(0x12345, 0) == HvStatus::UnknownProperty);
  EXPECT(property(0x10000, ~uint64_t{0}) == HvStatus::PropertyValueOutOfRange);
  const auto more = PrivilegeMask{privileges}.with_access_vp_registers(true).with_create_partitions(true);
  EXPECT(property(0x10000, more.raw) == HvStatus::Success);

  world.run_child(id);
  EXPECT(world.hypervisor.address_space(world.spares[0]).partition == 2);
  EXPECT(world.hypervisor.address_space(world.spares[0]).slat == world.memory_of(id).slat(Vtl::Vtl0));
  world.current = &world.spares[0];
  REQUIRE(world.wrmsr(msr::GuestOsId, 0x1234));
  REQUIRE(world.wrmsr(msr::Hypercall, 0x3001));
  EXPECT(world.memory_of(id).slat(Vtl::Vtl0)->lookup(Gpa{0x3000}).spa != Spa{(child_ram_page + 3) * 4096});
  EXPECT(!world.wrmsr(msr::Reset, 1));  // no privilege
  // Its parameter page is its own page 1, which is the root's child_ram_page + 1.
  const auto call = [&](CallCode code, uint16_t reps, uint64_t partition) {
    const Spa page{(child_ram_page + 1) * 4096};
    world.memory.write(page, GetVpRegisters{partition, vp_self, {}, {}});
    world.memory.write(page + 16, RegisterNameElement{static_cast<uint32_t>(RegisterName::VpIndex)});
    REQUIRE(world.vmcall(control_for(code, reps).raw, 0x1000, 0x2000).kind == OutcomeKind::Retire);
    return world.status();
  };
  EXPECT(call(CallCode::GetVpRegisters, 1, partition_self) == HvStatus::Success);
  EXPECT(call(CallCode::GetVpRegisters, 1, id) == HvStatus::Success);
  EXPECT(call(CallCode::GetVpRegisters, 1, 1) == HvStatus::InvalidPartitionId);
  REQUIRE(world.memory.fill(Spa{(child_ram_page + 1) * 4096}, 4096, 0));
  REQUIRE(world.vmcall(control_for(CallCode::CreatePartition).raw, 0x1000, 0x2000).kind == OutcomeKind::Retire);
  EXPECT(world.status() == HvStatus::PartitionTooDeep);
}

TEST_CASE("a state with children comes back whole, and a wrong one is refused") {
  ChildWorld world;
  const uint64_t id = world.child();
  world.run_child(id);
  REQUIRE(world.install(id, InterceptType::Exception, 4, 14) == HvStatus::Success);
  std::vector<uint8_t> bytes;
  support::StateWriter writer{bytes};
  writer.visit(world.hypervisor);
  const auto hash = support::hash_of(world.hypervisor);
  // Another life of the same machine: the child is gone, another one has its place.
  REQUIRE(world.with_id(CallCode::FinalizePartition, id) == HvStatus::Success);
  REQUIRE(world.withdraw(id, 32) == HvStatus::Success);
  REQUIRE(world.with_id(CallCode::DeletePartition, id) == HvStatus::Success);
  EXPECT(support::hash_of(world.hypervisor) != hash);
  support::StateReader reader{bytes};
  reader.visit(world.hypervisor);
  REQUIRE(reader.finish().ok());
  EXPECT(support::hash_of(world.hypervisor) == hash);
  EXPECT(world.spares[0].partition == 2);
  EXPECT(world.hypervisor.find_partition(id) != nullptr);
  EXPECT(world.hypervisor.partition_of(world.spares[0]).birth.partition_id == id);

  for (size_t cut = 0; cut < bytes.size(); cut += 977) {
    support::StateReader part{std::span{bytes}.first(cut)};
    part.visit(world.hypervisor);
    EXPECT(!part.finish().ok());
    support::StateReader again{bytes};
    again.visit(world.hypervisor);
    REQUIRE(again.finish().ok());
  }
  EXPECT(support::hash_of(world.hypervisor) == hash);
}
