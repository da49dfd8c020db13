// Steps and runs in both directions, and how a client hears where they ended.
#include <fmt/format.h>

#include <algorithm>

#include "sim/faces/gdb/stub.h"
#include "sim/faces/gdb/target_description.h"

namespace faces::gdb {
namespace {

constexpr int sigint = 2, sigtrap = 5;

/// vCont's actions: what is asked of one thread, and whether the others may run meanwhile.
struct Actions {
  std::optional<std::string_view> step;  ///< id of the thread, empty: the selected one
  bool others{}, understood{true};
};

Actions parse_actions(std::string_view rest) {
  Actions actions;
  Fields fields{rest};
  while (!fields.empty()) {
    Fields action{fields.until(';')};
    const std::string_view kind = action.until(':');
    const char letter = kind.empty() ? '\0' : kind.front();
    if (letter == 's' || letter == 'S') {
      if (!actions.step) actions.step = action.rest();
    } else if (letter == 'c' || letter == 'C') {
      actions.others |= action.empty() || action.rest().ends_with("-1");
    } else {
      actions.understood = false;
    }
  }
  return actions;
}

}  // namespace

Reply Stub::why_stopped(std::string_view) { return stop_reply(target_.stop(), target_.stop().thread); }

Reply Stub::run_kinds(std::string_view) { return "vCont;c;C;s;S"; }

Reply Stub::resume(std::string_view rest) {
  const Actions actions = parse_actions(rest);
  if (rest.empty() || !actions.understood) return wrong("vCont knows c, C, s and S");
  if (!actions.step) return run(false);
  const auto thread = parse_id(actions.step->empty() ? "0" : *actions.step, target_.stop().thread);
  if (!thread || !target_.exists(*thread)) return wrong("there is no such thread");
  return step(*thread, false, !actions.others && !actions.step->empty());
}

Reply Stub::run_on(std::string_view rest) {
  return rest.empty() ? run(false) : wrong("c goes on from where it stands");
}
Reply Stub::step_on(std::string_view rest) {
  return rest.empty() ? step(moving_, false, moving_only_) : wrong("s goes on from where it stands");
}
Reply Stub::step_back(std::string_view) { return step(moving_, true, moving_only_); }
Reply Stub::run_back(std::string_view) { return run(true); }

Reply Stub::step(Thread thread, bool back, bool only) {
  // To get off a breakpoint gdb steps one thread alone. A level that waits cannot move alone, and comes to its
  // breakpoint when it is entered. lldb always steps one alone, and would ask again until the thread has moved.
  if (only && !lldb_ && !target_.active(thread)) return stop_reply(target_.stop(), thread);
  in_motion_ = true;
  if (!target_.active(thread)) return arrived(step_inactive(thread, back), thread);
  const Done chosen = target_.choose(thread);
  if (!chosen) return arrived(chosen.error());
  const Answered<Stop> stop = target_.step(back);
  // Off a breakpoint gdb expects to hear of the thread that it stepped.
  const bool keeps = only && !lldb_ && stop.ok() && stop.value().reason == "step" && target_.exists(thread);
  return arrived(stop, keeps ? std::optional{thread} : std::nullopt);
}

/// A level that waits goes on when its processor enters it: on to there, and then the step.
Answered<Stop> Stub::step_inactive(Thread thread, bool back) {
  const uint64_t entered = TRY(target_.set_breakpoint(
      {{"kind", "vtl"}, {"what", std::to_string(thread.vtl)}, {"vp", thread.vp}}));
  const Answered<Stop> stop = target_.run(back);
  target_.remove_breakpoint(entered);
  if (!stop) return stop.error();
  const auto& met = stop.value().breakpoints;
  const bool is_there = met.size() == 1 && met.front() == entered;
  if (!is_there || !target_.active(thread)) return stop;
  return target_.step(back);
}

Reply Stub::run(bool back) {
  in_motion_ = true;
  return arrived(target_.run(back));
}

Reply Stub::arrived(const Answered<Stop>& stop, std::optional<Thread> reported) {
  if (stop.ok() && (stop.value().reason == "event" || !stop.value().ending.empty())) print(stop.value().text + "\n");
  in_motion_ = false;
  if (!stop) return refusal(stop.error());
  const Thread thread = reported && stop.value().reason == "step" ? *reported : stop.value().thread;
  general_ = moving_ = thread;
  moving_only_ = false;
  return stop_reply(stop.value(), thread);
}

std::string Stub::stop_cause(const Stop& stop) const {
  const bool at_beginning = stop.reason == "beginning";
  if (at_beginning || stop.reason == "end") {
    // lldb knows no history, and goes on stepping until something happened.
    if (lldb_) return "reason:exception;description:" + to_hex(stop.text) + ";";
    return at_beginning ? "replaylog:begin;" : "replaylog:end;";
  }
  std::string cause;
  for (const auto& [point, ids] : points_) {
    const bool met = std::any_of(ids.begin(), ids.end(), [&](uint64_t id) {
      return std::find(stop.breakpoints.begin(), stop.breakpoints.end(), id) != stop.breakpoints.end();
    });
    if (!met) continue;
    constexpr std::string_view watches[] = {"", "", "watch", "rwatch", "awatch"};
    if (point.type >= 2) return fmt::format("{}:{:x};", watches[point.type], point.address);
    if (point.type == 0 && swbreak_) cause = "swbreak:;";
    if (point.type == 1 && hwbreak_) cause = "hwbreak:;";
  }
  return cause;
}

std::string Stub::stop_reply(const Stop& stop, Thread thread) {
  const int signal = stop.reason == "interrupted" ? sigint : sigtrap;
  return state_of(thread, signal, thread == stop.thread ? stop_cause(stop) : "");
}

std::string Stub::state_of(Thread thread, int signal, std::string_view cause) {
  std::string reply = fmt::format("T{:02x}{}", signal, cause);
  reply += fmt::format("thread:{};core:{:x};", id(thread), thread.vp);
  if (lldb_) reply += fmt::format("name:{};", thread_name(thread));
  if (list_threads_) {
    std::string ids;
    for (const Thread known : target_.threads()) ids += (ids.empty() ? "" : ",") + id(known);
    reply += "threads:" + ids + ";";
  }
  for (const size_t number : {rbp_number, rsp_number, rip_number}) {
    const auto digits = register_digits(thread, number);
    if (digits && is_known(digits.value())) reply += fmt::format("{:02x}:{};", number, digits.value());
  }
  return reply;
}

}  // namespace faces::gdb
