#pragma once
// Exception vectors and how they combine (SDM vol. 3, 6.3, 6.15). Freestanding.
#include <stdint.h>

namespace abi::x64 {

/// Open enum: an interrupt may use any other vector.
enum class Vector : uint8_t {
  DivideError = 0,
  Debug = 1,
  NonMaskable = 2,
  Breakpoint = 3,
  Overflow = 4,
  BoundRange = 5,
  InvalidOpcode = 6,
  DeviceNotAvailable = 7,
  DoubleFault = 8,
  CoprocessorSegmentOverrun = 9,
  InvalidTss = 10,
  SegmentNotPresent = 11,
  StackFault = 12,
  GeneralProtection = 13,
  PageFault = 14,
  X87 = 16,
  AlignmentCheck = 17,
  MachineCheck = 18,
  Simd = 19,
  Virtualization = 20,
  ControlProtection = 21,
  Security = 30,
};

/// Whether the processor pushes an error code (SDM vol. 3, table 6-1).
[[nodiscard]] constexpr bool pushes_error_code(uint8_t vector) {
  constexpr uint32_t with_code = 1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 |
                                 1u << 17 | 1u << 21 | 1u << 30;
  return vector < 32 && ((with_code >> vector) & 1) != 0;
}

/// Classes of SDM vol. 3, table 6-4.
enum class ExceptionClass : uint8_t { Benign, Contributory, PageFault };
[[nodiscard]] constexpr ExceptionClass exception_class(uint8_t vector) {
  switch (static_cast<Vector>(vector)) {
    case Vector::DivideError:
    case Vector::InvalidTss:
    case Vector::SegmentNotPresent:
    case Vector::StackFault:
    case Vector::GeneralProtection:
    case Vector::ControlProtection:
      return ExceptionClass::Contributory;
    case Vector::PageFault:
    case Vector::Virtualization:
      return ExceptionClass::PageFault;
    default:
      return ExceptionClass::Benign;
  }
}

/// Bits of the error code that name a selector (SDM vol. 3, 6.13).
namespace selector_error {
inline constexpr uint32_t external = 1u << 0, idt = 1u << 1, ti = 1u << 2;
}  // namespace selector_error

}  // namespace abi::x64
