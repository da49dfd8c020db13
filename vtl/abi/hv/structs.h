#pragma once
// What hypercalls read and write, byte for byte (TLFS, calls by name; hvdef). A call's header
// structure has its name.
#include <stdint.h>

#include "abi/layout/bits.h"
#include "abi/layout/fields.h"

namespace abi::hv {

/// The partition that calls, and the virtual processor that calls (TLFS 2.1, 7.8.1).
inline constexpr uint64_t partition_self = ~uint64_t{0};
inline constexpr uint32_t vp_any = 0xFFFF'FFFF;
inline constexpr uint32_t vp_self = 0xFFFF'FFFE;

struct Empty {};

/// HV_INPUT_VTL: which VTL a call means; without `use_target_vtl` the caller's own (TLFS 15.4.1).
struct InputVtl {
  using Self = InputVtl;
  using Raw = uint8_t;
  Raw raw{};
  ABI_BITS(3, 0, uint8_t, target_vtl)
  ABI_BIT(4, use_target_vtl)
  ABI_BITS(7, 5, uint8_t, reserved)
};

/// HV_X64_SEGMENT_REGISTER. Attributes: 3:0 type, 4 S, 6:5 DPL, 7 P, 11:8 reserved, 12 AVL, 13 L,
/// 14 D/B, 15 G.
struct SegmentRegister {
  uint64_t base;
  uint32_t limit;
  uint16_t selector;
  uint16_t attributes;
};

/// HV_X64_TABLE_REGISTER: GDTR or IDTR.
struct TableRegister {
  uint16_t reserved[3];
  uint16_t limit;
  uint64_t base;
};

/// HV_REGISTER_VALUE: every register travels as 16 bytes; unused ones are zero.
struct RegisterValue {
  uint64_t low;
  uint64_t high;
};

/// HV_INITIAL_VP_CONTEXT: with what a VTL starts on a VP (TLFS 15.6.2.2).
struct InitialVpContext {
  uint64_t rip;
  uint64_t rsp;
  uint64_t rflags;
  SegmentRegister cs, ds, es, fs, gs, ss, tr, ldtr;
  TableRegister idtr, gdtr;
  uint64_t efer;
  uint64_t cr0;
  uint64_t cr3;
  uint64_t cr4;
  uint64_t msr_cr_pat;
};

/// HV_ENABLE_PARTITION_VTL_FLAGS.
struct EnablePartitionVtlFlags {
  using Self = EnablePartitionVtlFlags;
  using Raw = uint8_t;
  Raw raw{};
  ABI_BIT(0, enable_mbec)
  ABI_BIT(1, enable_supervisor_shadow_stack)
  ABI_BIT(2, enable_hardware_hvpt)
  ABI_BITS(7, 3, uint8_t, reserved)
};

struct EnablePartitionVtl {
  uint64_t target_partition;
  uint8_t target_vtl;
  EnablePartitionVtlFlags flags;
  uint8_t reserved[6];
};

/// Input of EnableVpVtl and of StartVirtualProcessor.
struct EnableVpVtl {
  uint64_t target_partition;
  uint32_t target_vp;
  uint8_t target_vtl;
  uint8_t reserved[3];
  InitialVpContext context;
};

/// HV_MAP_GPA flags: what lower VTLs may do with a page (section 5.1).
namespace map_gpa {
inline constexpr uint32_t none = 0;
inline constexpr uint32_t readable = 0x1;
inline constexpr uint32_t writable = 0x2;
inline constexpr uint32_t kernel_executable = 0x4;
inline constexpr uint32_t user_executable = 0x8;
inline constexpr uint32_t supervisor_shadow_stack = 0x10;
inline constexpr uint32_t paging_writable = 0x20;
inline constexpr uint32_t verify_paging_writable = 0x40;
inline constexpr uint32_t adjustable = 0x8000;
inline constexpr uint32_t all_access = 0xF;
}  // namespace map_gpa

/// `target_vtl` names the VTL whose restrictions on lower VTLs are edited: normally the caller's
/// own (section 3.8).
struct ModifyVtlProtectionMask {
  uint64_t target_partition;
  uint32_t map_flags;
  InputVtl target_vtl;
  uint8_t reserved[3];
};

/// One list element: a guest physical page number.
struct GpaPage {
  uint64_t page;
};

/// Header of GetVpRegisters and of SetVpRegisters.
struct GetVpRegisters {
  uint64_t target_partition;
  uint32_t target_vp;
  InputVtl target_vtl;
  uint8_t reserved[3];
};

/// List element of GetVpRegisters: a row of vp_registers.def, or anything else that a guest sends.
struct RegisterNameElement {
  uint32_t name;
};

/// List element of SetVpRegisters.
struct RegisterAssignment {
  uint32_t name;
  uint32_t reserved[3];
  RegisterValue value;
};

/// Flags of the flush calls (TLFS 4.4.3 and hvdef).
namespace flush {
inline constexpr uint64_t all_processors = 0x1;
inline constexpr uint64_t all_virtual_address_spaces = 0x2;
inline constexpr uint64_t non_global_mappings_only = 0x4;
inline constexpr uint64_t extended_range_format = 0x8;
inline constexpr uint64_t use_target_vtl = 0x10;
inline constexpr uint64_t target_vtl0 = 0x100;
inline constexpr uint64_t target_vtl1 = 0x200;
}  // namespace flush

/// Header of both flush calls. `address_space` is a CR3 value, `processor_mask` has bit n for VP n.
struct FlushVirtualAddressSpace {
  uint64_t address_space;
  uint64_t flags;
  uint64_t processor_mask;
};

/// List element: 63:12 the first page, 11:0 how many pages follow it.
struct GvaRange {
  using Self = GvaRange;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BITS(11, 0, uint16_t, additional_pages)
  ABI_BITS(63, 12, uint64_t, page)
};

/// HV_VP_SET without its banks, which are the variable header (TLFS 7.8.7.3).
inline constexpr uint64_t vp_set_sparse_4k = 0, vp_set_all = 1;
struct VpSet {
  uint64_t format;
  uint64_t valid_banks;  ///< bit n: a bank for VPs 64 n to 64 n + 63 follows
};

/// Header of both flush calls that take a VP set.
struct FlushVirtualAddressSpaceEx {
  uint64_t address_space;
  uint64_t flags;
  VpSet processors;
};

struct FlushGuestPhysicalAddressSpace {
  uint64_t address_space;
  uint64_t flags;
};

/// HV_GPA_PAGE_RANGE: 63:12 the first page, 10:0 how many follow it, 11 whether they are large.
struct GpaPageRange {
  uint64_t raw;
};

struct NotifyLongSpinWait {
  uint64_t spins;  ///< 31:0 how often the caller has looked
};

struct SwitchVirtualAddressSpace {
  uint64_t address_space;
};

struct SendSyntheticClusterIpi {
  uint32_t vector;
  InputVtl target_vtl;
  uint8_t flags;
  uint16_t reserved;
  uint64_t processor_mask;
};

struct TranslateVirtualAddress {
  uint64_t target_partition;
  uint32_t target_vp;
  uint32_t reserved;
  uint64_t control_flags;
  uint64_t gva_page;
};

struct TranslateVirtualAddressOutput {
  uint32_t result_code;
  uint8_t cache_type;
  uint8_t overlay_page;
  uint16_t reserved;
  uint64_t gpa_page;
};

struct SendSyntheticClusterIpiEx {
  uint32_t vector;
  InputVtl target_vtl;
  uint8_t flags;
  uint16_t reserved;
  VpSet processors;
};

/// What HvCallTranslateVirtualAddress checks and does (TLFS, hvdef). Bits 63:56 are HV_INPUT_VTL.
namespace translate_gva {
inline constexpr uint64_t validate_read = 0x1, validate_write = 0x2, validate_execute = 0x4;
inline constexpr uint64_t privilege_exempt = 0x8, set_page_table_bits = 0x10,
                          tlb_flush_inhibit = 0x20;
inline constexpr uint64_t supervisor_access = 0x40, user_access = 0x80;
inline constexpr uint64_t enforce_smap = 0x100, override_smap = 0x200, shadow_stack = 0x400;
}  // namespace translate_gva

/// HV_TRANSLATE_GVA_RESULT_CODE.
enum class TranslateResult : uint32_t {
  Success = 0,
  PageNotPresent = 1,
  PrivilegeViolation = 2,
  InvalidPageTableFlags = 3,
  GpaUnmapped = 4,
  GpaNoReadAccess = 5,
  GpaNoWriteAccess = 6,
  GpaIllegalOverlayAccess = 7,
  Intercept = 8,
  GpaUnaccepted = 9
};

/// Output of the Ex form, as hvdef has it: with what the access would have raised.
struct TranslateVirtualAddressExOutput {
  uint32_t result_code;
  uint8_t cache_type;
  uint8_t overlay_page;
  uint16_t reserved;
  uint64_t reserved1;
  RegisterValue event;  ///< as HvRegisterPendingEvent0; no event: 0
  RegisterValue event1;
  uint64_t gpa_page;
  uint64_t reserved2;
};

/// HV_INTERRUPT_TYPE.
enum class InterruptType : uint32_t {
  Fixed = 0,
  LowestPriority = 1,
  Smi = 2,
  RemoteRead = 3,
  Nmi = 4,
  Init = 5,
  Sipi = 6,
  ExtInt = 7,
  LocalInt0 = 8,
  LocalInt1 = 9
};

/// HV_INTERRUPT_CONTROL.
struct InterruptControl {
  using Self = InterruptControl;
  using Raw = uint64_t;
  Raw raw{};
  ABI_BITS(31, 0, uint32_t, type)
  ABI_BIT(32, level_triggered)
  ABI_BIT(33, logical_destination)
  ABI_BITS(63, 34, uint32_t, reserved)
};

struct ClearVirtualInterrupt {
  uint64_t target_partition;
};

/// Header of GetVpCpuidValues. `flags`: 0 use the VP's XFEM and XSS, 1 apply registered values.
struct GetVpCpuidValues {
  uint64_t target_partition;
  uint32_t target_vp;
  uint32_t flags;
  uint32_t reserved;
  uint32_t padding;
};
struct CpuidLeafElement {
  uint32_t eax;
  uint32_t ecx;
  uint64_t xfem;
  uint64_t xss;
};
struct CpuidValues {
  uint32_t eax, ebx, ecx, edx;
};

enum class PartitionEvent : uint32_t { DebugDeviceAvailable = 1, RootCrashDump = 2, AllLogicalProcessorsStarted = 4 };
struct NotifyPartitionEvent {
  uint32_t event;
  uint32_t input;
};

enum class SystemProperty : uint32_t { SchedulerType = 15 };
enum class SchedulerType : uint64_t { Classic = 1 };
struct GetSystemProperty {
  uint32_t property_id;
  uint32_t reserved;
  uint64_t argument;
};
struct SystemPropertyValue {
  uint64_t value;
};

/// Output of HvExtCallQueryCapabilities (TLFS 3.10).
struct ExtendedCapabilities {
  uint64_t capabilities;
};

struct AssertVirtualInterrupt {
  uint64_t target_partition;
  uint64_t interrupt_control;
  uint64_t destination;
  uint32_t vector;
  uint8_t target_vtl;
  uint8_t reserved[3];
};

struct GetVpIndexFromApicId {
  uint64_t target_partition;
  uint8_t target_vtl;
  uint8_t reserved[7];
};

struct ApicIdElement {
  uint32_t apic_id;
};
struct VpIndexElement {
  uint32_t vp_index;
};

struct CheckSparseGpaPageVtlAccess {
  uint64_t target_partition;
  InputVtl target_vtl;
  uint8_t desired_access;
  uint8_t reserved[6];
};

struct VtlAccessResult {
  uint8_t result_code;  ///< 0 allowed, 1 memory intercept
  uint8_t denied_access;
  uint8_t intercepting_vtl;
  uint8_t reserved;
};

/// HvCallCreatePartition (TLFS HvCallCreatePartition; hvhdk).
struct CreatePartition {
  uint64_t flags;
  uint64_t proximity_domain_info;
  uint32_t compatibility_version;
  uint32_t padding;
  uint64_t disabled_processor_features[2];
  uint64_t disabled_xsave_features;
  uint64_t isolation_properties;
};
namespace create_partition {
inline constexpr uint64_t exo_partition = uint64_t{1} << 8;
/// The hypervisor emulates a local APIC for each VP; HLT then waits there instead of being a
/// message.
inline constexpr uint64_t lapic_enabled = uint64_t{1} << 13;
}  // namespace create_partition

struct PartitionIdOnly {
  uint64_t partition;
};

struct GetPartitionProperty {
  uint64_t partition;
  uint32_t code;
  uint32_t padding;
};
struct SetPartitionProperty {
  uint64_t partition;
  uint32_t code;
  uint32_t padding;
  uint64_t value;
};
struct PropertyValue {
  uint64_t value;
};
/// HV_PARTITION_PROPERTY_CODE: those that exist here.
namespace partition_property {
inline constexpr uint32_t privilege_flags = 0x00010000;
inline constexpr uint32_t suspend = 0x00020000;
}  // namespace partition_property

struct GetNextChildPartition {
  uint64_t parent;
  uint64_t previous;
};

struct WithdrawMemory {
  uint64_t partition;
  uint64_t proximity_domain_info;
};

/// HvCallMapGpaPages: element n of the list, a page of the caller, appears at page
/// `target_gpa_base` + n of the target.
struct MapGpaPages {
  uint64_t partition;
  uint64_t target_gpa_base;
  uint32_t map_flags;
  uint32_t padding;
};

/// HvCallUnmapGpaPages: as many pages as the call has repetitions; there is no list.
struct UnmapGpaPages {
  uint64_t partition;
  uint64_t target_gpa_base;
  uint32_t flags;
  uint32_t padding;
};

struct CreateVp {
  uint64_t partition;
  uint32_t vp;
  uint8_t reserved[3];
  uint8_t subnode_type;
  uint64_t subnode_id;
  uint64_t proximity_domain_info;
  uint64_t flags;
};
struct DeleteVp {
  uint64_t partition;
  uint32_t vp;
  uint32_t reserved;
};

/// HV_INTERCEPT_TYPE (hvdef, hvhdk): those that exist here.
enum class InterceptType : uint32_t {
  X64IoPort = 0,
  X64Msr = 1,  ///< all MSRs that the hypervisor does not know
  X64Cpuid = 2,
  Exception = 3,
  X64GlobalCpuid = 6,
  Hypercall = 8,
  X64MsrIndex = 12,  ///< one MSR (hvgdk_mini)
};
/// HV_INTERCEPT_ACCESS_MASK.
namespace intercept_access {
inline constexpr uint32_t read = 1, write = 2, execute = 4;
}  // namespace intercept_access

struct InstallIntercept {
  uint64_t partition;
  uint32_t access_mask;
  InterceptType type;
  uint64_t parameter;
};

/// HvCallRegisterInterceptResult for CPUID: from now on the masked bits of the answer are these.
struct RegisterInterceptResult {
  uint64_t partition;
  uint32_t vp;
  InterceptType type;
  uint32_t leaf;
  uint32_t subleaf;
  uint8_t subleaf_specific;
  uint8_t always_override;
  uint16_t padding;
  uint32_t eax, eax_mask, ebx, ebx_mask, ecx, ecx_mask, edx, edx_mask;
  uint32_t reserved;  ///< the block is a multiple of 8 bytes
};

/// Cache types of intercept messages and translations (hvdef).
enum class CacheType : uint32_t {
  Uncached = 0,
  WriteCombining = 1,
  WriteThrough = 4,
  WriteProtected = 5,
  WriteBack = 6
};

}  // namespace abi::hv

