#pragma once
// What the debugger knows, as records of the table.
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "sim/debugger/session.h"
#include "sim/rpc/api.h"
#include "sim/trace/event_text.h"

namespace rpc {

[[nodiscard]] std::string hex(uint64_t value);
/// Of up to 128 bits.
[[nodiscard]] std::string hex(const vtl::Xmm& value);
[[nodiscard]] std::string bytes_text(std::span<const uint8_t> bytes);

[[nodiscard]] Json to_json(const debugger::Focus& focus);
[[nodiscard]] Json to_json(const debugger::Place& place);
[[nodiscard]] Json to_json(const debugger::Change& change);
/// With the names of `names`, which should be those of the event's instant.
[[nodiscard]] Json to_json(const support::Event& event, const debugger::Names& names);
[[nodiscard]] Json to_json(const debugger::Stop& stop, const debugger::Names& names);
[[nodiscard]] Json to_json(const debugger::Breakpoint& breakpoint);
[[nodiscard]] Json breakpoints_json(const std::vector<debugger::Breakpoint>& breakpoints);
[[nodiscard]] Json rights_json(const mmu::SlatMapping& mapping);
/// What stage 2 of `vtl` says; on a bare machine there is none, and everything is permitted.
[[nodiscard]] mmu::SlatMapping mapping_of(const debugger::View& view, abi::hv::Vtl vtl, abi::Gpa gpa);
/// Of each VTL from 0 up to the highest that is enabled.
[[nodiscard]] Json rights_by_vtl(const debugger::View& view, abi::Gpa gpa);
/// Images in the order in which they were announced.
[[nodiscard]] Json modules_json(const debugger::Names& names);

}  // namespace rpc
