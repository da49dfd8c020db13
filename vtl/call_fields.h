#pragma once
// The fields of every hypercall's parameters, as one table: what traces and the debugger print, and what the fuzzers fill.
#include <algorithm>
#include <iterator>
#include <span>
#include <string_view>

#include "abi/hv/hypercalls.h"
#include "abi/layout/fields.h"

namespace vtl {

/// Name, offset, size and kind of each field; offsets are from the start of the header, of one list element, and of
/// the output of a simple call or of one element.
struct CallFields {
  abi::hv::CallCode code{};
  std::span<const abi::Field> header, element, output;
};

namespace detail {

/// Structures without a list of fields are empty.
template <class T>
constexpr std::span<const abi::Field> fields_of() {
  if constexpr (abi::wire_size<T> == 0) {
    return {};
  } else {
    return abi::FieldsOf<T>::list;
  }
}

namespace rows {
using namespace abi::hv;  // the table names structures as abi::hv does
inline constexpr CallFields list[] = {
#define HV_CALL(name, code, shape, header, element, output, vtl, source)                                             \
  {CallCode::name, fields_of<header>(), fields_of<element>(), fields_of<output>()},
#include "abi/hv/hypercalls.def"
};
}  // namespace rows

struct Nested {
  std::string_view name;
  std::span<const abi::Field> fields;
  uint16_t size;
};
inline constexpr Nested nested[] = {
    {"context", fields_of<abi::hv::InitialVpContext>(), sizeof(abi::hv::InitialVpContext)},
    {"processors", fields_of<abi::hv::VpSet>(), sizeof(abi::hv::VpSet)},
    {"port_info", fields_of<abi::hv::PortInfo>(), sizeof(abi::hv::PortInfo)},
    {"connection_info", fields_of<abi::hv::ConnectionInfo>(), sizeof(abi::hv::ConnectionInfo)},
};

}  // namespace detail

/// In the order of abi::hv::calls: element n describes calls[n].
inline constexpr std::span<const CallFields> call_fields{detail::rows::list};
static_assert(call_fields.size() == abi::hv::call_count);

/// The fields of a call code; null when it is not listed.
constexpr const CallFields* find_call_fields(uint16_t code) {
  const auto found = std::find_if(call_fields.begin(), call_fields.end(), [&](const CallFields& fields) {
    return static_cast<uint16_t>(fields.code) == code;
  });
  return found == call_fields.end() ? nullptr : &*found;
}

/// The fields inside a field of kind Bytes that is a structure, at offsets from the start of `field`; empty for bytes
/// that are no more than that, and for every other kind.
constexpr std::span<const abi::Field> parts_of(const abi::Field& field) {
  if (field.kind != abi::FieldKind::Bytes) return {};
  for (const detail::Nested& structure : detail::nested) {
    if (structure.size == field.size && structure.name == field.name) return structure.fields;
  }
  return {};
}

}  // namespace vtl