ABI_FIELDS(abi::hv::SegmentRegister, 16, (base, Gva), (limit, Plain), (selector, Plain),
           (attributes, Flags));
ABI_FIELDS(abi::hv::TableRegister, 16, (reserved, Reserved), (limit, Plain), (base, Gva));
ABI_FIELDS(abi::hv::RegisterValue, 16, (low, Plain), (high, Plain));
ABI_FIELDS(abi::hv::InitialVpContext, 224, (rip, Gva), (rsp, Gva), (rflags, Flags), (cs, Bytes),
           (ds, Bytes), (es, Bytes), (fs, Bytes), (gs, Bytes), (ss, Bytes), (tr, Bytes),
           (ldtr, Bytes), (idtr, Bytes), (gdtr, Bytes), (efer, Flags), (cr0, Flags), (cr3, Gpa),
           (cr4, Flags), (msr_cr_pat, Plain));
ABI_FIELDS(abi::hv::EnablePartitionVtl, 16, (target_partition, Plain), (target_vtl, Vtl),
           (flags, Flags), (reserved, Reserved));
ABI_FIELDS(abi::hv::EnableVpVtl, 240, (target_partition, Plain), (target_vp, Plain),
           (target_vtl, Vtl), (reserved, Reserved), (context, Bytes));
