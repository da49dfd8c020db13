#pragma once
// What the hypervisor puts into message slots (TLFS 11.8, 15.13; hvdef).
#include <stddef.h>
#include <stdint.h>

#include "abi/hv/structs.h"
#include "abi/hv/synic.h"
#include "abi/layout/bits.h"
#include "abi/layout/fields.h"

namespace abi::hv {

/// HV_MESSAGE_TYPE. Bit 31 marks the hypervisor's own messages.
enum class MessageType : uint32_t {
  None = 0,
  UnmappedGpa = 0x80000000,
  GpaIntercept = 0x80000001,
  UnacceptedGpa = 0x80000003,
  GpaAttributeIntercept = 0x80000004,
  EnablePartitionVtlIntercept = 0x80000005,
  TimerExpired = 0x80000010,
  InvalidVpRegisterValue = 0x80000020,
  UnrecoverableException = 0x80000021,
  UnsupportedFeature = 0x80000022,
  TlbPageSizeMismatch = 0x80000023,
  Opaque = 0x8000003F,
  HypercallIntercept = 0x80000050,
  AsyncCallCompletion = 0x80000070,
  X64IoPortIntercept = 0x80010000,
  MsrIntercept = 0x80010001,
  X64CpuidIntercept = 0x80010002,
  ExceptionIntercept = 0x80010003,
  X64ApicEoi = 0x80010004,
  LegacyFpError = 0x80010005,
  RegisterIntercept = 0x80010006,
  X64Halt = 0x80010007,
  InterruptionDeliverable = 0x80010008,
  X64SipiIntercept = 0x80010009,
  X64RdtscIntercept = 0x8001000A,
  ApicSmiIntercept = 0x8001000B,
  InitSipi = 0x8001000D,
  ApicWrite = 0x8001000E,
};

/// HV_MESSAGE_HEADER. `flags` bit 0: another message waits for this slot (write EOM).
struct MessageHeader {
  MessageType type;
  uint8_t payload_size;
  uint8_t flags;
  uint16_t reserved;
  uint64_t origin;  ///< partition or port that sent it
};
inline constexpr uint8_t message_pending = 1;

/// HV_MESSAGE: one slot of the SIM page.
struct Message {
  MessageHeader header;
  uint8_t payload[240];
};

/// Payload of TimerExpired (TLFS 12.5). Times are reference time, 100 ns units.
struct TimerMessage {
  uint32_t timer_index;
  uint32_t reserved;
  uint64_t expiration_time;
  uint64_t delivery_time;
};

enum class InterceptAccess : uint8_t { Read = 0, Write = 1, Execute = 2 };

/// HV_X64_VP_EXECUTION_STATE.
struct ExecutionState {
  using Self = ExecutionState;
  using Raw = uint16_t;
  Raw raw{};
  ABI_BITS(1, 0, uint8_t, cpl)
  ABI_BIT(2, cr0_pe)
  ABI_BIT(3, cr0_am)
  ABI_BIT(4, efer_lma)
  ABI_BIT(5, debug_active)
  ABI_BIT(6, interruption_pending)
  ABI_BITS(10, 7, uint8_t, vtl)
  ABI_BIT(11, enclave_mode)
  ABI_BIT(12, interrupt_shadow)
  ABI_BIT(13, virtualization_fault_active)
};

/// HV_X64_INTERCEPT_MESSAGE_HEADER. `length_and_cr8`: 3:0 instruction length, 7:4 CR8.
struct InterceptHeader {
  uint32_t vp_index;
  uint8_t length_and_cr8;
  InterceptAccess access;
  ExecutionState execution_state;
  SegmentRegister cs;
  uint64_t rip;
  uint64_t rflags;
};

/// HV_X64_MEMORY_ACCESS_INFO.
struct MemoryAccessInfo {
  using Self = MemoryAccessInfo;
  using Raw = uint8_t;
  Raw raw{};
  ABI_BIT(0, gva_valid)
  ABI_BIT(1, gva_gpa_valid)
  ABI_BIT(2, hypercall_output_pending)
  ABI_BIT(3, tlb_locked)
  ABI_BIT(4, supervisor_shadow_stack)
  ABI_BIT(5, verify_paging_writable)
};

/// HV_X64_MEMORY_INTERCEPT_MESSAGE: payload of GpaIntercept and UnmappedGpa.
struct MemoryIntercept {
  InterceptHeader header;
  CacheType cache_type;
  uint8_t instruction_byte_count;
  MemoryAccessInfo access_info;
  uint8_t tpr;
  uint8_t reserved;
  uint64_t gva;
  uint64_t gpa;
  uint8_t instruction_bytes[16];
};

/// HV_X64_MSR_INTERCEPT_MESSAGE.
struct MsrIntercept {
  InterceptHeader header;
  uint32_t msr;
  uint32_t reserved;
  uint64_t rdx;
  uint64_t rax;
};

/// HV_X64_REGISTER_INTERCEPT_MESSAGE. `flags` bit 0: memory operand.
struct RegisterIntercept {
  InterceptHeader header;
  uint8_t flags;
  uint8_t reserved0;
  uint16_t reserved1;
  uint32_t register_name;
  RegisterValue value;
};

/// HV_X64_CPUID_INTERCEPT_MESSAGE: leaf and subleaf as asked, and what the hypervisor would answer.
struct CpuidIntercept {
  InterceptHeader header;
  uint64_t rax;
  uint64_t rcx;
  uint64_t rdx;
  uint64_t rbx;
  uint64_t default_result_rax;
  uint64_t default_result_rcx;
  uint64_t default_result_rdx;
  uint64_t default_result_rbx;
};

/// HV_X64_IO_PORT_ACCESS_INFO.
struct IoPortAccessInfo {
  using Self = IoPortAccessInfo;
  using Raw = uint8_t;
  Raw raw{};
  ABI_BITS(2, 0, uint8_t, access_size)  ///< bytes
  ABI_BIT(3, string_op)
  ABI_BIT(4, rep_prefix)
};

/// HV_X64_IO_PORT_INTERCEPT_MESSAGE.
struct IoPortIntercept {
  InterceptHeader header;
  uint16_t port;
  IoPortAccessInfo access_info;
  uint8_t instruction_byte_count;
  uint32_t reserved;
  uint64_t rax;
  uint8_t instruction_bytes[16];
  SegmentRegister ds;
  SegmentRegister es;
  uint64_t rcx;
  uint64_t rsi;
  uint64_t rdi;
};

/// HV_X64_EXCEPTION_INFO.
struct ExceptionInfo {
  using Self = ExceptionInfo;
  using Raw = uint8_t;
  Raw raw{};
  ABI_BIT(0, error_code_valid)
  ABI_BIT(1, software_exception)
};

/// HV_X64_EXCEPTION_INTERCEPT_MESSAGE. `parameter` is CR2 of a page fault; `gpr` in the order of
/// their numbers: RAX, RCX, RDX, RBX, RSP, ...
struct ExceptionIntercept {
  InterceptHeader header;
  uint16_t vector;
  ExceptionInfo exception_info;
  uint8_t instruction_byte_count;
  uint32_t error_code;
  uint64_t parameter;
  uint64_t reserved;
  uint8_t instruction_bytes[16];
  SegmentRegister ds;
  SegmentRegister ss;
  uint64_t gpr[16];
};

/// HV_X64_HYPERCALL_INTERCEPT_MESSAGE.
struct HypercallIntercept {
  InterceptHeader header;
  uint64_t rax;
  uint64_t rbx;
  uint64_t rcx;
  uint64_t rdx;
  uint64_t r8;
  uint64_t rsi;
  uint64_t rdi;
  RegisterValue xmm[6];
  uint32_t flags;
  uint32_t reserved[3];
};

/// HV_X64_HALT_MESSAGE and HV_X64_UNRECOVERABLE_EXCEPTION_MESSAGE have nothing but the header.
struct PlainIntercept {
  InterceptHeader header;
};

/// HV_X64_SIPI_INTERCEPT_MESSAGE: a start of another processor, `vector` of a SIPI.
struct SipiIntercept {
  InterceptHeader header;
  uint32_t target_vp;
  uint32_t vector;
};

}  // namespace abi::hv

