#pragma once
// Where the pinned engine keeps its state. The engine has no interface for CPL, hidden segment parts, CR2 or the exact
// fault address; its register file is one structure whose place and order are found by writing known values through the
// public interface and looking for them (calibration), once per process. Nothing here is trusted without a check.
#include <unicorn/unicorn.h>

#include <cstddef>
#include <cstdint>

#include "sim/support/result.h"

namespace cpu {

/// A segment register or descriptor table as the engine keeps it. `flags`: bits 8..23 of the descriptor's high half.
struct EngineSegment {
  uint32_t selector, unused;
  uint64_t base;
  uint32_t limit, flags;
};

/// The first fields of the engine's register file.
struct EngineRegisters {
  uint64_t gpr[16];
  uint64_t rip;
  uint64_t rflags;  ///< while the library executes, without the arithmetic flags and DF
  uint64_t cc_destination, cc_source, cc_source2;
  uint32_t cc_operation;
  int32_t direction;  ///< DF: -1 or 1
  uint32_t hidden_flags, hidden_flags2;
  EngineSegment segments[6], ldt, tr, gdt, idt;
  uint64_t cr[5];
};
static_assert(sizeof(EngineSegment) == 24 &&
              sizeof(EngineRegisters) == 16 * 8 + 5 * 8 + 16 + 10 * 24 + 40);

/// x87 as the engine keeps it: top of stack apart from the status word, one byte per tag, registers by physical number.
struct EngineX87 {
  uint32_t top;
  uint16_t status, control;
  uint8_t empty[8];
};
struct EngineX87Register {
  uint64_t mantissa;
  uint16_t exponent, unused[3];
};

/// Bits of hidden_flags: the part of the state that decides how code is translated.
namespace hidden {
inline constexpr uint32_t cpl = 3, interrupt_shadow = 1u << 3, code32 = 1u << 4, stack32 = 1u << 5,
                          add_segments = 1u << 6;
inline constexpr uint32_t pe = 1u << 7, mp = 1u << 9, em = 1u << 10, ts = 1u << 11, lma = 1u << 14,
                          code64 = 1u << 15;
inline constexpr uint32_t svme = 1u << 20, guest = 1u << 21, osfxsr = 1u << 22, smap = 1u << 23;
}  // namespace hidden

/// cc_operation while executing: the arithmetic flags are in cc_source as RFLAGS has them.
inline constexpr uint32_t flags_are_in_source = 1;

/// Offsets in bytes. Those without "engine" are from the start of EngineRegisters.
struct EngineLayout {
  size_t engine_to_cpu{};         ///< in uc_engine: pointer to the processor object
  size_t cpu_to_registers{};      ///< in the processor object
  size_t engine_fault_address{};  ///< in uc_engine: exact linear address of the last refused fill
  size_t efer{}, star{}, kernel_gs_base{};
  size_t x87{};            ///< EngineX87
  size_t x87_registers{};  ///< EngineX87Register[8]
  size_t x87_ip{}, x87_dp{}, x87_cs{}, x87_ds{};  ///< of the last x87 instruction: 8, 8, 2 and 2 bytes
  size_t mxcsr{};          ///< to read; written through the interface, which derives more from it
  size_t xmm{}, xmm_stride{};
  size_t error_code{};  ///< of the last exception
  size_t intercepts{};  ///< which instructions leave the engine, as in the control block
  size_t size{};        ///< bytes that a save has; every offset is checked against it
};

/// The layout of the linked library, or why it is not the one that this program knows. Calibrates at the first call.
[[nodiscard]] const support::Result<EngineLayout>& engine_layout();

/// The live register file of an engine.
[[nodiscard]] EngineRegisters* registers_of(uc_engine* engine, const EngineLayout& layout);

template <class T>
[[nodiscard]] T& field_at(EngineRegisters* registers, size_t offset) {
  return *reinterpret_cast<T*>(reinterpret_cast<uint8_t*>(registers) + offset);
}

}  // namespace cpu
