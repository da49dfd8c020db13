#include "sim/machine/event_fanout.h"

namespace machine {

void TotalsCounter::on(const support::Event& event) {
  using enum support::EventKind;
  switch (event.kind) {
    case Hypercall: ++totals_.hypercalls; break;
    case VtlCall: ++totals_.vtl_calls; break;
    case VtlReturn: ++totals_.vtl_returns; break;
    case VtlInterruptEntry: ++totals_.interrupt_entries; break;
    case Intercept: ++totals_.intercepts; break;
    case Exception: ++totals_.exceptions; break;
    case Interrupt: ++totals_.interrupts; break;
    case SystemCall: ++totals_.system_calls; break;
    default: break;
  }
}

}  // namespace machine
