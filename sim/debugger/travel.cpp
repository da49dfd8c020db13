// Runs of a session in both directions, to breakpoints and to what a motion itself looks for.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/debugger/answer_text.h"
#include "sim/debugger/goal.h"

namespace debugger {
namespace {

using support::Error;
using support::Result;

StopReason reason_of(const Condition& condition) {
  if (std::holds_alternative<EventBreak>(condition)) return StopReason::Event;
  if (is_watch(condition) || std::holds_alternative<AccessWatch>(condition)) return StopReason::Watchpoint;
  return StopReason::Breakpoint;
}

}  // namespace

Session::Goal Session::goal_of(const Conditions& special, bool with_breakpoints) {
  Goal goal;
  for (const Condition& condition : special) {
    goal.owners.push_back({Goal::Owner::Special, static_cast<uint32_t>(goal.conditions.size())});
    goal.conditions.push_back(condition);
  }
  if (!with_breakpoints) return goal;
  names_.move_to(timeline().now());
  Armed armed = breakpoints_.arm({timeline().machine(), names_, types_, focus_});
  for (size_t i = 0; i < armed.conditions.size(); ++i) {
    goal.owners.push_back({Goal::Owner::Breakpoint, armed.ids[i]});
    goal.conditions.push_back(std::move(armed.conditions[i]));
  }
  if (armed.names_matter) {
    goal.owners.push_back({Goal::Owner::Names, 0});
    goal.conditions.emplace_back(EventBreak{.filter = Names::changes_names});
  }
  return goal;
}

/// Counts a hit for whom it is; true if the motion ends with it.
bool Session::counts(const Hit& hit, const Goal& goal, Outcome& outcome) {
  std::vector<size_t> met{hit.condition};
  met.insert(met.end(), hit.also.begin(), hit.also.end());
  std::vector<uint32_t> ids;
  for (const size_t index : met) {
    const Goal::Whose& whose = goal.owners[index];
    if (whose.owner == Goal::Owner::Special && !outcome.special) outcome.special = whose.number;
    if (whose.owner == Goal::Owner::Breakpoint && std::find(ids.begin(), ids.end(), whose.number) == ids.end())
      ids.push_back(whose.number);
    if (whose.owner == Goal::Owner::Breakpoint && !outcome.special) outcome.reason = reason_of(goal.conditions[index]);
  }
  for (const uint32_t id : ids)
    if (breakpoints_.met(id)) outcome.ids.push_back(id);
  return outcome.special.has_value() || !outcome.ids.empty();
}

/// The machine goes to where the motion ends, and the focus with it. Breakpoints of code that are there too, behind a
/// watchpoint's instruction, are named with it.
void Session::arrive(Instant position, const Goal& goal, Outcome& outcome) {
  (void)timeline().seek(position);
  settle_focus();
  const Hit& hit = *outcome.hit;
  focus_.vp = hit.vp;
  focus_.vtl = timeline().machine().processor(hit.vp).active;
  if (reason_of(goal.conditions[hit.condition]) != StopReason::Watchpoint || position == hit.at) return;
  const vtl::VirtualProcessor& vp = timeline().machine().processor(hit.vp);
  Hit there = hit;
  there.at = position;
  there.vtl = vp.active;
  for (size_t i = 0; i < goal.conditions.size(); ++i) {
    const auto* code = std::get_if<AddressBreak>(&goal.conditions[i]);
    const bool known = std::find(outcome.ids.begin(), outcome.ids.end(), goal.owners[i].number) != outcome.ids.end();
    if (code == nullptr || goal.owners[i].owner != Goal::Owner::Breakpoint || known) continue;
    const vtl::VtlContext& context = vp.context();
    if (code->rip != context.rip || code->vtl.value_or(vp.active) != vp.active) continue;
    if (code->cr3.value_or(context.cr3) != context.cr3 || code->vp.value_or(vp.number) != vp.number) continue;
    if (code->check && !code->check(timeline().machine(), there)) continue;
    if (breakpoints_.met(goal.owners[i].number)) outcome.ids.push_back(goal.owners[i].number);
  }
}

Session::Outcome Session::nothing_found(bool back, Instant from) {
  Timeline& run = timeline();
  const bool interrupted = interrupted_.exchange(false);
  const Instant reached = run.now();
  if (interrupted) (void)run.seek(back || reached < from ? from : reached);
  else (void)run.seek(back ? run.beginning() : support::never);
  settle_focus();
  return {interrupted ? StopReason::Interrupted : back ? StopReason::Beginning : StopReason::End, {}, {}, {}, false};
}

/// From the focus on, or back, to the first thing that counts.
Session::Outcome Session::travel(bool back, const Conditions& special, bool with_breakpoints) {
  Timeline& run = timeline();
  (void)run.seek(focus_.at);
  const Instant start = focus_.at;
  Instant from = start;
  Goal goal = goal_of(special, with_breakpoints);
  for (;;) {
    std::optional<Hit> hit = back ? run.find_previous(goal.conditions, from) : run.find_next(goal.conditions, from);
    if (!hit) return nothing_found(back, start);
    Outcome outcome;
    const Instant position = back ? hit->at : position_after(*hit, goal.conditions);
    const bool ends = counts(*hit, goal, outcome);
    const auto is_names = [&](size_t index) { return goal.owners[index].owner == Goal::Owner::Names; };
    const bool names = is_names(hit->condition) || std::any_of(hit->also.begin(), hit->also.end(), is_names);
    outcome.hit = std::move(hit);
    if (ends) {
      outcome.of_code = std::holds_alternative<AddressBreak>(goal.conditions[outcome.hit->condition]);
      arrive(position, goal, outcome);
      return outcome;
    }
    from = position;
    if (!names) continue;
    (void)run.seek(back ? position : position + 1);  // where the names are others
    goal = goal_of(special, with_breakpoints);
  }
}

Stop Session::describe(Outcome&& outcome) {
  Stop stop = describe(outcome.reason);
  stop.breakpoints = std::move(outcome.ids);
  if (!outcome.hit) return stop;
  Hit& hit = *outcome.hit;
  if (!hit.before.empty()) {
    std::string text = fmt::format("{} -> {}", value_text(hit.before), value_text(hit.after));
    stop.change = Change{std::move(hit.before), std::move(hit.after), std::move(text)};
  }
  stop.event = std::move(hit.event);
  // The first instruction of a handler: what leads to it is delivered at this instant, and a position is before that.
  const bool of_handler = outcome.of_code && hit.rip != stop.place.address;
  if (of_handler) {
    const std::string interrupted = stop.place.text;
    stop.place = names_.place(hit.rip, hit.cr3);
    stop.text = fmt::format("{} is next, by a delivery before {}, instant {}, VP {}, VTL {}.", stop.place.text, interrupted,
                            focus_.at.ticks, focus_.vp, static_cast<unsigned>(focus_.vtl));
  }
  if (!stop.breakpoints.empty())
    stop.text = fmt::format("Breakpoint {}: {}", fmt::join(stop.breakpoints, ", "), stop.text);
  return stop;
}

/// An address in all address spaces that have it.
Result<Conditions> Session::places(const std::string& text) {
  Breakpoints one;
  (void)TRY(one.set({.kind = BreakpointKind::Code, .what = text, .vtl = {}, .vp = {}, .process = {}, .condition = {}}, context()));
  Armed armed = one.arm(context());
  if (armed.conditions.empty()) return Error{fmt::format("{}: {}", text, one.list().front().text)};
  return std::move(armed.conditions);
}

Result<Condition> Session::query(const std::string& text) {
  auto compiled = compile(text, focus_, true);
  if (!compiled) return Error{fmt::format("{} (column {}): {}", text, compiled.error().column, compiled.error().message)};
  if (compiled.value().type() == ValueType::Text) return Error{fmt::format("{}: a text is no query", text)};
  const Expression query = std::move(compiled.value());
  if (!query.uses_state() && !query.uses_names()) {
    return Condition{EventBreak{.filter = [query](const support::Event& event) {
      return query.holds({.machine = nullptr, .event = &event, .names = nullptr});
    }}};
  }
  return Condition{EventBreak{.filter = [](const support::Event&) { return true; },
                              .check = [query, names = &names_](const machine::Machine& machine, const Hit& hit) {
                                names->move_to(hit.at);
                                const support::Event event = hit.event->view();
                                return query.holds({.machine = &machine, .event = &event, .names = names, .vp = hit.vp,
                                                    .vtl = hit.vtl});
                              }}};
}

Result<Stop> Session::run(const RunRequest& request) {
  if (interrupted_.exchange(false)) return describe(StopReason::Interrupted);
  (void)look();
  Conditions special;
  if (!request.to.empty()) special = TRY(places(request.to));
  const size_t queries = special.size();
  if (!request.until.empty()) special.push_back(TRY(query(request.until)));
  Outcome outcome = travel(request.back, special, request.breakpoints);
  if (outcome.special) outcome.reason = *outcome.special >= queries ? StopReason::Event : StopReason::Place;
  return describe(std::move(outcome));
}

}  // namespace debugger
