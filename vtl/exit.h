#pragma once
// Why a slice ended. Plain data: results come up, calls go down (ARCHITECTURE section 2).
#include <cstdint>

#include "mmu/access.h"
#include "vtl/virtual_processor.h"

namespace vtl {

enum class ExitReason : uint8_t {
  Deadline,   ///< the instant asked for was reached; nothing is pending
  Hypercall,  ///< VMCALL or VMMCALL, any CPL: the hypervisor checks the CPL
  Cpuid,      ///< leaf in EAX, subleaf in ECX
  MsrRead,  ///< an MSR that the processor itself does not own: synthetic, APIC, filtered or unknown
  MsrWrite,
  IoRead,    ///< IN, INS (one element); privilege was checked
  IoWrite,   ///< OUT, OUTS (one element)
  MmioRead,  ///< not produced by every engine: see MmioBus; a device page was touched
  MmioWrite,
  Halt,
  Yield,           ///< the instruction before RIP was PAUSE or locked, and the engine was asked to say so: nothing is pending
  RegisterAccess,  ///< Interceptions::registers: a control, descriptor-table, LDTR or TR access that is not an MSR
  Exception,       ///< Interceptions::exceptions: `exception` was about to be delivered
  SlatViolation,      ///< stage 2 refused: fault says what, instruction says with which bytes
  InterruptAccepted,  ///< the offered interrupt was delivered; its handler has not started
  TripleFault,
  Hang,  ///< the guest has made it impossible that it ever executes an instruction again: `detail` says how
  MachineFailure,  ///< the engine cannot continue, `detail` says why; never by guest code alone
};

/// IN/OUT as decoded; the caller supplies or consumes the low `size` bytes of RAX, or of memory for
/// string forms.
struct IoAccess {
  uint16_t port{};
  uint8_t size{};  ///< 1, 2 or 4 bytes
  bool string{};   ///< INS/OUTS: memory was read (write), or is written on completion (read)
  bool rep{};
  uint32_t value{};  ///< what is written
};

/// An intercepted access of a register that is no MSR.
struct ControlRegisterAccess {
  uint32_t name{};        ///< abi::hv::RegisterName
  bool write{true};
  bool memory_operand{};  ///< LGDT, LIDT; LLDT, LTR, LMSW from memory
  uint64_t low{}, high{};  ///< the value that would be written, as HV_REGISTER_VALUE
};

/// An instruction that could not complete inside the engine.
struct Exit {
  ExitReason reason{ExitReason::Deadline};
  uint8_t instruction_length{};     ///< bytes; 0 when unknown
  uint8_t instruction_bytes[16]{};  ///< as fetched, for intercept messages (section 5.5)
  uint8_t instruction_byte_count{};
  mmu::Fault fault;          ///< SlatViolation
  mmu::AccessKind access{};  ///< SlatViolation
  IoAccess io;               ///< IoRead, IoWrite
  uint32_t msr{};            ///< MsrRead, MsrWrite
  uint64_t value{};          ///< MsrWrite: EDX:EAX; MmioWrite: the value
  uint8_t vector{};          ///< InterruptAccepted
  ControlRegisterAccess register_access;  ///< RegisterAccess
  PendingException exception;      ///< Exception
  const char* detail{""};    ///< Hang, MachineFailure: a string literal
};

}  // namespace vtl
