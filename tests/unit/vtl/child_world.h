#pragma once
// A root partition with spare processors, and children made by hypercalls.
#include "tests/unit/vtl/message_bytes.h"

namespace test {

inline constexpr uint64_t lapic = uint64_t{1} << 13;
inline constexpr uint64_t message_page0 = 0x16000;
/// Pages of the root that children are fed with and mapped to.
inline constexpr uint64_t pool_page = 0x500, child_ram_page = 0x600;

class ChildWorld : public World {
 public:
  explicit ChildWorld(vtl::HypervisorConfig config = {}) : World(config, false) {
    for (VirtualProcessor& spare : spares) hypervisor.add_spare_virtual_processor(spare);
    REQUIRE(hypervisor.launch(vps[0]));
  }

  /// The root can hear of intercepts: SynIC, message page, SINT0 and local APIC of VTL 0 are on.
  void listen() {
    REQUIRE(wrmsr(msr::GuestOsId, 0x0001'0400'0A00'2800));
    REQUIRE(wrmsr(msr::Simp, message_page0 | 1));
    REQUIRE(wrmsr(msr::Scontrol, 1));
    REQUIRE(wrmsr(msr::Sint0, intercept_vector));
    enable_apic();
  }
  HvStatus create(uint64_t flags, uint64_t& id) {
    abi::hv::CreatePartition input{};
    input.flags = flags;
    const HvStatus status = slow(CallCode::CreatePartition, input);
    if (status == HvStatus::Success) id = read<uint64_t>(output_page);
    return status;
  }
  HvStatus with_id(CallCode code, uint64_t id) { return slow(code, PartitionIdOnly{id}); }
  HvStatus deposit(uint64_t id, uint64_t first, uint64_t count) {
    std::vector<GpaPage> pages;
    for (uint64_t i = 0; i < count; ++i) pages.push_back({first + i});
    return slow(CallCode::DepositMemory, PartitionIdOnly{id}, std::span<const GpaPage>{pages});
  }
  HvStatus map(uint64_t id, uint64_t target, uint64_t source, uint32_t flags, uint64_t count = 1) {
    std::vector<GpaPage> pages;
    for (uint64_t i = 0; i < count; ++i) pages.push_back({source + i});
    return slow(CallCode::MapGpaPages, abi::hv::MapGpaPages{id, target, flags, 0},
                std::span<const GpaPage>{pages});
  }
  /// Calls whose repetitions have no list.
  template <class Header>
  HvStatus counted(CallCode code, const Header& header, uint16_t count) {
    write(input_page, header);
    REQUIRE(vmcall(control_for(code, count).raw, input_page, output_page).kind == OutcomeKind::Retire);
    return status();
  }
  HvStatus unmap(uint64_t id, uint64_t target, uint16_t count = 1) {
    return counted(CallCode::UnmapGpaPages, abi::hv::UnmapGpaPages{id, target, 0, 0}, count);
  }
  HvStatus withdraw(uint64_t id, uint16_t count) {
    return counted(CallCode::WithdrawMemory, abi::hv::WithdrawMemory{id, 0}, count);
  }
  HvStatus create_vp(uint64_t id, uint32_t index) {
    abi::hv::CreateVp input{};
    input.partition = id;
    input.vp = index;
    return slow(CallCode::CreateVp, input);
  }
  HvStatus install(uint64_t id, InterceptType type, uint32_t access, uint64_t parameter) {
    return slow(CallCode::InstallIntercept, abi::hv::InstallIntercept{id, access, type, parameter});
  }
  HvStatus get_child(uint64_t id, uint32_t index, RegisterName name, uint64_t& value, uint8_t vtl = 0) {
    const RegisterNameElement element{static_cast<uint32_t>(name)};
    const HvStatus status = slow(CallCode::GetVpRegisters, GetVpRegisters{id, index, InputVtl{vtl}, {}},
                                 std::span<const RegisterNameElement>{&element, 1});
    if (status == HvStatus::Success) value = read<uint64_t>(output_page);
    return status;
  }
  HvStatus set_child(uint64_t id, uint32_t index, RegisterName name, uint64_t value, uint8_t vtl = 0) {
    const RegisterAssignment element{static_cast<uint32_t>(name), {}, {value, 0}};
    return slow(CallCode::SetVpRegisters, GetVpRegisters{id, index, InputVtl{vtl}, {}},
                std::span<const RegisterAssignment>{&element, 1});
  }
  /// An active child with 32 pages for its tables, 16 pages of RAM at 0, and VP 0, whose registers are `spares[0]`.
  uint64_t child(uint64_t flags = lapic) {
    uint64_t id = 0;
    REQUIRE(create(flags, id) == HvStatus::Success);
    REQUIRE(deposit(id, pool_page, 32) == HvStatus::Success);
    REQUIRE(with_id(CallCode::InitializePartition, id) == HvStatus::Success);
    REQUIRE(map(id, 0, child_ram_page, 0xF, 16) == HvStatus::Success);
    REQUIRE(create_vp(id, 0) == HvStatus::Success);
    return id;
  }
  /// The child's VP 0 runs, in a state that shows in messages.
  VirtualProcessor& run_child(uint64_t id) {
    REQUIRE(set_child(id, 0, RegisterName::ExplicitSuspend, 0) == HvStatus::Success);
    distinct_state(spares[0]);
    return spares[0];
  }
  /// Into the RAM of the first child.
  template <class T>
  void write_child(uint64_t gpa, const T& value) {
    memory.write(Spa{child_ram_page * 4096 + gpa}, value);
  }
  Outcome child_exit(const Exit& exit) { return hypervisor.handle(exit, spares[0], now); }
  std::vector<uint8_t> root_slot() {
    std::vector<uint8_t> bytes(256);
    REQUIRE(memory.read(spa(message_page0, Vtl::Vtl0), std::span<uint8_t>{bytes}));
    return bytes;
  }
  const vtl::GuestMemory& memory_of(uint64_t id) { return *hypervisor.find_partition(id)->memory; }

  VirtualProcessor spares[3];
};

}  // namespace test
