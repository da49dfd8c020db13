// events.*, calls, who_wrote: what happened.
#include <fmt/format.h>

#include "sim/debugger/answer_text.h"
#include "sim/debugger/views/event_rows.h"
#include "sim/debugger/views/events.h"
#include "sim/rpc/desk.h"
#include "sim/rpc/records.h"
#include "sim/rpc/types.h"
#include "sim/trace/event_names.h"

namespace rpc {
namespace {

using debugger::Expression;
using debugger::View;
using debugger::views::EventRange;
using debugger::views::EventRows;
using support::Instant;
using support::Result;

/// What was found until somebody ended the search is no answer.
Answer unless_interrupted(Desk& desk, Json json) {
  if (desk.session.interrupted()) return refuse(Code::Refused, "interrupted");
  return json;
}

/// Parameter "query", compiled; nothing without it.
Result<std::optional<Expression>, Refusal> query_of(Desk& desk, const Parameters& parameters) {
  const std::string text = parameters.text("query");
  if (text.empty()) return std::optional<Expression>{};
  auto compiled = desk.session.compile(text, desk.session.focus(), true);
  if (compiled) return std::optional{std::move(compiled.value())};
  return refuse(compiled.error().message.starts_with("not implemented") ? Code::NotImplemented : Code::InvalidParameters,
                fmt::format("query, column {}: {}", compiled.error().column, compiled.error().message));
}

std::optional<Instant> instant(const Parameters& parameters, std::string_view name) {
  const auto ticks = parameters.integer(name);
  return ticks ? std::optional{Instant{*ticks}} : std::nullopt;
}

Answer list(Desk& desk, const Parameters& parameters) {
  const std::optional<Expression> query = TRY(query_of(desk, parameters));
  const uint64_t maximum = parameters.integer("maximum", 100);
  const EventRange range{instant(parameters, "from").value_or(desk.session.focus().at), instant(parameters, "to"), parameters.flag("back")};
  Json events = Json::array();
  bool more = false;
  debugger::views::for_each_event(desk.session, range, [&](const trace::EventRecord& record) {
    if (query && !debugger::views::holds(desk.session, *query, record)) return true;
    more = events.size() >= maximum;
    if (more) return false;
    desk.session.names().move_to(record.event.at);
    events.push_back(to_json(record.view(), desk.session.names()));
    return true;
  });
  return unless_interrupted(desk, Json{{"events", std::move(events)}, {"more", more}});
}

/// Rows [first, first + count) of the list that `rows` is.
Json rows_json(Desk& desk, EventRows& rows, uint64_t first, uint64_t count) {
  Json events = Json::array();
  const uint64_t end = std::min(rows.size(), first + std::min(count, rows.size()));
  for (uint64_t row = first; row < end; ++row) {
    const uint64_t number = rows.number(row);
    const auto record = desk.session.timeline().history().event(number);
    if (!record) break;
    desk.session.names().move_to(record->event.at);
    Json event = to_json(record->view(), desk.session.names());
    event["number"] = number;
    events.push_back(std::move(event));
  }
  return events;
}

Answer slice(Desk& desk, const Parameters& parameters) {
  const std::optional<Expression> query = TRY(query_of(desk, parameters));
  EventRows rows{desk.session, query ? &*query : nullptr};
  const bool complete = rows.look(debugger::views::one_call);
  Json events = rows_json(desk, rows, *parameters.integer("first"), *parameters.integer("count"));
  return unless_interrupted(desk, Json{{"events", std::move(events)}, {"total", rows.size()}, {"complete", complete}, {"looked_at", rows.looked_at()}});
}

Answer locate(Desk& desk, const Parameters& parameters) {
  const std::optional<Expression> query = TRY(query_of(desk, parameters));
  EventRows rows{desk.session, query ? &*query : nullptr};
  const bool complete = rows.look(debugger::views::one_call);
  return unless_interrupted(desk, Json{{"row", rows.locate(*instant(parameters, "at"))}, {"complete", complete}});
}

/// All of it at once, however long that takes.
Answer count(Desk& desk, const Parameters& parameters) {
  const std::optional<Expression> query = TRY(query_of(desk, parameters));
  EventRows rows{desk.session, query ? &*query : nullptr};
  while (!rows.look(debugger::views::one_call) && !desk.session.interrupted()) {}
  const auto to = instant(parameters, "to");
  const uint64_t before = rows.locate(instant(parameters, "from").value_or(Instant{})), end = to ? rows.locate(*to) : rows.size();
  return unless_interrupted(desk, Json{{"count", end - std::min(before, end)}});
}

Json kind_names() {
  Json names = Json::array();
  for (unsigned kind = 0; kind <= static_cast<unsigned>(support::EventKind::Walk); ++kind)
    names.push_back(trace::name_of(static_cast<support::EventKind>(kind)));
  return names;
}

/// VTL 2 counts as VTL 1 in the sums.
Json bucket_json(const debugger::views::Bucket& bucket) {
  uint64_t vtl0 = 0, others = 0;
  Json lanes = Json::array();
  for (const debugger::VtlTrack::Ticks& ticks : bucket.lanes) {
    vtl0 += ticks[0];
    others += ticks[1] + ticks[2];
    for (const uint64_t each : ticks) lanes.push_back(each);
  }
  return {{"from", bucket.from.ticks}, {"to", bucket.to.ticks}, {"row", bucket.row}, {"vtl0", vtl0}, {"vtl1", others}, {"lanes", std::move(lanes)}, {"counts", bucket.counts}};
}

Answer summary(Desk& desk, const Parameters& parameters) {
  const std::optional<Expression> query = TRY(query_of(desk, parameters));
  using debugger::views::Stretch;
  const bool by_events = parameters.text("by") == "events";
  const Stretch stretch{*parameters.integer("from"), *parameters.integer("to"), by_events ? Stretch::By::Events : Stretch::By::Time};
  if (stretch.to <= stretch.from) return refuse(Code::InvalidParameters, "to is not after from");
  const auto found = debugger::views::summarize(desk.session, stretch, *parameters.integer("buckets"), query ? &*query : nullptr,
                                                debugger::views::one_call);
  Json buckets = Json::array();
  for (const debugger::views::Bucket& bucket : found.buckets) buckets.push_back(bucket_json(bucket));
  return unless_interrupted(desk, Json{{"kinds", kind_names()}, {"buckets", std::move(buckets)}, {"complete", found.complete}});
}

std::string_view word(debugger::CallKind kind) {
  switch (kind) {
    case debugger::CallKind::VtlCall: return "vtl_call";
    case debugger::CallKind::VtlReturn: return "vtl_return";
    case debugger::CallKind::Hypercall: return "hypercall";
    case debugger::CallKind::Interrupt: break;
  }
  return "interrupt";
}

Json call_json(const debugger::views::CallNode& node) {
  const debugger::OpenCall& call = node.call;
  Json json{{"at", call.at.ticks}};
  if (node.end) {
    const uint64_t inclusive = *node.end - call.at;
    json["end"] = node.end->ticks;
    json["inclusive"] = inclusive;
    json["exclusive"] = inclusive - std::min(inclusive, call.inside);  // another processor's calls may overlap it
  }
  json.update({{"vp", call.vp}, {"depth", call.depth}, {"from_vtl", static_cast<unsigned>(call.from)}, {"to_vtl", static_cast<unsigned>(call.to)},
               {"kind", word(call.kind)}, {"name", node.name}, {"text", node.text}});
  return json;
}

Answer calls(Desk& desk, const Parameters& parameters) {
  const debugger::views::CallsWanted wanted{parameters.integer("maximum", 1000), parameters.flag("hypercalls"), parameters.flag("enclosing")};
  const auto tree = debugger::views::call_tree(desk.session, instant(parameters, "from").value_or(Instant{}), instant(parameters, "to"), wanted,
                                               debugger::views::one_call);
  Json nodes = Json::array();
  for (const debugger::views::CallNode& node : tree.nodes) nodes.push_back(call_json(node));
  return unless_interrupted(desk, Json{{"calls", std::move(nodes)}, {"more", tree.more}, {"complete", tree.complete}});
}

// --- who wrote

Result<uint64_t, Refusal> needed_address(const Parameters& parameters) {
  const auto address = parameters.hex("address");
  if (address) return *address;
  return refuse(Code::InvalidParameters, "address is missing, or has more than 64 bits");
}

Result<debugger::Conditions, Refusal> memory_watches(Desk& desk, const View& view, const Parameters& parameters) {
  constexpr uint64_t longest = 65536;
  const uint64_t address = TRY(needed_address(parameters)), length = parameters.integer("length", 8);
  if (length < 1 || length > longest) return refuse(Code::InvalidParameters, fmt::format("length is {}; allowed: 1 to {}", length, longest));
  const std::string space = parameters.text("space");
  if (space == "spa") {
    debugger::Conditions watches = debugger::watch_spa(view.machine, abi::Spa{address}, length);
    if (watches.empty()) return refuse(Code::Refused, "the address is outside RAM");
    return watches;
  }
  if (space == "gpa") return or_refuse(debugger::watch_gpa(view.machine, view.focus.vtl, abi::Gpa{address}, length));
  const uint64_t root = TRY(desk.root(view, parameters)).value_or(view.context.cr3);
  return or_refuse(debugger::watch_gva(view.machine, view.focus.vtl, root, abi::Gva{address}, length));
}

Result<debugger::Conditions, Refusal> register_watch(const View& view, const Parameters& parameters) {
  const std::string name = parameters.text("register");
  const auto id = debugger::find_register(name);
  if (!id) return refuse(Code::NotThere, name.empty() ? "register is missing" : "there is no register " + name);
  return debugger::Conditions{debugger::RegisterWatch{*id, view.focus.vtl, view.focus.vp}};
}

/// Of up to 8 bytes as a number.
std::string value_text(const std::vector<uint8_t>& bytes) {
  if (bytes.size() > 8) return bytes_text(bytes);
  uint64_t number = 0;
  for (size_t i = bytes.size(); i-- > 0;) number = number << 8 | bytes[i];
  return hex(number);
}

Json answer_json(Desk& desk, const debugger::Answer& answer, std::string change) {
  const debugger::Hit& hit = answer.hit;
  desk.session.names().move_to(hit.at);
  if (change.empty()) change = value_text(hit.before) + " -> " + value_text(hit.after);
  const debugger::Place place = desk.session.names().place(hit.rip, hit.cr3);
  Json json{{"found", true},
            {"at", to_json(debugger::Focus{hit.at, hit.vp, hit.vtl, 0, {}})},
            {"place", to_json(place)},
            {"change", {{"before", bytes_text(hit.before)}, {"after", bytes_text(hit.after)}, {"text", change}}},
            {"between", hit.between}};
  if (answer.event) json["event"] = to_json(answer.event->view(), desk.session.names());
  json["text"] = fmt::format("{} at instant {}, VP {}, VTL {}, {}", change, hit.at.ticks, hit.vp, static_cast<unsigned>(hit.vtl), place.text);
  return json;
}

Answer who_wrote(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  debugger::Timeline& timeline = desk.session.timeline();
  const std::string what = parameters.text("what");
  std::optional<debugger::Answer> answer;
  std::string change;
  if (what == "slat") {
    const abi::Gpa gpa{TRY(needed_address(parameters))};
    auto found = TRY(or_refuse(debugger::last_permission_change(timeline, view.focus.vtl, gpa)));
    if (found) {
      change = fmt::format("rights of VTL {}: {} -> {}", static_cast<unsigned>(view.focus.vtl), debugger::rights_text(found->before), debugger::rights_text(found->after));
      answer = std::move(found->answer);
    }
  } else if (what == "pte") {
    const uint64_t level = parameters.integer("level", 1);
    if (level < 1 || level > 5) return refuse(Code::InvalidParameters, "a level is 1 to 5");
    const uint64_t root = TRY(desk.root(view, parameters)).value_or(view.context.cr3);
    const abi::Gva address{TRY(needed_address(parameters))};
    answer = TRY(or_refuse(debugger::last_mapping_change(timeline, view.focus.vtl, root, address, static_cast<uint8_t>(level))));
  } else {
    const debugger::Conditions watches = what == "register" ? TRY(register_watch(view, parameters)) : TRY(memory_watches(desk, view, parameters));
    answer = debugger::last_write(timeline, watches);
  }
  if (!answer) return unless_interrupted(desk, Json{{"found", false}, {"text", "nobody has written it since the run began"}});
  return answer_json(desk, *answer, std::move(change));
}

}  // namespace

void serve_events(Desk& desk) {
  serve(desk, "events.list", list);
  serve(desk, "events.slice", slice);
  serve(desk, "events.locate", locate);
  serve(desk, "events.count", count);
  serve(desk, "events.summary", summary);
  serve(desk, "calls", calls);
  serve(desk, "who_wrote", who_wrote);
}

}  // namespace rpc