ABI_FIELDS(abi::hv::ModifyVtlProtectionMask, 16, (target_partition, Plain), (map_flags, Flags),
           (target_vtl, Vtl), (reserved, Reserved));
ABI_FIELDS(abi::hv::GpaPage, 8, (page, Gpa));
ABI_FIELDS(abi::hv::GetVpRegisters, 16, (target_partition, Plain), (target_vp, Plain),
           (target_vtl, Vtl), (reserved, Reserved));
ABI_FIELDS(abi::hv::RegisterNameElement, 4, (name, Register));
ABI_FIELDS(abi::hv::RegisterAssignment, 32, (name, Register), (reserved, Reserved), (value, Bytes));
ABI_FIELDS(abi::hv::FlushVirtualAddressSpace, 24, (address_space, Gpa), (flags, Flags),
           (processor_mask, Plain));
ABI_FIELDS(abi::hv::GvaRange, 8, (raw, Gva));
ABI_FIELDS(abi::hv::VpSet, 16, (format, Plain), (valid_banks, Plain));
ABI_FIELDS(abi::hv::FlushVirtualAddressSpaceEx, 32, (address_space, Gpa), (flags, Flags),
           (processors, Bytes));
ABI_FIELDS(abi::hv::FlushGuestPhysicalAddressSpace, 16, (address_space, Gpa), (flags, Flags));
ABI_FIELDS(abi::hv::GpaPageRange, 8, (raw, Gpa));
ABI_FIELDS(abi::hv::NotifyLongSpinWait, 8, (spins, Count));
ABI_FIELDS(abi::hv::SendSyntheticClusterIpiEx, 24, (vector, Plain), (target_vtl, Vtl),
           (flags, Flags), (reserved, Reserved), (processors, Bytes));
