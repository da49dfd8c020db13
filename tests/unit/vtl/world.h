#pragma once
// A partition without any engine: memory, hypervisor, two processors, and hypercalls made by
// filling in registers.
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "abi/hv/assist_page.h"
#include "abi/hv/hypercalls.h"
#include "abi/hv/messages.h"
#include "abi/hv/msrs.h"
#include "abi/hv/vp_registers.h"
#include "vtl/hypervisor.h"

namespace test {

using namespace abi::hv;
using abi::Gpa;
using abi::Gva;
using abi::Spa;
using support::Instant;
using vtl::Exit;
using vtl::ExitReason;
using vtl::Outcome;
using vtl::OutcomeKind;
using vtl::VirtualProcessor;

inline constexpr uint64_t guest_bytes = 8u << 20;
/// Pages of guest RAM with a fixed use; the rest is the tests'.
inline constexpr uint64_t input_page = 0x10000, output_page = 0x11000, hypercall_page = 0x12000;
inline constexpr uint64_t assist_page1 = 0x13000, message_page1 = 0x14000, assist_page0 = 0x15000;
inline constexpr uint64_t victim_page = 0x400000, code_page = 0x20000;
inline constexpr uint8_t intercept_vector = 0xF0;

struct EventLog final : support::EventSink {
  struct Entry {
    support::EventKind kind;
    Vtl vtl;
    uint64_t a, b, c;
    std::vector<uint64_t> frame;
    std::string text;
  };
  std::vector<Entry> entries;
  void on(const support::Event& event) override {
    Entry entry{event.kind, event.vtl, event.a, event.b, event.c, {}, std::string{event.text}};
    if (event.frame != nullptr) entry.frame.assign(event.frame, event.frame + 13);
    entries.push_back(entry);
  }
  [[nodiscard]] size_t count(support::EventKind kind) const {
    size_t found = 0;
    for (const Entry& entry : entries)
      found += entry.kind == kind ? 1 : 0;
    return found;
  }
};

/// A context that EnableVpVtl accepts: 64-bit mode, CPL 0, paging on.
inline InitialVpContext good_context() {
  InitialVpContext context{};
  context.rip = 0xFFFFF80100001000;
  context.rsp = 0xFFFFF80100008000;
  context.rflags = 2;
  context.cs = {0, 0xFFFFFFFF, 0x08, 0xA09B};
  context.ds = context.es = context.ss = {0, 0xFFFFFFFF, 0x10, 0xC093};
  context.fs = context.gs = context.ds;
  context.tr = {0xFFFFF80100010000, 0x67, 0x18, 0x008B};
  context.ldtr = {0, 0, 0, 0x0002};
  context.idtr = {{}, 0xFFF, 0xFFFFF80100011000};
  context.gdtr = {{}, 0x2F, 0xFFFFF80100012000};
  context.efer = 0xD01;
  context.cr0 = 0x80010033;
  context.cr3 = 0x600000;
  context.cr4 = 0x6A0;
  context.msr_cr_pat = 0x0007040600070406;
  return context;
}

class World {
 public:
  explicit World(vtl::HypervisorConfig config = {}, bool launch = true)
      : memory{guest_bytes + (8u << 20)},
        translator{memory},
        hypervisor{memory, translator, &events, with_memory(config)} {
    for (uint32_t i = 0; i < 2; ++i) {
      vps[i].index = i;
      in_long_mode(vps[i].contexts[Vtl::Vtl0]);
      hypervisor.add_virtual_processor(vps[i]);
    }
    if (launch) REQUIRE(hypervisor.launch(vps[0]));
  }

  static vtl::HypervisorConfig with_memory(vtl::HypervisorConfig config) {
    config.guest_memory_bytes = guest_bytes;
    return config;
  }
  static void in_long_mode(vtl::VtlContext& context) {
    context.cr0 = 0x80010033;
    context.cr4 = 0x6A0;
    context.efer = 0xD01;
    context.cr3 = 0x1000;
    context.rip = code_page;
    context.segments.fill({0, ~0u, 0x10, 0xC093});
    context.segments[vtl::Cs] = {0, ~0u, 0x08, 0xA09B};
  }

  VirtualProcessor& vp() { return vps[0]; }
  const VirtualProcessor& vp() const { return vps[0]; }

