// hypercalls.def expanded into thunks: a row without a handler of the right shape does not compile.
#include "vtl/hypervisor.h"

namespace vtl {
namespace {

using namespace abi::hv;
using abi::wire_size;

template <CallCode Code, class Header>
CallResult simple_thunk(Hypervisor& hypervisor, const CallContext& context,
                        const CallBlock& block) {
  Header header;
  __builtin_memcpy(&header, block.header, sizeof header);
  return hypervisor.on(CallTag<Code>{}, context, header);
}

template <CallCode Code, class Header, class Element, class Output>
CallResult rep_thunk(Hypervisor& hypervisor, const CallContext& context, const CallBlock& block) {
  Header header;
  __builtin_memcpy(&header, block.header, sizeof header);
  const std::span<const Element> elements{reinterpret_cast<const Element*>(block.elements),
                                          block.count};
  if constexpr (wire_size<Output> == 0) {
    return hypervisor.on(CallTag<Code>{}, context, header, elements);
  } else {
    return hypervisor.on(CallTag<Code>{}, context, header, elements,
                         std::span<Output>{reinterpret_cast<Output*>(block.output), block.count});
  }
}

template <CallCode Code>
Outcome switch_thunk(Hypervisor& hypervisor, const CallContext& context) {
  return hypervisor.on(CallTag<Code>{}, context);
}

template <CallCode Code, CallShape Shape, class Header, class Element, class Output>
constexpr CallRow row(const CallInfo* info) {
  if constexpr (Shape == CallShape::Simple) {
    static_assert(wire_size<Output> == 0, "no simple call has output yet");
    return {info, simple_thunk<Code, Header>, nullptr};
  } else if constexpr (Shape == CallShape::Rep) {
    return {info, rep_thunk<Code, Header, Element, Output>, nullptr};
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

constexpr size_t index_size = 0x100;
constexpr uint8_t no_row = 0xFF;

/// Row numbers by call code: a VTL call must not search.
constexpr auto index = [] {
  std::array<uint8_t, index_size> table{};
  table.fill(no_row);
  for (size_t i = 0; i < call_count; ++i)
    table[static_cast<uint16_t>(calls[i].code)] = static_cast<uint8_t>(i);
  return table;
}();
static_assert(call_count < no_row);

}  // namespace

const CallRow* find_row(uint16_t code) {
  if (code >= index_size || index[code] == no_row) return nullptr;
  return &rows[index[code]];
}

}  // namespace vtl
