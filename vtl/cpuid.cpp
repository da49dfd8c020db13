#include "vtl/cpuid.h"

#include <cstring>

#include "abi/x64/registers.h"

namespace vtl {
namespace {

constexpr uint32_t bit(unsigned n) {
  return uint32_t{1} << n;
}

// Leaf 1 (SDM vol. 2, CPUID). What the engine executes or sim/cpu emulates, and nothing else: tests/unit/cpu/features_test
// executes an instruction of each. Not there: AVX, BMI, ADX, CET, MONITOR, CLFLUSHOPT, VME, protection keys, SMX, VMX.
constexpr uint32_t leaf1_edx =
    bit(0) /*FPU*/ | bit(2) /*DE*/ | bit(3) /*PSE*/ | bit(4) /*TSC*/ | bit(5) /*MSR*/ |
    bit(6) /*PAE*/ | bit(7) /*MCE*/ | bit(8) /*CX8*/ | bit(11) /*SEP*/ | bit(12) /*MTRR*/ |
    bit(13) /*PGE*/ | bit(14) /*MCA*/ | bit(15) /*CMOV*/ | bit(16) /*PAT*/ | bit(17) /*PSE-36*/ |
    bit(19) /*CLFSH*/ |
    bit(23) /*MMX*/ | bit(24) /*FXSR*/ | bit(25) /*SSE*/ | bit(26) /*SSE2*/;
constexpr uint32_t leaf1_edx_apic = bit(9);
constexpr uint32_t leaf1_ecx = bit(0) /*SSE3*/ | bit(1) /*PCLMULQDQ*/ | bit(9) /*SSSE3*/ |
                               bit(13) /*CX16*/ | bit(17) /*PCID*/ | bit(19) /*SSE4.1*/ | bit(20) /*SSE4.2*/ |
                               bit(21) /*x2APIC*/ | bit(22) /*MOVBE*/ | bit(23) /*POPCNT*/ |
                               bit(24) /*TSC-deadline*/ | bit(25) /*AES*/ | bit(26) /*XSAVE*/ |
                               bit(30) /*RDRAND*/;
constexpr uint32_t leaf1_ecx_osxsave = bit(27);
constexpr uint32_t leaf7_ebx = bit(0) /*FSGSBASE*/ | bit(7) /*SMEP*/ | bit(9) /*ERMS*/ |
                               bit(10) /*INVPCID*/ | bit(18) /*RDSEED*/ | bit(20) /*SMAP*/;
constexpr uint32_t leaf7_ecx = bit(2) /*UMIP*/ | bit(16) /*LA57*/ | bit(22) /*RDPID*/;
constexpr uint32_t extended1_ecx = bit(0) /*LAHF*/ | bit(5) /*LZCNT*/ | bit(8) /*PREFETCHW*/;
constexpr uint32_t extended1_edx = bit(11) /*SYSCALL*/ | bit(20) /*NX*/ | bit(26) /*1 GiB pages*/ |
                                   bit(27) /*RDTSCP*/ | bit(29) /*long mode*/;

/// Family 6, model 0x5E, stepping 3: of the age of build 10240. For AMD family 0x17, model 1.
constexpr uint32_t intel_signature = 0x000506E3, amd_signature = 0x00800F11;

/// How often to look at a lock before HvCallNotifyLongSpinWait.
constexpr uint32_t spins_before_notification = 0xFFF;

CpuidResult vendor_leaf(uint32_t highest, Vendor vendor) {
  if (vendor == Vendor::Amd) return {highest, 0x68747541, 0x444D4163, 0x69746E65};  // AuthenticAMD
  return {highest, 0x756E6547, 0x6C65746E, 0x49656E69};                             // GenuineIntel
}

CpuidResult brand(uint32_t index) {
  constexpr char text[49] = "Airlock virtual processor @ 2.00GHz";
  CpuidResult result;
  uint32_t words[4];
  std::memcpy(words, text + 16 * index, 16);
  result = {words[0], words[1], words[2], words[3]};
  return result;
}

CpuidResult topology(uint32_t subleaf, const CpuidContext& context) {
  if (subleaf == 0) return {0, 1, 1u << 8, context.apic_id};  // SMT: one thread
  if (subleaf == 1) return {8, context.processors, 2u << 8 | 1u, context.apic_id};  // cores
  return {0, 0, subleaf & 0xFF, context.apic_id};
}

CpuidResult deterministic_cache(uint32_t subleaf) {
  // Type, level; then ways, partitions, line size; then sets (SDM vol. 2, leaf 4).
  if (subleaf == 0) return {bit(8) | 1u << 5 | 1, 7u << 22 | 63, 63, 0};
  if (subleaf == 1) return {bit(8) | 1u << 5 | 2, 7u << 22 | 63, 63, 0};
  if (subleaf == 2) return {bit(8) | 2u << 5 | 3, 15u << 22 | 63, 1023, 0};
  return {};
}

/// XSAVE of x87 and SSE in the standard form, XSAVEOPT (SDM vol. 2, leaf 0DH).
CpuidResult extended_state(uint32_t subleaf) {
  using namespace abi::x64::xcr0;
  if (subleaf == 0) return {static_cast<uint32_t>(supported), area_bytes, area_bytes, 0};
  if (subleaf == 1) return {bit(0), 0, 0, 0};
  return {};
}

}  // namespace

CpuidResult cpuid(uint32_t leaf, uint32_t subleaf, bool hypervisor_present,
                  const CpuidContext& context) {
  const bool intel = context.vendor == Vendor::Intel;
  switch (leaf) {
    case 0:
      return vendor_leaf(0x16, context.vendor);
    case 1:
      return {intel ? intel_signature : amd_signature,
              8u << 8 | uint32_t{context.processors} << 16 | uint32_t{context.apic_id} << 24,
              leaf1_ecx | (context.os_xsave ? leaf1_ecx_osxsave : 0) |
                  (hypervisor_present ? abi::hv::cpuid::hypervisor_present : 0),
              leaf1_edx | (context.apic_enabled ? leaf1_edx_apic : 0)};
    case 4:
      return intel ? deterministic_cache(subleaf) : CpuidResult{};
    case 6:
      return {bit(2), 0, 0, 0};  // ARAT: the APIC timer never stops
    case 7:
      return subleaf == 0 ? CpuidResult{0, leaf7_ebx, leaf7_ecx, 0} : CpuidResult{};
    case 0xB:
      return topology(subleaf, context);
    case 0xD:
      return extended_state(subleaf);
    case 0x15:
      return {1, 10, static_cast<uint32_t>(apic_frequency), 0};  // TSC = 10 x crystal clock
    case 0x16:
      return {2000, 2000, 200, 0};
    case 0x80000000:
      return vendor_leaf(0x80000008, context.vendor);
    case 0x80000001:
      return {intel ? 0 : amd_signature, 0, extended1_ecx, extended1_edx};
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
      return brand(leaf - 0x80000002);
    case 0x80000006:
      return {0, 0, 512u << 16 | 8u << 12 | 64, 0};
    case 0x80000007:
      return {0, 0, 0, bit(8)};  // invariant TSC
    case 0x80000008:
      return {57u << 8 | context.physical_address_bits, 0, 0, 0};
    default:
      return {};
  }
}

CpuidResult hypervisor_cpuid(uint32_t leaf, const HypervisorConfig& config) {
  using namespace abi::hv;
  switch (leaf) {
    case cpuid::vendor_leaf:
      return {cpuid::hardware_leaf, cpuid::vendor_ebx, cpuid::vendor_ecx, cpuid::vendor_edx};
    case cpuid::interface_leaf:
      return {cpuid::interface_eax, 0, 0, 0};
    case cpuid::version_leaf:
      return {config.build, 10u << 16, 0, 0};
    case cpuid::features_leaf: {
      PrivilegeMask privileges = config.privileges;
      if (config.maximum_vtl == 0) privileges = privileges.with_access_vsm(false);
      const auto features = MiscellaneousFeatures{}
                                .with_xmm_hypercall_input(true)
                                .with_xmm_hypercall_output(true)
                                .with_crash_msrs(true)
                                .with_npiep(true)
                                .with_extended_gva_ranges(true)
                                .with_cross_vtl_flush(true)
                                .with_translate_gva_flags(true)
                                .with_sint_polling_mode(true)
                                .with_direct_synthetic_timers(true)
                                .with_hypercall_msr_lock(true)
                                .with_pat_register_for_vsm(true);
      return {static_cast<uint32_t>(privileges.raw), static_cast<uint32_t>(privileges.raw >> 32), 0,
              features.raw};
    }
    case cpuid::recommendations_leaf:
      return {Recommendations{}
                  .with_cluster_ipi(true)
                  .with_ex_processor_masks(true)
                  .with_msr_reset(true)
                  .with_relaxed_timing(true)
                  .with_x2apic_msrs(true)
                  .raw,
              spins_before_notification, config.physical_address_bits, 0};
    case cpuid::limits_leaf:
      return {8, 8, 0, 0};
    case cpuid::hardware_leaf:
      return {
          HardwareFeatures{}.with_msr_bitmaps(true).with_second_level_address_translation(true).raw,
          0, 0, 0};
    default:
      return {};
  }
}

}  // namespace vtl