  // --- Exits.
  Outcome exit(ExitReason reason) {
    Exit exit;
    exit.reason = reason;
    return hypervisor.handle(exit, *current, now);
  }
  /// VMCALL with these registers; follows an unfinished rep call to its end.
  Outcome vmcall(uint64_t control, uint64_t rdx = 0, uint64_t r8 = 0) {
    current->shared.gpr[vtl::Rcx] = control;
    current->shared.gpr[vtl::Rdx] = rdx;
    current->shared.gpr[vtl::R8] = r8;
    Outcome outcome;
    entries_into_hypervisor = 0;
    do {
      outcome = exit(ExitReason::Hypercall);
      ++entries_into_hypervisor;
    } while (outcome.kind == OutcomeKind::Resume && !outcome.vtl_changed &&
             entries_into_hypervisor < 5000);
    return outcome;
  }
  [[nodiscard]] HypercallResult result() const {
    return HypercallResult{current->shared.gpr[vtl::Rax]};
  }
  [[nodiscard]] HvStatus status() const { return static_cast<HvStatus>(result().status()); }

  /// A call with its parameters in memory. The answer is the status; REQUIREs that there is one.
  template <class Header, class Element = uint8_t>
  HvStatus slow(CallCode code, const Header& header, std::span<const Element> elements = {}) {
    write(input_page, header);
    for (size_t i = 0; i < elements.size(); ++i) {
      write(input_page + sizeof(Header) + i * sizeof(Element), elements[i]);
    }
    const Outcome outcome = vmcall(control_for(code, static_cast<uint16_t>(elements.size())).raw,
                                   input_page, output_page);
    REQUIRE(outcome.kind == OutcomeKind::Retire);
    return status();
  }

  // --- MSRs; empty or false is #GP.
  std::optional<uint64_t> rdmsr(uint32_t number) {
    Exit exit;
    exit.reason = ExitReason::MsrRead;
    exit.msr = number;
    const Outcome outcome = hypervisor.handle(exit, *current, now);
    if (outcome.kind != OutcomeKind::Retire) return std::nullopt;
    return current->shared.gpr[vtl::Rdx] << 32 | current->shared.gpr[vtl::Rax];
  }
  bool wrmsr(uint32_t number, uint64_t value) {
    Exit exit;
    exit.reason = ExitReason::MsrWrite;
    exit.msr = number;
    exit.value = value;
    return hypervisor.handle(exit, *current, now).kind == OutcomeKind::Retire;
  }

