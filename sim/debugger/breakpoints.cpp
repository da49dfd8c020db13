#include "sim/debugger/breakpoints.h"

namespace debugger {

using support::Error;
using support::Result;
using support::Status;

namespace {
constexpr std::string_view kind_words[] = {"code", "event", "write", "register", "access", "vtl"};
}  // namespace

std::string_view word(BreakpointKind kind) { return kind_words[static_cast<size_t>(kind)]; }

std::optional<BreakpointKind> breakpoint_kind(std::string_view word) {
  for (size_t i = 0; i < std::size(kind_words); ++i)
    if (kind_words[i] == word) return static_cast<BreakpointKind>(i);
  return std::nullopt;
}

Result<uint32_t> Breakpoints::set(BreakpointRequest, const Context&) { return Error{"not implemented"}; }
const Breakpoint* Breakpoints::find(uint32_t) const { return nullptr; }
Status Breakpoints::enable(uint32_t, bool) { return Error{"not implemented"}; }
Status Breakpoints::set_condition(uint32_t, const std::string&, const Context&) { return Error{"not implemented"}; }
Status Breakpoints::set_ignore(uint32_t, uint64_t) { return Error{"not implemented"}; }
Status Breakpoints::remove(uint32_t) { return Error{"not implemented"}; }
std::vector<uint32_t> Breakpoints::at(uint64_t, Vtl, uint64_t) const { return {}; }

}  // namespace debugger
