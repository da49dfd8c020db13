// Compiled by tests only: with FORGOTTEN a member is missing from the list, and that must be an error.
#include "sim/support/state.h"

struct Timer {
  uint64_t deadline{}, period{};
  bool armed{};
#ifdef FORGOTTEN
  STATE_FIELDS(deadline, period)
#else
  STATE_FIELDS(deadline, period, armed)
#endif
};

/// A type that says nothing about its state is an error too.
struct Silent {
  int value{};
};
struct Holder {
#ifdef SILENT
  Silent part;
  STATE_FIELDS(part)
#else
  int part{};
  STATE_FIELDS(part)
#endif
};

support::StateHash hash_both(const Timer& timer, const Holder& holder);
support::StateHash hash_both(const Timer& timer, const Holder& holder) {
  support::StateHash sum = support::hash_of(timer);
  return sum += support::hash_of(holder);
}
