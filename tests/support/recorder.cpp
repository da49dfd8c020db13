#include "tests/support/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "sim/trace/call_decoder.h"
#include "sim/trace/event_names.h"

namespace test {

std::string describe(const Seen& seen) {
  const support::Event& event = seen.event;
  std::string name{trace::name_of(event.kind)};
  if (event.kind == support::EventKind::Hypercall) {
    name += ' ';
    name += trace::decode_hypercall(event.a, event.b, {}).name;
  }
  std::string line = fmt::format("{} VTL {} {} a={:#x} b={:#x} c={:#x} rip={:#x}", event.at.ticks,
                                 static_cast<unsigned>(event.vtl), name, event.a, event.b, event.c, event.rip);
  for (size_t i = 0; seen.has_frame && i < seen.frame.size(); ++i) line += fmt::format(" {:x}", seen.frame[i]);
  // The text of a hypercall is its raw input.
  if (event.kind == support::EventKind::Hypercall) {
    for (const char c : seen.text) line += fmt::format("{:02x}", static_cast<unsigned char>(c));
  } else if (!seen.text.empty()) {
    line += " " + seen.text;
  }
  return line;
}

std::ostream& operator<<(std::ostream& out, const Seen& seen) { return out << describe(seen); }

void Recorder::on(const support::Event& event) {
  Seen seen{event, std::string{event.text}, event.frame != nullptr, {}};
  if (event.frame != nullptr) std::copy_n(event.frame, seen.frame.size(), seen.frame.begin());
  seen.event.frame = nullptr;
  seen.event.text = {};
  events_.push_back(std::move(seen));
  const Seen latest = events_.back();
  for (const Watcher& watcher : watchers_) watcher(latest);
}

std::vector<Seen> Recorder::of(support::EventKind kind) const {
  std::vector<Seen> result;
  std::copy_if(events_.begin(), events_.end(), std::back_inserter(result),
               [kind](const Seen& seen) { return seen.kind() == kind; });
  return result;
}

size_t Recorder::count(support::EventKind kind) const { return of(kind).size(); }

size_t Recorder::find(support::EventKind kind, std::string_view text, size_t from) const {
  for (size_t i = from; i < events_.size(); ++i)
    if (events_[i].kind() == kind && events_[i].text.find(text) != std::string::npos) return i;
  return events_.size();
}

std::string Recorder::milestones() const {
  std::string lines;
  for (const Seen& seen : events_)
    if (seen.kind() == support::EventKind::Milestone) lines += seen.text + "\n";
  return lines;
}

}  // namespace test
