#pragma once
// The table of hypercalls, expanded: numbers, shapes and sizes, checked at compile time.
#include <stddef.h>
#include <stdint.h>

#include "abi/hv/hypercall_control.h"
#include "abi/hv/port_structs.h"
#include "abi/hv/status.h"
#include "abi/hv/structs.h"
#include "abi/hv/vtl.h"
#include "abi/layout/address.h"

namespace abi::hv {

enum class CallShape : uint8_t {
  Simple,
  Rep,
  SimpleVariable,  ///< a variable header (HV_VP_SET) follows the header
  RepVariable,
  Switch,
  NotImplemented
};
constexpr bool is_rep(CallShape shape) {
  return shape == CallShape::Rep || shape == CallShape::RepVariable;
}
constexpr bool has_variable_header(CallShape shape) {
  return shape == CallShape::SimpleVariable || shape == CallShape::RepVariable;
}

/// Call codes (bits 15:0 of the control word). A guest may send any other value.
enum class CallCode : uint16_t {
#define HV_CALL(name, code, ...) name = code,
#include "abi/hv/hypercalls.def"
};

struct CallInfo {
  CallCode code;
  const char* name;
  CallShape shape;
  uint16_t header;   ///< bytes
  uint16_t element;  ///< bytes of one list element, 0 without list
  uint16_t output;   ///< bytes, per element for Rep
  Vtl minimum_vtl;
  const char* source;
};

inline constexpr CallInfo calls[] = {
#define HV_CALL(name, code, shape, header, element, output, vtl, source)                           \
  {CallCode::name,     #name,                                                                      \
   CallShape::shape,   wire_size<header>,                                                          \
   wire_size<element>, wire_size<output>,                                                          \
   Vtl::vtl,           source},
#include "abi/hv/hypercalls.def"
};
inline constexpr size_t call_count = sizeof(calls) / sizeof(calls[0]);

consteval bool calls_sorted_and_unique() {
  for (size_t i = 1; i < call_count; ++i) {
    if (calls[i - 1].code >= calls[i].code) return false;
  }
  return true;
}
static_assert(calls_sorted_and_unique(),
              "hypercalls.def must be sorted by code, without duplicates");

consteval bool call_sizes_fit() {
  for (const CallInfo& call : calls) {
    if (call.header % 8 != 0) return false;
    if (call.header + call.element > page_size || call.output > page_size) return false;
    const bool simple = call.shape == CallShape::Simple || call.shape == CallShape::SimpleVariable;
    if (simple && call.element != 0) return false;
    if (call.shape == CallShape::Switch && call.header + call.element + call.output != 0)
      return false;
  }
  return true;
}
static_assert(call_sizes_fit(), "hypercalls.def: a size does not fit its shape");

/// The row of a call code, or null when the code is not listed.
constexpr const CallInfo* find_call(uint16_t code) {
  for (const CallInfo& call : calls) {
    if (static_cast<uint16_t>(call.code) == code) return &call;
  }
  return nullptr;
}

/// A control word for `call`; `reps` elements for Rep calls.
constexpr HypercallControl control_for(CallCode call, uint16_t reps = 0, bool fast = false) {
  return HypercallControl{}
      .with_code(static_cast<uint16_t>(call))
      .with_rep_count(reps)
      .with_fast(fast);
}

/// List elements that fit one page of input (section 2.3).
inline constexpr uint16_t max_protection_pages =
    (page_size - sizeof(ModifyVtlProtectionMask)) / sizeof(GpaPage);
static_assert(max_protection_pages == 510);

}  // namespace abi::hv