  // --- VTLs.
  HvStatus enable_partition_vtl(uint64_t partition = partition_self, uint8_t vtl = 1,
                                uint8_t flags = 0) {
    return slow(CallCode::EnablePartitionVtl,
                EnablePartitionVtl{partition, vtl, EnablePartitionVtlFlags{flags}, {}});
  }
  HvStatus enable_vp_vtl(uint32_t vp = vp_self, uint8_t vtl = 1,
                         const InitialVpContext& context = good_context(),
                         uint64_t partition = partition_self) {
    return slow(CallCode::EnableVpVtl, EnableVpVtl{partition, vp, vtl, {}, context});
  }
  Outcome vtl_call(uint64_t control = 0) {
    current->shared.gpr[vtl::Rax] = control;
    return vmcall(0x11);
  }
  Outcome vtl_return(uint64_t control = 0) {
    current->shared.gpr[vtl::Rax] = control;
    return vmcall(0x12);
  }
  /// VTL 1 exists on the first processor, which is in VTL 0.
  void enable_vtl1(bool mbec = false) {
    REQUIRE(enable_partition_vtl(partition_self, 1, mbec ? 1 : 0) == HvStatus::Success);
    REQUIRE(enable_vp_vtl() == HvStatus::Success);
  }
  /// VTL 1 is active, has its assist page, message page, SINT0 and APIC on, and restricts VTL 0
  /// (nothing yet).
  void enter_vtl1_ready(bool mbec = false) {
    enable_vtl1(mbec);
    REQUIRE(vtl_call().vtl_changed);
    REQUIRE(wrmsr(msr::GuestOsId, 0x0001'0400'0A00'2800));
    REQUIRE(wrmsr(msr::VpAssistPage, assist_page1 | 1));
    REQUIRE(wrmsr(msr::Simp, message_page1 | 1));
    REQUIRE(wrmsr(msr::Scontrol, 1));
    REQUIRE(wrmsr(msr::Sint0, intercept_vector));
    enable_apic();
    const VsmPartitionConfig config =
        VsmPartitionConfig{}.with_enable_vtl_protection(true).with_default_vtl_protection_mask(0xF);
    REQUIRE(set(RegisterName::VsmPartitionConfig, config.raw) == HvStatus::Success);
    if (mbec) REQUIRE(set(RegisterName::VsmVpSecureConfigVtl0, 1) == HvStatus::Success);
  }
  /// xAPIC, software-enabled, in the active VTL.
  void enable_apic() { hypervisor.apic_mmio_write(*current, 0xF0, 4, 0x1FF, now); }
  HvStatus protect(uint64_t gpa, uint32_t flags) {
    const GpaPage page{gpa / abi::page_size};
    return slow(CallCode::ModifyVtlProtectionMask,
                ModifyVtlProtectionMask{partition_self, flags, {}, {}},
                std::span<const GpaPage>{&page, 1});
  }

  // --- Registers by name, of the caller's own VTL unless `vtl` says otherwise (raw HV_INPUT_VTL).
  HvStatus get(RegisterName name, RegisterValue& value, uint8_t vtl = 0, uint32_t vp = vp_self) {
    const RegisterNameElement element{static_cast<uint32_t>(name)};
    const HvStatus status =
        slow(CallCode::GetVpRegisters, GetVpRegisters{partition_self, vp, InputVtl{vtl}, {}},
             std::span<const RegisterNameElement>{&element, 1});
    if (status == HvStatus::Success) value = read<RegisterValue>(output_page);
    return status;
  }
  uint64_t get(RegisterName name, uint8_t vtl = 0) {
    RegisterValue value{};
    REQUIRE(get(name, value, vtl) == HvStatus::Success);
    return value.low;
  }
  HvStatus set(RegisterName name, uint64_t low, uint8_t vtl = 0, uint64_t high = 0) {
    const RegisterAssignment element{static_cast<uint32_t>(name), {}, {low, high}};
    return slow(CallCode::SetVpRegisters,
                GetVpRegisters{partition_self, vp_self, InputVtl{vtl}, {}},
                std::span<const RegisterAssignment>{&element, 1});
  }

  // --- Memory as the active VTL of the current processor sees it.
  Spa spa(uint64_t gpa, std::optional<Vtl> vtl = {}) {
    const auto mapping =
        hypervisor.partition().memory->slat(vtl.value_or(current->active))->lookup(Gpa{gpa});
    REQUIRE(mapping.mapped);
    return mapping.spa;
  }
  template <class T>
  void write(uint64_t gpa, const T& value) {
    memory.write(spa(gpa), value);
  }
  template <class T>
  T read(uint64_t gpa) {
    return memory.read<T>(spa(gpa));
  }

  /// A refused access of the current processor, as an engine reports it.
  Outcome violation(uint64_t gpa, mmu::AccessKind kind, uint64_t gva = 0x7FF612340000) {
    return hypervisor.handle(violation_exit(gpa, kind, gva), *current, now);
  }
  static Exit violation_exit(uint64_t gpa, mmu::AccessKind kind, uint64_t gva) {
    Exit exit;
    exit.reason = ExitReason::SlatViolation;
    exit.access = kind;
    exit.fault.kind = mmu::FaultKind::SlatViolation;
    exit.fault.address = Gva{gva};
    exit.fault.gpa = Gpa{gpa};
    exit.fault.qualification = uint64_t{1} << static_cast<unsigned>(kind) | 1u << 7 | 1u << 8;
    exit.instruction_length = 3;
    exit.instruction_byte_count = 16;
    for (uint8_t i = 0; i < 16; ++i)
      exit.instruction_bytes[i] = static_cast<uint8_t>(0x48 + i);
    return exit;
  }

  mmu::PhysicalMemory memory;
  mmu::Translator translator;
  EventLog events;
  vtl::Hypervisor hypervisor;
  VirtualProcessor vps[2];
  VirtualProcessor* current = &vps[0];
  Instant now{1000};
  int entries_into_hypervisor = 0;
};

}  // namespace test