ABI_FIELDS(abi::hv::TranslateVirtualAddressExOutput, 64, (result_code, Plain), (cache_type, Plain),
           (overlay_page, Plain), (reserved, Reserved), (reserved1, Reserved), (event, Bytes),
           (event1, Bytes), (gpa_page, Gpa), (reserved2, Reserved));
ABI_FIELDS(abi::hv::ClearVirtualInterrupt, 8, (target_partition, Plain));
ABI_FIELDS(abi::hv::GetVpCpuidValues, 24, (target_partition, Plain), (target_vp, Plain),
           (flags, Flags), (reserved, Reserved), (padding, Reserved));
ABI_FIELDS(abi::hv::CpuidLeafElement, 24, (eax, Plain), (ecx, Plain), (xfem, Flags), (xss, Flags));
ABI_FIELDS(abi::hv::CpuidValues, 16, (eax, Plain), (ebx, Plain), (ecx, Plain), (edx, Plain));
ABI_FIELDS(abi::hv::NotifyPartitionEvent, 8, (event, Plain), (input, Plain));
ABI_FIELDS(abi::hv::GetSystemProperty, 16, (property_id, Plain), (reserved, Reserved),
           (argument, Plain));
ABI_FIELDS(abi::hv::SystemPropertyValue, 8, (value, Plain));
ABI_FIELDS(abi::hv::ExtendedCapabilities, 8, (capabilities, Flags));
ABI_FIELDS(abi::hv::SwitchVirtualAddressSpace, 8, (address_space, Gpa));
ABI_FIELDS(abi::hv::SendSyntheticClusterIpi, 16, (vector, Plain), (target_vtl, Vtl), (flags, Flags),
           (reserved, Reserved), (processor_mask, Plain));
