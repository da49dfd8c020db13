// hypercalls.def expanded into thunks: a row without a handler of the right shape does not compile.
#include "vtl/hypervisor.h"

namespace vtl {
namespace {

using namespace abi::hv;
using abi::wire_size;

/// Calls the handler with its header, the variable header if the shape has one, and `rest`.
template <CallCode Code, CallShape Shape, class Header, class... Rest>
CallResult with_header(Hypervisor& hypervisor, const CallContext& context, const CallBlock& block,
                       Rest... rest) {
  Header header{};
  __builtin_memcpy(&header, block.header, wire_size<Header>);
  if constexpr (has_variable_header(Shape)) {
    return hypervisor.on(CallTag<Code>{}, context, header, block.variable, rest...);
  } else {
    return hypervisor.on(CallTag<Code>{}, context, header, rest...);
  }
}

template <CallCode Code, CallShape Shape, class Header, class Output>
CallResult simple_thunk(Hypervisor& hypervisor, const CallContext& context,
                        const CallBlock& block) {
  if constexpr (wire_size<Output> == 0) {
    return with_header<Code, Shape, Header>(hypervisor, context, block);
  } else {
    Output output{};
    const CallResult result =
        with_header<Code, Shape, Header, Output&>(hypervisor, context, block, output);
    __builtin_memcpy(block.output, &output, sizeof output);
    return result;
  }
}

template <CallCode Code, CallShape Shape, class Header, class Element, class Output>
CallResult rep_thunk(Hypervisor& hypervisor, const CallContext& context, const CallBlock& block) {
  const std::span<const Element> elements{reinterpret_cast<const Element*>(block.elements),
                                          block.count};
  if constexpr (wire_size<Output> == 0) {
    return with_header<Code, Shape, Header>(hypervisor, context, block, elements);
  } else {
    return with_header<Code, Shape, Header>(
        hypervisor, context, block, elements,
        std::span<Output>{reinterpret_cast<Output*>(block.output), block.count});
  }
}

template <CallCode Code>
Outcome switch_thunk(Hypervisor& hypervisor, const CallContext& context) {
  return hypervisor.on(CallTag<Code>{}, context);
}

template <CallCode Code, CallShape Shape, class Header, class Element, class Output>
constexpr CallRow row(const CallInfo* info) {
  if constexpr (Shape == CallShape::Simple || Shape == CallShape::SimpleVariable) {
    return {info, simple_thunk<Code, Shape, Header, Output>, nullptr};
  } else if constexpr (is_rep(Shape)) {
    return {info, rep_thunk<Code, Shape, Header, Element, Output>, nullptr};
  } else if constexpr (Shape == CallShape::Switch) {
    return {info, nullptr, switch_thunk<Code>};
  } else {
    return {info, nullptr, nullptr};  // answered with InvalidHypercallCode
  }
}

constexpr CallRow rows[] = {
#define HV_CALL(name, code, shape, header, element, output, vtl, source)                           \
  row<CallCode::name, CallShape::shape, header, element, output>(find_call(code)),
#include "abi/hv/hypercalls.def"
};

constexpr size_t index_size = 0x120;
constexpr uint8_t no_row = 0xFF;
/// Extended hypercalls (TLFS 3.10) have their own range.
constexpr uint16_t first_extended = 0x8000;

/// Where a code is in the index; index_size: nowhere.
constexpr size_t place_of(uint16_t code) {
  constexpr size_t extended = 0x20;
  if (code < index_size - extended) return code;
  if (code >= first_extended && code < first_extended + extended)
    return index_size - extended + (code - first_extended);
  return index_size;
}

/// Row numbers by call code: a VTL call must not search.
constexpr auto index = [] {
  std::array<uint8_t, index_size> table{};
  table.fill(no_row);
  for (size_t i = 0; i < call_count; ++i)
    table[place_of(static_cast<uint16_t>(calls[i].code))] = static_cast<uint8_t>(i);
  return table;
}();
static_assert(call_count < no_row);

}  // namespace

const CallRow* find_row(uint16_t code) {
  const size_t place = place_of(code);
  if (place == index_size || index[place] == no_row) return nullptr;
  return &rows[index[place]];
}

}  // namespace vtl
