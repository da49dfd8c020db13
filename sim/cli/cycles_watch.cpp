#include "sim/cli/cycles_watch.h"

#include <fmt/format.h>

namespace cli {

void ImageListener::on(const support::Event& event) {
  names_.learn(event);
  names_.forget(event);
}

CyclesWatch::CyclesWatch(Session& session, const timing::CostTable& costs)
    : observer_{session.machine().translator(),
                [&machine = session.machine()](const vtl::VirtualProcessor& vp) {
                  return machine.hypervisor().address_space(vp);
                },
                costs},
      phases_{session.images()},
      ledger_{phases_},
      session_{session},
      costs_{costs} {
  observer_.model().listen(ledger_);
  session.listen(observer_);
}

void CyclesWatch::print(StandardOutput& out, uint64_t from, uint64_t to) {
  lines_.emplace(timing::CycleTraceOptions{.vtl = {}, .from = from, .to = to, .loads_images = false, .image = {}}, costs_,
                 session_.images(), [&out](std::string_view line) { out.line(line); });
  observer_.model().listen(*lines_);
}

}  // namespace cli
