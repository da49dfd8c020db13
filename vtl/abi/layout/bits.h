#pragma once
// Bit fields written as the manuals print them: high bit first, both inclusive.
#include <stdint.h>

// ABI_BITS(high, low, type, name) inside a struct with `using Self`, `using Raw` and a member `raw`:
// yields a reader `name()` and a copy-with-change `with_name(value)`.
#define ABI_BITS(High, Low, Type, Name)                                                        \
  static_assert((High) >= (Low) && (High) < 8 * sizeof(Raw), #Name ": bad bit range");         \
  [[nodiscard]] constexpr Type Name() const {                                                  \
    return static_cast<Type>((raw >> (Low)) &                                                  \
                             (~Raw{0} >> (8 * sizeof(Raw) - ((High) - (Low) + 1))));           \
  }                                                                                            \
  [[nodiscard]] constexpr Self with_##Name(Type value) const {                                 \
    constexpr Raw mask = (~Raw{0} >> (8 * sizeof(Raw) - ((High) - (Low) + 1))) << (Low);       \
    return Self{(raw & ~mask) | ((static_cast<Raw>(value) << (Low)) & mask)};                  \
  }
#define ABI_BIT(Bit, Name) ABI_BITS(Bit, Bit, bool, Name)
