#pragma once
// The three tables as enums and descriptors: decoders, dispatchers and documentation come from here.
#include <stddef.h>
#include <stdint.h>

#include "abi/sk/call_frame.h"

namespace abi::sk {

enum class Implemented : uint8_t { No, Yes };
enum class Answered : uint8_t { Nt, Sk, Mix };

/// A row of secure_services.def or normal_services.def.
struct ServiceRow {
  uint16_t number;
  Implemented implemented;
  const char* name;
  const char* inputs;   ///< "name@hexoffset[:bytes] ..."
  const char* outputs;
};

/// A row of ium_syscalls.def; secure calls have bit 31 set.
struct SystemCallRow {
  uint32_t number;
  uint8_t arguments;
  Answered answered;
  Implemented implemented;
  const char* name;
};

enum class SecureService : uint16_t {
#define SK_SERVICE(name, number, implemented, inputs, outputs) name = number,
#include "abi/sk/secure_services.def"
};
enum class NormalService : uint16_t {
#define NK_SERVICE(name, number, used, inputs, outputs) name = number,
#include "abi/sk/normal_services.def"
};
enum class NtCall : uint32_t {
#define IUM_NT_CALL(name, number, arguments, answered, journey) name = number,
#include "abi/sk/ium_syscalls.def"
};
enum class SecureCall : uint32_t {
#define IUM_SECURE_CALL(name, number, arguments, handled) name = number,
#include "abi/sk/ium_syscalls.def"
};

inline constexpr ServiceRow secure_services[] = {
#define SK_SERVICE(name, number, implemented, inputs, outputs) \
  {number, Implemented::implemented, #name, inputs, outputs},
#include "abi/sk/secure_services.def"
};
inline constexpr ServiceRow normal_services[] = {
#define NK_SERVICE(name, number, used, inputs, outputs) {number, Implemented::used, #name, inputs, outputs},
#include "abi/sk/normal_services.def"
};
inline constexpr SystemCallRow nt_calls[] = {
#define IUM_NT_CALL(name, number, arguments, answered, journey) \
  {number, arguments, Answered::answered, Implemented::journey, #name},
#include "abi/sk/ium_syscalls.def"
};
inline constexpr SystemCallRow secure_calls[] = {
#define IUM_SECURE_CALL(name, number, arguments, handled) \
  {number, arguments, Answered::Sk, Implemented::handled, #name},
#include "abi/sk/ium_syscalls.def"
};

/// The row with this number, or null.
template <class Row, size_t Count>
constexpr const Row* find_row(const Row (&rows)[Count], uint32_t number) {
  for (const Row& row : rows)
    if (row.number == number) return &row;
  return nullptr;
}

/// One argument of a service as its row writes it.
struct ArgumentField {
  const char* name;
  uint8_t name_length;
  uint8_t offset;  ///< bytes from the start of SKCALL
  uint8_t size;    ///< bytes
};

/// Reads the next "name@offset[:bytes]" from `text` and moves `text` behind it; false at the end or on a malformed row.
constexpr bool next_argument(const char*& text, ArgumentField& field) {
  while (*text == ' ') ++text;
  if (*text == 0) return false;
  field = {text, 0, 0, 8};
  while (*text != '@' && *text != 0) ++text, ++field.name_length;
  if (*text++ != '@') return false;
  unsigned offset = 0;
  for (; (*text >= '0' && *text <= '9') || (*text >= 'a' && *text <= 'f'); ++text)
    offset = offset * 16 + static_cast<unsigned>(*text <= '9' ? *text - '0' : *text - 'a' + 10);
  unsigned size = 8;
  if (*text == ':') {
    size = 0;
    for (++text; *text >= '0' && *text <= '9'; ++text) size = size * 10 + static_cast<unsigned>(*text - '0');
  }
  field.offset = static_cast<uint8_t>(offset);
  field.size = static_cast<uint8_t>(size);
  return true;
}

namespace checks {

template <class Row, size_t Count>
consteval bool ascending(const Row (&rows)[Count]) {
  for (size_t i = 1; i < Count; ++i)
    if (rows[i].number <= rows[i - 1].number) return false;
  return true;
}

template <class Row, size_t Count>
consteval bool unique(const Row (&rows)[Count]) {
  for (size_t i = 0; i < Count; ++i)
    for (size_t j = 0; j < i; ++j)
      if (rows[i].number == rows[j].number) return false;
  return true;
}

/// Every argument lies inside the parameters of the frame and does not overlap its predecessor.
consteval bool arguments_fit(const char* text) {
  size_t next = parameter_offset(0);
  while (*text != 0) {
    ArgumentField field{};
    if (!next_argument(text, field)) return false;
    if (field.name_length == 0 || field.size == 0) return false;
    if (field.offset < next || field.offset + field.size > sizeof(SkCall)) return false;
    next = static_cast<size_t>(field.offset) + field.size;
  }
  return true;
}

template <size_t Count>
consteval bool all_arguments_fit(const ServiceRow (&rows)[Count]) {
  for (const ServiceRow& row : rows)
    if (!arguments_fit(row.inputs) || !arguments_fit(row.outputs)) return false;
  return true;
}

template <size_t Count>
consteval bool at_most_twelve_arguments(const SystemCallRow (&rows)[Count]) {
  for (const SystemCallRow& row : rows)
    if (row.arguments > parameter_count) return false;
  return true;
}

static_assert(ascending(secure_services), "secure_services.def: numbers must ascend");
static_assert(ascending(normal_services), "normal_services.def: numbers must ascend");
static_assert(sizeof(normal_services) / sizeof(normal_services[0]) == 23, "S88 names services 1..23");
static_assert(unique(nt_calls), "ium_syscalls.def: a number occurs twice");
static_assert(sizeof(nt_calls) / sizeof(nt_calls[0]) == 48, "S95: exactly 48 NT system calls");
static_assert(ascending(secure_calls) && sizeof(secure_calls) / sizeof(secure_calls[0]) == 6, "S91: six secure calls");
static_assert(all_arguments_fit(secure_services), "secure_services.def: an argument leaves the frame or overlaps");
static_assert(all_arguments_fit(normal_services), "normal_services.def: an argument leaves the frame or overlaps");
static_assert(at_most_twelve_arguments(nt_calls), "SKCALL carries twelve arguments");

}  // namespace checks

/// Services from this number on may be called before Phase0Initialize succeeded (bands of section 7.5).
inline constexpr uint16_t first_pre_init_service = 207;
inline constexpr uint32_t secure_call_bit = 0x80000000;

}  // namespace abi::sk
