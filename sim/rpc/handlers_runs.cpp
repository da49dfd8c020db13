// compare, findings: this run and others.
#include <fmt/format.h>

#include "sim/loader/pe_image.h"
#include "sim/replay/compare.h"
#include "sim/replay/parting.h"
#include "sim/replay/replayer.h"
#include "sim/rpc/desk.h"
#include "sim/rpc/findings.h"
#include "sim/rpc/records.h"

namespace rpc {
namespace {

using replay::Parting;
using support::Instant;

constexpr const char* interrupted_text = "interrupted";

/// The other recording, opened when it is first asked for.
support::Result<const replay::Recording*, Refusal> other_recording(Desk& desk) {
  if (desk.facts.other.empty()) return refuse(Code::NotThere, "there is no other recording: start with --compare FILE");
  if (!desk.other) {
    auto opened = replay::Recording::open(desk.facts.other);
    if (!opened) return refuse(Code::Refused, opened.error().message);
    desk.other = std::make_unique<replay::Recording>(std::move(opened.value()));
  }
  return desk.other.get();
}

/// A live run or branch has events as far as they are known, and neither hashes nor an end.
struct KnownParting {
  Parting parting;
  bool interrupted{};
  bool unfinished{};  ///< the run is not known any further, the other one has more
};

KnownParting compare_known(Desk& desk, const replay::Recording& other) {
  KnownParting out;
  Parting& parting = out.parting;
  parting.facts = replay::compare_facts(replay::facts_of(desk.session.timeline().machine().config(), {}), other.facts());
  std::erase_if(parting.facts, [](const std::string& line) { return line.starts_with("firmware") || line.starts_with("disk"); });
  replay::EventCursor cursor = other.events_from({});
  const auto next_of_other = [&] {
    auto next = cursor.next();
    if (!next) parting.unread = next.error().message;
    parting.right = next ? std::move(next.value()) : std::nullopt;
  };
  parting.left = desk.session.timeline().history().first({}, [&](const support::Event& event) {
    out.interrupted = desk.session.interrupted();
    if (out.interrupted) return true;
    next_of_other();
    parting.parted = !parting.right || !replay::same(event, parting.right->view());
    parting.equal_events += parting.parted ? 0 : 1;
    return parting.parted;
  });
  if (out.interrupted || parting.parted) return out;
  next_of_other();
  const bool ended = desk.session.timeline().ending().has_value() && desk.session.timeline().now() >= desk.session.timeline().end();
  out.unfinished = parting.right.has_value() && !ended;
  parting.parted = parting.right.has_value() && ended;
  parting.same_end = !parting.right;
  return out;
}

std::string text_of(const Parting& parting, bool unfinished) {
  std::string text;
  for (const std::string& fact : parting.facts) text += fmt::format("they are of different machines: {}. ", loader::printable(fact));
  if (!parting.input.empty()) text += parting.input + ". ";
  if (parting.parted) {
    text += fmt::format("Event {} is the first that is not the same", parting.equal_events);
    if (!parting.left || !parting.right) text += parting.left ? ": the other run has no more" : ": this run has no more, the other one has";
    text += ". ";
  } else {
    text += fmt::format("{} {} events are the same{}. ", unfinished ? "The" : "All", parting.equal_events,
                        unfinished ? " that are known of this run by now" : "");
  }
  if (parting.other_hash) text += fmt::format("The state is not the same at instant {}. ", parting.other_hash->ticks);
  if (!parting.unread.empty()) text += fmt::format("Not all events can be read: {}. ", parting.unread);
  if (!parting.parted && !parting.other_hash && !parting.same_end && !unfinished) text += "They do not end in the same state. ";
  if (parting.same()) text += "The runs are the same. ";
  text.pop_back();
  return text;
}

/// Where it is, when it is not an event.
std::optional<Instant> place_without(const Desk& desk, const Parting& parting, const replay::Recording* run) {
  if (parting.parted) return run != nullptr ? run->end() : desk.session.trunk().end();
  return parting.other_hash;
}

Json parting_json(Desk& desk, const Parting& parting, const replay::Recording& other, bool unfinished) {
  Json json{{"same", parting.same() || (unfinished && parting.facts.empty())}};
  if (parting.parted) json["number"] = parting.equal_events;
  const auto at = parting.left ? parting.left->event.at : place_without(desk, parting, desk.facts.run);
  const auto other_at = parting.right ? parting.right->event.at : place_without(desk, parting, &other);
  if (at && !parting.same() && !unfinished) json["at"] = at->ticks;
  if (other_at && !parting.same() && !unfinished) json["other_at"] = other_at->ticks;
  if (parting.parted && parting.left) {
    desk.session.names().move_to(parting.left->event.at);
    json["event"] = to_json(parting.left->view(), desk.session.names());
  }
  if (parting.parted && parting.right) json["other_event"] = to_json(parting.right->view(), desk.session.names());
  if (parting.equal_hash) json["hash_at"] = parting.equal_hash->ticks;
  json["text"] = text_of(parting, unfinished);
  return json;
}

Answer compare(Desk& desk, const Parameters&) {
  const replay::Recording& other = *TRY(other_recording(desk));
  if (desk.facts.run == nullptr || desk.session.branch()) {
    const KnownParting known = compare_known(desk, other);
    if (known.interrupted) return refuse(Code::Refused, interrupted_text);
    return parting_json(desk, known.parting, other, known.unfinished);
  }
  const auto parting = replay::find_parting(*desk.facts.run, other, [&] { return !desk.session.interrupted(); });
  if (!parting) return refuse(Code::Refused, interrupted_text);
  return parting_json(desk, *parting, other, false);
}

Json to_json(const Finding& finding, const std::string& opened) {
  Json json{{"id", finding.id},
            {"oracle", finding.unreadable.empty() ? finding.oracle : "unreadable"},
            {"call", finding.call},
            {"text", finding.unreadable.empty() ? finding.text : finding.unreadable}};
  if (finding.at) json["at"] = finding.at->ticks;
  if (!finding.recording.empty()) json["recording"] = finding.recording;
  json["opened"] = !opened.empty() && finding.id == opened;
  return json;
}

Answer findings(Desk& desk, const Parameters&) {
  Json list = Json::array();
  if (desk.facts.findings.empty()) return Json{{"findings", std::move(list)}};
  const auto found = TRY(or_refuse(read_findings(desk.facts.findings, [&] { return !desk.session.interrupted(); })));
  if (desk.session.interrupted()) return refuse(Code::Refused, interrupted_text);
  for (const Finding& finding : found) list.push_back(to_json(finding, desk.facts.finding));
  return Json{{"findings", std::move(list)}, {"folder", desk.facts.findings}};
}

}  // namespace

void serve_runs(Desk& desk) {
  serve(desk, "compare", compare);
  serve(desk, "findings", findings);
}

}  // namespace rpc
