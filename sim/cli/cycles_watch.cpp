#include "sim/cli/cycles_watch.h"

namespace cli {

void ImageListener::on(const support::Event& event) {
  if (event.kind == support::EventKind::ImageLoaded) images_.load(event.text, event.a, event.b, event.c);
  if (event.kind == support::EventKind::ImageUnloaded) images_.unload(event.text, event.a);
}

CyclesWatch::CyclesWatch(Session& session, const timing::CostTable& costs)
    : observer_{session.machine().translator(),
                [&machine = session.machine()](const vtl::VirtualProcessor& vp) {
                  return machine.hypervisor().address_space(vp);
                },
                costs},
      phases_{session.images()},
      ledger_{phases_} {
  observer_.model().listen(ledger_);
  session.listen(observer_);
}

}  // namespace cli
