#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "sim/support/events.h"

namespace trace {

/// "VtlCall"; "unknown event" for a value that this version does not know.
[[nodiscard]] std::string_view name_of(support::EventKind kind);
[[nodiscard]] std::optional<support::EventKind> event_kind(std::string_view name);
/// All names in the order of their numbers, separated by commas: a trace carries it, so that kinds
/// may be renumbered.
[[nodiscard]] std::string event_kind_list();

}  // namespace trace
