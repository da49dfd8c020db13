#pragma once
// The registers of a virtual processor: what all VTLs share and what each VTL keeps to itself (TLFS
// 15.11, section 4.3).
#include <array>
#include <cstdint>

#include "abi/hv/vtl.h"
#include "mmu/access.h"
#include "sim/support/state_fields.h"

namespace vtl {

using abi::hv::all_vtls;
using abi::hv::Vtl;

/// The only container that is indexed by a Vtl.
template <class T>
struct VtlArray {
  std::array<T, abi::hv::implemented_vtls> values{};
  T& operator[](Vtl vtl) { return values[static_cast<uint8_t>(vtl)]; }
  const T& operator[](Vtl vtl) const { return values[static_cast<uint8_t>(vtl)]; }
  template <class Visitor, class Self>
  static void visit_state(Visitor& visit, Self& self) {
    auto& [values] = self;
    visit.visit(values);  // without a name of its own: contexts[1].rip
  }
};

enum Gpr : uint8_t {
  Rax,
  Rcx,
  Rdx,
  Rbx,
  Rsp,
  Rbp,
  Rsi,
  Rdi,
  R8,
  R9,
  R10,
  R11,
  R12,
  R13,
  R14,
  R15,
  gpr_count
};
enum SegmentName : uint8_t { Es, Cs, Ss, Ds, Fs, Gs, segment_count };

/// A segment register with its hidden part. `attributes` as HV_X64_SEGMENT_REGISTER: 3:0 type, 4 S,
/// 6:5 DPL, 7 P, 12 AVL, 13 L, 14 D/B, 15 G.
struct Segment {
  uint64_t base{};
  uint32_t limit{};
  uint16_t selector{};
  uint16_t attributes{};
  STATE_FIELDS(base, limit, selector, attributes)
  friend constexpr bool operator==(const Segment&, const Segment&) = default;
};

struct DescriptorTable {
  uint64_t base{};
  uint16_t limit{};
  STATE_FIELDS(base, limit)
  friend constexpr bool operator==(const DescriptorTable&, const DescriptorTable&) = default;
};

struct Xmm {
  uint64_t low{}, high{};
  static constexpr bool state_is_plain = true;
  STATE_FIELDS(low, high)
  friend constexpr bool operator==(const Xmm&, const Xmm&) = default;
};

/// x87 and SSE state as FXSAVE orders it; x87 registers hold 80 bits in `low` and the low 16 bits
/// of `high`.
struct FloatingPoint {
  uint16_t control{0x37f}, status{}, opcode{};
  uint8_t tag{};  ///< abridged: bit n set = physical register n in use
  uint32_t mxcsr{0x1f80};
  uint64_t instruction{}, operand{};                          ///< of the last x87 instruction: FIP, FDP
  uint16_t instruction_selector{}, operand_selector{};        ///< FCS, FDS
  std::array<Xmm, 8> st{};
  std::array<Xmm, 16> xmm{};
  STATE_FIELDS(control, status, opcode, tag, mxcsr, instruction, operand, instruction_selector, operand_selector, st, xmm)
  friend constexpr bool operator==(const FloatingPoint&, const FloatingPoint&) = default;
};

/// Shared between the VTLs of a VP. RSP is not here though it is a general register: gpr[Rsp] is
/// unused.
struct SharedRegisters {
  std::array<uint64_t, gpr_count> gpr{};
  uint64_t cr2{};
  std::array<uint64_t, 4> dr{};  ///< DR0..DR3
  uint64_t dr6{0xffff0ff0};
  uint64_t xcr0{1};
  FloatingPoint fp;
  STATE_FIELDS(gpr, cr2, dr, dr6, xcr0, fp)
};

/// An exception to deliver in a VTL, as PendingEvent0 describes it (section 3.6).
struct PendingException {
  uint8_t vector{};
  bool has_error_code{};
  uint32_t error_code{};
  uint64_t parameter{};  ///< CR2 for #PF
  STATE_FIELDS(vector, has_error_code, error_code, parameter)
};

/// What somebody above wants to know before it happens in one VTL of one VP. The hypervisor writes it; the engine leaves
/// with an Exit instead of performing what is listed, and everything else costs nothing.
struct Interceptions {
  uint64_t registers{};         ///< as HvX64RegisterCrInterceptControl (section 5.6)
  uint64_t cr0_mask{~uint64_t{0}}, cr4_mask{~uint64_t{0}};  ///< a write counts only if it changes one of these bits
  uint64_t misc_enable_mask{~uint64_t{0}};
  uint32_t exceptions{};        ///< bit n: exception n leaves with ExitReason::Exception instead of being delivered
  STATE_FIELDS(registers, cr0_mask, cr4_mask, misc_enable_mask, exceptions)
};

/// Private to one VTL of one VP.
struct VtlContext {
  uint64_t rip{}, rsp{}, rflags{2};
  uint64_t cr0{0x60000010}, cr3{}, cr4{}, efer{};
  std::array<uint64_t, 4> pdpte{};  ///< PAE paging: loaded by MOV CR0, CR3 and CR4 (SDM vol. 3, 4.4.1)
  uint64_t dr7{0x400};
  std::array<Segment, segment_count> segments{};
  Segment ldtr{}, tr{};
  DescriptorTable gdtr{}, idtr{};
  uint64_t star{}, lstar{}, cstar{}, sfmask{};
  uint64_t kernel_gs_base{};
  uint64_t sysenter_cs{}, sysenter_esp{}, sysenter_eip{};
  uint64_t pat{0x0007040600070406};
  uint64_t tsc_aux{}, tsc_offset{}, misc_enable{1};
  uint8_t tpr{};            ///< task priority of this VTL's local APIC; CR8 is bits 7:4 of it
  bool interrupt_shadow{};  ///< the instruction after STI or MOV SS
  bool nmi_masked{};
  bool nmi_pending{};  ///< delivered at the next boundary with nmi_masked clear
  bool exception_pending{};
  PendingException pending;  ///< delivered before the next instruction of this VTL
  /// Waits in HLT while another VTL runs; for the active VTL see VirtualProcessor::halted.
  bool halted{};
  uint8_t npiep{};  ///< HV_X64_MSR_NPIEP_CONFIG: SGDT, SIDT, SLDT, STR that are #GP at CPL 3
  Interceptions interceptions;
  uint64_t
      changes{};  ///< counts writes from outside the engine: one that caches a context reloads it

