#include "sim/replay/parting.h"

#include <algorithm>

#include "sim/replay/compare.h"
#include "sim/replay/replayer.h"

namespace replay {
namespace {

using Event = std::optional<trace::EventRecord>;

/// Between two looks at whether to go on: about a millisecond.
constexpr uint64_t events_between = 8192;

size_t next_events(const Recording& recording, size_t chunk) {
  const std::vector<IndexEntry>& index = recording.index();
  while (chunk < index.size() && index[chunk].kind != kind_events) ++chunk;
  return chunk;
}

/// Events in the chunks that both files begin with, byte by byte.
uint64_t equal_chunks(const Recording& left, const Recording& right, const GoOn& go_on) {
  if (left.facts().kinds != right.facts().kinds) return 0;
  uint64_t events = 0;
  for (size_t a = next_events(left, 0), b = next_events(right, 0); a < left.index().size() && b < right.index().size();
       a = next_events(left, a + 1), b = next_events(right, b + 1)) {
    if (!go_on() || !left.same_chunk(a, right, b)) break;
    events += left.index()[a].records;
  }
  return events;
}

class Side {
 public:
  Side(const Recording& recording, uint64_t from) {
    auto cursor = recording.events_after(from);
    if (cursor) cursor_ = std::move(cursor.value());
    else unread_ = cursor.error().message;
    if (!recording.foot()) damage_ = recording.damage();
  }
  Event next() {
    if (!cursor_) return std::nullopt;
    auto event = cursor_->next();
    if (!event) unread_ = event.error().message;
    else if (!event.value()) unread_ = damage_;
    return event ? std::move(event.value()) : std::nullopt;
  }
  [[nodiscard]] const std::string& unread() const { return unread_; }

 private:
  std::optional<EventCursor> cursor_;
  std::string unread_, damage_;
};

/// False if it was ended.
bool compare_events(const Recording& left, const Recording& right, Parting& parting, const GoOn& go_on) {
  parting.equal_events = equal_chunks(left, right, go_on);
  Side a{left, parting.equal_events}, b{right, parting.equal_events};
  for (;;) {
    if (parting.equal_events % events_between == 0 && !go_on()) return false;
    parting.left = a.next();
    parting.right = b.next();
    for (const Side* side : {&a, &b})
      if (parting.unread.empty()) parting.unread = side->unread();
    if (!parting.left && !parting.right) return go_on();
    parting.parted = !parting.left || !parting.right || !same(parting.left->view(), parting.right->view());
    if (parting.parted) return true;
    ++parting.equal_events;
  }
}

void compare_hashes(const Recording& left, const Recording& right, Parting& parting) {
  support::Instant until = support::never;
  if (parting.parted && parting.left) until = parting.left->event.at;
  if (parting.parted && parting.right) until = std::min(until, parting.right->event.at);
  auto a = left.points().begin(), b = right.points().begin();
  while (a != left.points().end() && b != right.points().end()) {
    if (a->at != b->at) {
      ++(a->at < b->at ? a : b);
      continue;
    }
    if (a->state != b->state) {
      parting.other_hash = a->at;
      return;
    }
    if (a->at <= until) parting.equal_hash = a->at;
    ++a;
    ++b;
  }
}

}  // namespace

std::optional<Parting> find_parting(const Recording& left, const Recording& right, const GoOn& go_on) {
  Parting parting;
  parting.facts = compare_facts(left.facts(), right.facts());
  parting.input = compare_inputs(left.inputs(), right.inputs());
  if (!compare_events(left, right, parting, go_on)) return std::nullopt;
  compare_hashes(left, right, parting);
  parting.same_end = !left.points().empty() && !right.points().empty() && left.points().back() == right.points().back();
  return parting;
}

}  // namespace replay
