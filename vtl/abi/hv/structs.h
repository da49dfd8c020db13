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

struct PostMessage {
  uint32_t connection;
  uint32_t reserved;
  uint32_t message_type;
  uint32_t payload_size;
  uint8_t payload[240];
};

struct SignalEvent {
  uint32_t connection;
  uint16_t flag_number;
  uint16_t reserved;
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
ABI_FIELDS(abi::hv::SwitchVirtualAddressSpace, 8, (address_space, Gpa));
ABI_FIELDS(abi::hv::SendSyntheticClusterIpi, 16, (vector, Plain), (target_vtl, Vtl), (flags, Flags),
           (reserved, Reserved), (processor_mask, Plain));
ABI_FIELDS(abi::hv::TranslateVirtualAddress, 32, (target_partition, Plain), (target_vp, Plain),
           (reserved, Reserved), (control_flags, Flags), (gva_page, Gva));
ABI_FIELDS(abi::hv::TranslateVirtualAddressOutput, 16, (result_code, Plain), (cache_type, Plain),
           (overlay_page, Plain), (reserved, Reserved), (gpa_page, Gpa));
ABI_FIELDS(abi::hv::PostMessage, 256, (connection, Plain), (reserved, Reserved),
           (message_type, Plain), (payload_size, Count), (payload, Bytes));
ABI_FIELDS(abi::hv::SignalEvent, 8, (connection, Plain), (flag_number, Plain),
           (reserved, Reserved));
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