  STATE_FIELDS(rip, rsp, rflags, cr0, cr3, cr4, efer, pdpte, dr7, segments, ldtr, tr, gdtr, idtr, star, lstar, cstar,
               sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, pat, tsc_aux, tsc_offset, misc_enable,
               tpr, interrupt_shadow, nmi_masked, nmi_pending, exception_pending, pending, halted, npiep, interceptions, (changes))
};

/// One virtual processor: shared registers once, private registers per VTL.
struct VirtualProcessor {
  uint32_t index{};       ///< HV_VP_INDEX: within its partition
  uint32_t number{};      ///< among all virtual processors of the machine
  uint8_t partition{1};   ///< to which it belongs, as in mmu::AddressSpace; the root is 1
  Vtl active{Vtl::Vtl0};
  SharedRegisters shared;
  VtlArray<VtlContext> contexts;
  bool halted{};  ///< the active VTL waits in HLT
  /// Reasons not to run at all: waits for SIPI or StartVirtualProcessor; an intercept of it is not answered; somebody
  /// stopped it (HvRegisterInternalActivityState bit 0, HvRegisterInterceptSuspend, HvRegisterExplicitSuspend).
  bool startup_suspend{}, intercept_suspend{}, explicit_suspend{};
  uint64_t run_ticks{};  ///< ticks that it spent running, in all VTLs: the run loop adds them (HV_X64_MSR_VP_RUNTIME)

  STATE_FIELDS((index), (number), (partition), active, shared, contexts, halted, startup_suspend, intercept_suspend,
               explicit_suspend, run_ticks)
  /// No interrupt can make it run: somebody else must.
  [[nodiscard]] bool suspended() const { return startup_suspend || intercept_suspend || explicit_suspend; }
  [[nodiscard]] const char* state_error() const {
    return static_cast<uint8_t>(active) < abi::hv::implemented_vtls ? "" : "it runs in a VTL that does not exist";
  }

  VtlContext& context() { return contexts[active]; }
  const VtlContext& context() const { return contexts[active]; }
  [[nodiscard]] uint8_t cpl() const {
    return static_cast<uint8_t>((context().segments[Ss].attributes >> 5) & 3);
  }
};

}  // namespace vtl
