#pragma once
// Bit fields written as the manuals print them: high bit first, both inclusive.
#include <stdint.h>

// ABI_BITS(high, low, type, name) inside a struct with `using Self`, `using Raw` and a member `raw`:
// yields a reader `name()` and a copy-with-change `with_name(value)`.
// The arithmetic is in 64 bits, so that narrow Raw types are not promoted to int on the way.
#define ABI_BITS(High, Low, Type, Name)                                                        \
  static_assert((High) >= (Low) && (High) < 8 * sizeof(Raw), #Name ": bad bit range");         \
  [[nodiscard]] constexpr Type Name() const {                                                  \
    return static_cast<Type>((static_cast<uint64_t>(raw) >> (Low)) &                           \
                             (~uint64_t{0} >> (64 - ((High) - (Low) + 1))));                   \
  }                                                                                            \
  [[nodiscard]] constexpr Self with_##Name(Type value) const {                                 \
    constexpr uint64_t mask = (~uint64_t{0} >> (64 - ((High) - (Low) + 1))) << (Low);          \
    return Self{static_cast<Raw>((static_cast<uint64_t>(raw) & ~mask) |                        \
                                 ((static_cast<uint64_t>(value) << (Low)) & mask))};           \
  }
#define ABI_BIT(Bit, Name) ABI_BITS(Bit, Bit, bool, Name)
