// breakpoint.*: what may end a motion.
#include "sim/debugger/event_pattern.h"
#include "sim/rpc/desk.h"
#include "sim/rpc/records.h"

namespace rpc {
namespace {

/// One breakpoint for who asked, all of them for who listens.
Answer changed(Desk& desk, uint32_t id) {
  debugger::Breakpoints& breakpoints = desk.session.breakpoints();
  desk.dispatcher.notify("breakpoints", breakpoints_json(breakpoints.list()));
  const debugger::Breakpoint* breakpoint = breakpoints.find(id);
  return breakpoint == nullptr ? Json::object() : Json{{"breakpoint", to_json(*breakpoint)}};
}

support::Result<uint32_t, Refusal> id_of(Desk& desk, const Parameters& parameters) {
  const uint64_t id = *parameters.integer("id");
  if (id <= ~uint32_t{0} && desk.session.breakpoints().find(static_cast<uint32_t>(id)) != nullptr) return static_cast<uint32_t>(id);
  return refuse(Code::NotThere, "there is no breakpoint " + std::to_string(id));
}

Answer set(Desk& desk, const Parameters& parameters) {
  debugger::BreakpointRequest request;
  request.kind = *debugger::breakpoint_kind(parameters.text("kind"));
  request.what = parameters.text("what");
  request.vtl = TRY(desk.vtl(parameters));
  request.vp = TRY(desk.vp(parameters));
  request.process = parameters.text("process");
  request.condition = parameters.text("condition");
  request.ignore = parameters.integer("ignore", 0);
  request.temporary = parameters.flag("temporary");
  return changed(desk, TRY(or_refuse(desk.session.breakpoints().set(std::move(request), desk.session.context()))));
}

Answer list(Desk& desk, const Parameters&) { return breakpoints_json(desk.session.breakpoints().list()); }

Answer change(Desk& desk, const Parameters& parameters) {
  const uint32_t id = TRY(id_of(desk, parameters));
  debugger::Breakpoints& breakpoints = desk.session.breakpoints();
  if (parameters.has("condition"))
    TRY(or_refuse(breakpoints.set_condition(id, parameters.text("condition"), desk.session.context())));
  if (parameters.has("enabled")) TRY(or_refuse(breakpoints.enable(id, parameters.flag("enabled"))));
  if (const auto ignore = parameters.integer("ignore")) TRY(or_refuse(breakpoints.set_ignore(id, *ignore)));
  return changed(desk, id);
}

Answer remove(Desk& desk, const Parameters& parameters) {
  const uint32_t id = TRY(id_of(desk, parameters));
  TRY(or_refuse(desk.session.breakpoints().remove(id)));
  return changed(desk, id);
}

Answer kinds(Desk&, const Parameters&) {
  Json list = Json::array();
  for (const debugger::EventKindRow& row : debugger::event_kinds())
    list.push_back({{"name", row.name}, {"type", row.text}, {"offset", 0}, {"size", 0}});
  return Json{{"kinds", std::move(list)}};
}

}  // namespace

void serve_breakpoints(Desk& desk) {
  serve(desk, "breakpoint.set", set);
  serve(desk, "breakpoint.list", list);
  serve(desk, "breakpoint.change", change);
  serve(desk, "breakpoint.remove", remove);
  serve(desk, "breakpoint.events", kinds);
}

}  // namespace rpc
