#pragma once
// Instructions that the engine hands over instead of executing: control and debug registers, MSRs, descriptor tables,
// software interrupts, randomness, time. They work on the architectural state and know no engine.
#include <cstdint>
#include <optional>

#include "sim/cpu/cpu.h"
#include "sim/cpu/exceptions.h"
#include "sim/cpu/instruction.h"
#include "sim/cpu/processor_memory.h"
#include "sim/support/prng.h"
#include "vtl/exit.h"

namespace cpu {

/// What became of an instruction.
struct Emulation {
  enum class Kind : uint8_t {
    Unknown,    ///< not one of these: what the engine reported stands
    Retire,     ///< done; RIP is still at the instruction
    Jump,       ///< done, and RIP is set
    Exception,  ///< raises `exception`; nothing changed
    Trap,       ///< raises `exception` behind the instruction, whatever the gate's DPL is
    Interrupt,  ///< a software interrupt: deliver vector `exception.vector` behind the instruction
    Refused,    ///< memory could not be reached: `refused`, perhaps an exception; nothing changed
    Exit,       ///< a decision of the machine: `exit`; nothing changed
  };
  Kind kind{Kind::Unknown};
  vtl::PendingException exception;
  MemoryFault refused;
  vtl::Exit exit;
  bool ends_slice{};  ///< retired, and the machine should look at interrupts
  bool pauses{};      ///< retired, and it was PAUSE
};

/// What an instruction may need besides the registers.
struct Surroundings {
  const ProcessorMemory& memory;
  support::Prng& random;
  uint64_t instant{};  ///< before the instruction
};

/// Executes `in`, which stands at RIP of the active VTL.
[[nodiscard]] Emulation emulate(const Instruction& in, vtl::VirtualProcessor& vp,
                                const Surroundings& with);

/// SYSCALL in 64-bit mode (SDM vol. 2). RIP is behind it. False: #UD.
[[nodiscard]] bool enter_system_call(vtl::VirtualProcessor& vp);

/// SYSENTER and SYSEXIT; far JMP and CALL to a task, IRET to one, and call gates out of ring 3, which are not implemented:
/// #GP with the selector. Nothing: the engine can execute it.
[[nodiscard]] std::optional<Emulation> emulate_far_transfer(const Instruction& in, vtl::VirtualProcessor& vp,
                                                            const ProcessorMemory& memory);

/// IN, OUT, INS, OUTS: privilege (IOPL, TSS bitmap), memory of string forms, then an Exit.
[[nodiscard]] Emulation port_access(const Instruction& in, vtl::VirtualProcessor& vp,
                                    const ProcessorMemory& memory);
/// The register and memory side of a port access whose value is known. True: it has more iterations to go.
[[nodiscard]] std::optional<MemoryFault> finish_port_access(const Instruction& in,
                                                            const vtl::Exit& exit, uint32_t value,
                                                            vtl::VirtualProcessor& vp,
                                                            const ProcessorMemory& memory,
                                                            bool& repeats);

/// What is_corrected() names. Nothing: the engine knows which fault it raises.
[[nodiscard]] std::optional<Emulation> emulate_corrected(const Instruction& in, vtl::VirtualProcessor& vp,
                                                         const ProcessorMemory& memory);

/// PCMPESTRI, PCMPESTRM; SSE may be used.
[[nodiscard]] Emulation compare_strings(const Instruction& in, vtl::VirtualProcessor& vp, const ProcessorMemory& memory);

/// CMPXCHG r32, r32 (SDM vol. 2).
void compare_exchange_registers_32(const Instruction& in, vtl::VirtualProcessor& vp);

// --- Operands.

/// General register by number; RSP belongs to the VTL.
[[nodiscard]] uint64_t& general_register(vtl::VirtualProcessor& vp, uint8_t index);
/// Writes 2, 4 or 8 bytes; 4 clear the upper half.
void write_general(vtl::VirtualProcessor& vp, uint8_t index, uint8_t size, uint64_t value);
/// Linear address of the memory operand.
[[nodiscard]] uint64_t linear_address(const Instruction& in, const vtl::VirtualProcessor& vp);
/// Linear address of `offset` in a segment.
[[nodiscard]] uint64_t in_segment(const vtl::VirtualProcessor& vp, uint8_t segment, uint64_t offset,
                                  CodeSize code_size);

// --- Parts of emulate().
[[nodiscard]] Emulation emulate_control(const Instruction& in, vtl::VirtualProcessor& vp,
                                        const Surroundings& with);
[[nodiscard]] Emulation emulate_descriptor_tables(const Instruction& in, vtl::VirtualProcessor& vp,
                                                  const Surroundings& with);
/// XSAVE, XSAVEOPT, XRSTOR.
[[nodiscard]] Emulation emulate_extended_state(const Instruction& in, vtl::VirtualProcessor& vp,
                                               const Surroundings& with);
[[nodiscard]] Emulation read_extended_control(vtl::VirtualProcessor& vp);
[[nodiscard]] Emulation write_extended_control(const Instruction& in, vtl::VirtualProcessor& vp);
[[nodiscard]] Emulation move_big_endian(const Instruction& in, vtl::VirtualProcessor& vp,
                                        const Surroundings& with);
[[nodiscard]] Emulation read_msr(vtl::VirtualProcessor& vp, const Surroundings& with);
[[nodiscard]] Emulation write_msr(vtl::VirtualProcessor& vp, const Surroundings& with);

[[nodiscard]] Emulation retire();
[[nodiscard]] Emulation raise(uint8_t vector);  ///< without an error code
[[nodiscard]] Emulation raise(uint8_t vector, uint32_t error_code);
[[nodiscard]] Emulation general_protection(uint32_t error_code = 0);
[[nodiscard]] Emulation invalid_opcode();
[[nodiscard]] Emulation refused(const MemoryFault& fault);

}  // namespace cpu