ABI_FIELDS(abi::hv::TranslateVirtualAddress, 32, (target_partition, Plain), (target_vp, Plain),
           (reserved, Reserved), (control_flags, Flags), (gva_page, Gva));
ABI_FIELDS(abi::hv::TranslateVirtualAddressOutput, 16, (result_code, Plain), (cache_type, Plain),
           (overlay_page, Plain), (reserved, Reserved), (gpa_page, Gpa));
ABI_FIELDS(abi::hv::AssertVirtualInterrupt, 32, (target_partition, Plain),
           (interrupt_control, Flags), (destination, Plain), (vector, Plain), (target_vtl, Vtl),
           (reserved, Reserved));
ABI_FIELDS(abi::hv::GetVpIndexFromApicId, 16, (target_partition, Plain), (target_vtl, Vtl),
           (reserved, Reserved));
ABI_FIELDS(abi::hv::ApicIdElement, 4, (apic_id, Plain));
ABI_FIELDS(abi::hv::VpIndexElement, 4, (vp_index, Plain));
ABI_FIELDS(abi::hv::CheckSparseGpaPageVtlAccess, 16, (target_partition, Plain), (target_vtl, Vtl),
           (desired_access, Flags), (reserved, Reserved));
ABI_FIELDS(abi::hv::VtlAccessResult, 4, (result_code, Plain), (denied_access, Flags),
           (intercepting_vtl, Vtl), (reserved, Reserved));
