#pragma once
// One line per wire structure: names, offsets and kinds of its fields, without a code generator.
// ABI_FIELDS checks at compile time that the list covers every byte of the structure.
#include <stddef.h>
#include <stdint.h>

namespace abi {

/// Bytes that a structure takes on the wire; an empty structure takes none.
template <class T>
inline constexpr uint16_t wire_size = __is_empty(T) ? 0 : sizeof(T);

/// What a field means: decides how it is printed and how a fuzzer mutates it.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"  // Gpa and Gva are types elsewhere; the scope keeps them apart
#endif
enum class FieldKind : uint8_t { Plain, Gpa, Gva, Vtl, Count, Flags, Reserved, Register, Bytes };
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

struct Field {
  const char* name;
  uint16_t offset;  ///< bytes from the start of the structure
  uint16_t size;    ///< bytes
  FieldKind kind;
};

template <class T>
struct FieldsOf;  // specialised by ABI_FIELDS

template <class T>
consteval bool covers_every_byte() {
  size_t next = 0;
  for (const Field& field : FieldsOf<T>::list) {
    if (field.offset != next) return false;
    next += field.size;
  }
  return next == sizeof(T);
}

}  // namespace abi

#define ABI_PARENS ()
#define ABI_EXPAND(...) ABI_EXPAND3(ABI_EXPAND3(ABI_EXPAND3(ABI_EXPAND3(__VA_ARGS__))))
#define ABI_EXPAND3(...) ABI_EXPAND2(ABI_EXPAND2(ABI_EXPAND2(ABI_EXPAND2(__VA_ARGS__))))
#define ABI_EXPAND2(...) ABI_EXPAND1(ABI_EXPAND1(ABI_EXPAND1(ABI_EXPAND1(__VA_ARGS__))))
#define ABI_EXPAND1(...) __VA_ARGS__
#define ABI_FOR(T, ...) __VA_OPT__(ABI_EXPAND(ABI_FOR_(T, __VA_ARGS__)))
#define ABI_FOR_(T, x, ...) ABI_FIELD(T, x) __VA_OPT__(ABI_FOR_AGAIN ABI_PARENS(T, __VA_ARGS__))
#define ABI_FOR_AGAIN() ABI_FOR_
#define ABI_FIELD(T, x) ABI_FIELD_ x(T)
#define ABI_FIELD_(m, k)                                                                        \
  {#m, (uint16_t)offsetof(ABI_T_, m), (uint16_t)sizeof(ABI_T_::m), ::abi::FieldKind::k}, ABI_EAT
#define ABI_EAT(T)
// ABI_FIELDS(type, bytes, (member, Kind), ...): at namespace scope outside every namespace.
#define ABI_FIELDS(T, Size, ...)                                                                \
  template <>                                                                                   \
  struct abi::FieldsOf<T> {                                                                     \
    using ABI_T_ = T;                                                                           \
    static constexpr abi::Field list[] = {ABI_FOR(T, __VA_ARGS__)};                             \
  };                                                                                            \
  static_assert(sizeof(T) == Size && abi::covers_every_byte<T>(),                               \
                #T ": layout drifted from the specification")
