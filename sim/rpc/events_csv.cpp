#include "sim/rpc/events_csv.h"

#include <fmt/format.h>

#include "sim/loader/pe_image.h"
#include "sim/trace/event_names.h"
#include "sim/trace/event_text.h"

namespace rpc {

std::string csv_field(std::string_view text) {
  constexpr std::string_view begins_formulas = "=+-@";
  std::string field = "\"";
  if (!text.empty() && begins_formulas.find(text[0]) != std::string_view::npos) field += '\'';
  for (const char c : loader::printable(text)) {
    if (c == '"') field += '"';
    field += c;
  }
  return field + '"';
}

std::string csv_heading() { return "at,vp,vtl,kind,name,arguments,outcome,rip,place,a,b,c,text\r\n"; }

std::string csv_line(const trace::EventRecord& record, const debugger::Names& names) {
  const support::Event event = record.view();
  const trace::EventDescription description = trace::describe(event, &names.images());
  std::string arguments;
  for (const trace::Argument& argument : description.arguments)
    arguments += fmt::format("{}{}={}", arguments.empty() ? "" : "; ", argument.name, argument.value);
  return fmt::format("{},{},{},{},{},{},{},{:#x},{},{:#x},{:#x},{:#x},{}\r\n", event.at.ticks, event.vp, static_cast<unsigned>(event.vtl),
                     csv_field(trace::name_of(event.kind)), csv_field(description.name), csv_field(arguments), csv_field(description.outcome),
                     event.rip, csv_field(names.place(event.rip).text), event.a, event.b, event.c, csv_field(event.text));
}

}  // namespace rpc