ABI_FIELDS(abi::hv::CreatePartition, 56, (flags, Flags), (proximity_domain_info, Plain),
           (compatibility_version, Plain), (padding, Reserved), (disabled_processor_features, Bytes),
           (disabled_xsave_features, Flags), (isolation_properties, Flags));
ABI_FIELDS(abi::hv::PartitionIdOnly, 8, (partition, Plain));
ABI_FIELDS(abi::hv::GetPartitionProperty, 16, (partition, Plain), (code, Plain),
           (padding, Reserved));
ABI_FIELDS(abi::hv::SetPartitionProperty, 24, (partition, Plain), (code, Plain),
           (padding, Reserved), (value, Plain));
ABI_FIELDS(abi::hv::PropertyValue, 8, (value, Plain));
ABI_FIELDS(abi::hv::GetNextChildPartition, 16, (parent, Plain), (previous, Plain));
ABI_FIELDS(abi::hv::WithdrawMemory, 16, (partition, Plain), (proximity_domain_info, Plain));
ABI_FIELDS(abi::hv::MapGpaPages, 24, (partition, Plain), (target_gpa_base, Gpa), (map_flags, Flags),
           (padding, Reserved));
ABI_FIELDS(abi::hv::UnmapGpaPages, 24, (partition, Plain), (target_gpa_base, Gpa), (flags, Flags),
           (padding, Reserved));
ABI_FIELDS(abi::hv::CreateVp, 40, (partition, Plain), (vp, Plain), (reserved, Reserved),
           (subnode_type, Plain), (subnode_id, Plain), (proximity_domain_info, Plain),
           (flags, Flags));
ABI_FIELDS(abi::hv::DeleteVp, 16, (partition, Plain), (vp, Plain), (reserved, Reserved));
ABI_FIELDS(abi::hv::InstallIntercept, 24, (partition, Plain), (access_mask, Flags), (type, Plain),
           (parameter, Plain));
ABI_FIELDS(abi::hv::RegisterInterceptResult, 64, (partition, Plain), (vp, Plain), (type, Plain),
           (leaf, Plain), (subleaf, Plain), (subleaf_specific, Flags), (always_override, Flags),
           (padding, Reserved), (eax, Plain), (eax_mask, Flags), (ebx, Plain), (ebx_mask, Flags),
           (ecx, Plain), (ecx_mask, Flags), (edx, Plain), (edx_mask, Flags), (reserved, Reserved));
