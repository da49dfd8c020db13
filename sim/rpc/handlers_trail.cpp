// trail: what the focus' processor executed last, and what it executes next.
#include "sim/debugger/views/trail.h"
#include "sim/rpc/desk.h"
#include "sim/rpc/records.h"

namespace rpc {
namespace {

Json steps_json(const std::vector<debugger::views::TrailStep>& steps) {
  Json list = Json::array();
  for (const debugger::views::TrailStep& step : steps)
    list.push_back({{"at", step.at.ticks}, {"vp", step.vp}, {"vtl", static_cast<unsigned>(step.vtl)}, {"address", hex(step.address)}});
  return list;
}

Answer trail(Desk& desk, const Parameters& parameters) {
  const debugger::View view = TRY(desk.look(parameters));
  const auto trail = desk.trails.around(view.focus, *parameters.integer("before"), *parameters.integer("after"));
  return Json{{"past", steps_json(trail.past)}, {"future", steps_json(trail.future)}};
}

}  // namespace

void serve_trail(Desk& desk) { serve(desk, "trail", trail); }

}  // namespace rpc