ABI_FIELDS(abi::hv::MessageHeader, 16, (type, Plain), (payload_size, Count), (flags, Flags),
           (reserved, Reserved), (origin, Plain));
ABI_FIELDS(abi::hv::TimerMessage, 24, (timer_index, Plain), (reserved, Reserved),
           (expiration_time, Plain), (delivery_time, Plain));
ABI_FIELDS(abi::hv::Message, 256, (header, Bytes), (payload, Bytes));
ABI_FIELDS(abi::hv::InterceptHeader, 0x28, (vp_index, Plain), (length_and_cr8, Plain),
           (access, Plain), (execution_state, Flags), (cs, Bytes), (rip, Gva), (rflags, Flags));
ABI_FIELDS(abi::hv::MemoryIntercept, 0x50, (header, Bytes), (cache_type, Plain),
           (instruction_byte_count, Count), (access_info, Flags), (tpr, Plain),
           (reserved, Reserved), (gva, Gva), (gpa, Gpa), (instruction_bytes, Bytes));
ABI_FIELDS(abi::hv::MsrIntercept, 0x40, (header, Bytes), (msr, Plain), (reserved, Reserved),
           (rdx, Plain), (rax, Plain));
ABI_FIELDS(abi::hv::RegisterIntercept, 0x40, (header, Bytes), (flags, Flags), (reserved0, Reserved),
           (reserved1, Reserved), (register_name, Register), (value, Bytes));
ABI_FIELDS(abi::hv::CpuidIntercept, 0x68, (header, Bytes), (rax, Plain), (rcx, Plain), (rdx, Plain),
           (rbx, Plain), (default_result_rax, Plain), (default_result_rcx, Plain),
           (default_result_rdx, Plain), (default_result_rbx, Plain));
ABI_FIELDS(abi::hv::IoPortIntercept, 0x80, (header, Bytes), (port, Plain), (access_info, Flags),
           (instruction_byte_count, Count), (reserved, Reserved), (rax, Plain),
           (instruction_bytes, Bytes), (ds, Bytes), (es, Bytes), (rcx, Plain), (rsi, Gva),
           (rdi, Gva));
ABI_FIELDS(abi::hv::ExceptionIntercept, 0xF0, (header, Bytes), (vector, Plain),
           (exception_info, Flags), (instruction_byte_count, Count), (error_code, Plain),
           (parameter, Plain), (reserved, Reserved), (instruction_bytes, Bytes), (ds, Bytes),
           (ss, Bytes), (gpr, Bytes));
ABI_FIELDS(abi::hv::HypercallIntercept, 0xD0, (header, Bytes), (rax, Plain), (rbx, Plain),
           (rcx, Plain), (rdx, Plain), (r8, Plain), (rsi, Plain), (rdi, Plain), (xmm, Bytes),
           (flags, Flags), (reserved, Reserved));
ABI_FIELDS(abi::hv::PlainIntercept, 0x28, (header, Bytes));
ABI_FIELDS(abi::hv::SipiIntercept, 0x30, (header, Bytes), (target_vp, Plain), (vector, Plain));
static_assert(sizeof(abi::hv::Message) == abi::hv::message_slot_bytes);
