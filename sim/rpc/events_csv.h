#pragma once
// Events as a table for spreadsheets.
#include <string>
#include <string_view>

#include "sim/debugger/names.h"
#include "sim/trace/record.h"

namespace rpc {

/// A field in quotes, as RFC 4180 has it, of printable ASCII: other bytes are written \xNN. Guests choose these texts: one that a
/// spreadsheet would take for a formula (that begins with = + - @) gets an apostrophe before it.
[[nodiscard]] std::string csv_field(std::string_view text);
/// The first line, with its end.
[[nodiscard]] std::string csv_heading();
/// With the names of `names`, which should be those of the event's instant.
[[nodiscard]] std::string csv_line(const trace::EventRecord& record, const debugger::Names& names);

}  // namespace rpc
