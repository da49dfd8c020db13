#include "sim/timing/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "sim/timing/cycle_trace.h"
#include "sim/trace/event_names.h"
#include "sim/trace/json_text.h"
#include "sim/trace/run_line.h"

namespace timing {
namespace {

using trace::grouped;
using trace::JsonLine;
using Out = std::back_insert_iterator<std::string>;

/// Whole cycles, rounded down, for tables.
std::string whole(Quarters quarters) { return grouped(quarters / quarters_per_cycle); }

struct Part {
  const char* name;
  const char* text;
  Quarters Charge::*member;
};
constexpr Part charge_parts[] = {
    {"base", "instructions themselves", &Charge::base},
    {"fetch", "waiting for code", &Charge::fetch},
    {"data", "waiting for data", &Charge::data},
    {"tlb", "second TLB level", &Charge::tlb},
    {"walk", "walks of page tables", &Charge::walk},
    {"system", "hypervisor, delivery of events", &Charge::system},
};

struct CallPart {
  const char* name;
  Quarters CallParts::*member;
};
constexpr CallPart call_parts[] = {
    {"entry", &CallParts::entry},   {"marshalling", &CallParts::marshalling}, {"work", &CallParts::work},
    {"hypervisor", &CallParts::hypervisor}, {"normal", &CallParts::normal},   {"walks", &CallParts::walks},
    {"exit", &CallParts::exit},
};

void heading(Out out, std::string_view text) { fmt::format_to(out, "\n{}\n", text); }

void append_totals(Out out, const Totals& totals) {
  const Quarters all = totals.total();
  const uint64_t hundredths =
      totals.instructions == 0 ? 0 : all * 100 / quarters_per_cycle / totals.instructions;
  fmt::format_to(out, "{} cycles for {} instructions: {}.{:02} each\n", whole(all), grouped(totals.instructions),
                 hundredths / 100, hundredths % 100);
  for (const Part& part : charge_parts)
    fmt::format_to(out, "  {:<34}{:>18}  {:>7}\n", part.text, whole(totals.charge.*part.member),
                   share_text(totals.charge.*part.member, all));
  if (totals.idle_ticks != 0) fmt::format_to(out, "  {:<34}{:>18}\n", "ticks in HLT, not charged", grouped(totals.idle_ticks));
  if (totals.unobserved != 0)
    fmt::format_to(out, "  {:<34}{:>18}\n", "instructions not shown, 1 cycle each", grouped(totals.unobserved));
}

void append_tlb(Out out, const char* name, const TlbTotals& tlb) {
  fmt::format_to(out, "  {:<10}{:>16}{:>12}{:>12}{:>14}\n", name, grouped(tlb.accesses),
                 share_text(tlb.first_hits, tlb.accesses), share_text(tlb.second_hits, tlb.accesses),
                 grouped(tlb.misses));
}

void append_levels(Out out, const char* name, const std::array<uint64_t, level_count>& levels) {
  uint64_t all = 0;
  for (const uint64_t count : levels) all += count;
  fmt::format_to(out, "  {:<10}{:>16}", name, grouped(all));
  for (const uint64_t count : levels) fmt::format_to(out, "{:>10}", share_text(count, all));
  fmt::format_to(out, "\n");
}

void append_memory(Out out, const Totals& totals) {
  heading(out, "TLB            accesses  first level      second        misses");
  append_tlb(out, "code", totals.code);
  append_tlb(out, "data", totals.data);
  heading(out, "Caches       references        L1        L2       LLC    memory    device");
  append_levels(out, "code", totals.code_levels);
  append_levels(out, "data", totals.data_levels);
  append_levels(out, "walks", totals.walk_levels);
  heading(out, "Walks by the references that they needed");
  for (size_t steps = totals.walks_by_steps.size(); steps-- != 0;)
    if (totals.walks_by_steps[steps] != 0)
      fmt::format_to(out, "  {:>4} {:>16}\n", steps, grouped(totals.walks_by_steps[steps]));
}

void append_events(Out out, const Totals& totals) {
  if (totals.events.empty()) return;
  heading(out, "Events that cost cycles             count            cycles     each");
  for (const auto& [kind, total] : totals.events)
    fmt::format_to(out, "  {:<24}{:>15}{:>18}{:>9}\n", trace::name_of(kind), grouped(total.count), whole(total.cost),
                   whole(total.cost / total.count));
  if (totals.interprocessor_interrupts != 0)
    fmt::format_to(out, "  {:<24}{:>15}\n", "interrupts sent", grouped(totals.interprocessor_interrupts));
}

void append_classes(Out out, const Totals& totals) {
  std::vector<size_t> order;
  for (size_t i = 0; i < totals.classes.size(); ++i)
    if (totals.classes[i].count != 0) order.push_back(i);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const Quarters left = totals.classes[a].cost, right = totals.classes[b].cost;
    return left != right ? left > right : a < b;
  });
  constexpr size_t shown = 12;
  heading(out, "Classes of instructions             count            cycles    share");
  for (size_t i = 0; i < std::min(shown, order.size()); ++i) {
    const ClassTotal& total = totals.classes[order[i]];
    fmt::format_to(out, "  {:<24}{:>15}{:>18}{:>9}\n", name_of(static_cast<InstructionClass>(order[i])),
                   grouped(total.count), whole(total.cost), share_text(total.cost, totals.total()));
  }
}

constexpr size_t name_width = 28;

std::string cut(const std::string& name) {
  return name.size() <= name_width ? name : name.substr(0, name_width - 3) + "...";
}

void append_parts(Out out, const CallParts& parts, uint64_t count) {
  for (const CallPart& part : call_parts) fmt::format_to(out, "{:>12}", whole(parts.*part.member / count));
  fmt::format_to(out, "\n");
}

void append_part_names(Out out) {
  for (const CallPart& part : call_parts) fmt::format_to(out, "{:>12}", part.name);
  fmt::format_to(out, "\n");
}

void append_calls(Out out, const CallLedger& ledger, Quarters all) {
  if (ledger.calls().empty()) return;
  heading(out, "Secure calls, the most expensive kind first; cycles of one call on average");
  fmt::format_to(out, "  {:<28}{:>6}{:>12}", "", "calls", "each");
  append_part_names(out);
  CallParts sum;
  for (const CallSummary& call : summarise(ledger.calls())) {
    sum += call.parts;
    fmt::format_to(out, "  {:<28}{:>6}{:>12}", cut(call.name), grouped(call.count),
                   whole(call.parts.total() / call.count));
    append_parts(out, call.parts, call.count);
  }
  fmt::format_to(out, "  {:<28}{:>6}{:>12}", "all of them, in sum", grouped(ledger.calls().size()), whole(sum.total()));
  append_parts(out, sum, 1);
  fmt::format_to(out, "  {} of the run's cycles", share_text(sum.total(), all));
  for (const auto& [vtl, outside] : ledger.outside())
    fmt::format_to(out, "; VTL {} outside of calls: {}", vtl, whole(outside));
  fmt::format_to(out, "\n");
  if (!ledger.has_symbols())
    fmt::format_to(out,
                   "  There were no symbols for ntoskrnl.exe or securekernel.exe: carrying the frames counts as work.\n");
}

void append_each(Out out, const CallLedger& ledger) {
  heading(out, "Every call, in order; cycles");
  fmt::format_to(out, "  {:>17} {:>13}  {:<28}{:>4}{:>12}", "cycle", "instant", "", "in", "total");
  append_part_names(out);
  for (const SecureCall& call : ledger.calls()) {
    fmt::format_to(out, "  {:>17} {:>13}  {:<28}{:>4}{:>12}", whole(call.start), grouped(call.first.ticks),
                   cut(call.name) + (call.finished ? "" : " ..."), call.switches, whole(call.parts.total()));
    append_parts(out, call.parts, 1);
  }
}

// --- JSON

std::string parts_json(const CallParts& parts) {
  JsonLine line;
  for (const CallPart& part : call_parts) line.raw(part.name, cycles_number(parts.*part.member));
  return line.raw("total", cycles_number(parts.total())).line();
}

std::string charge_json(const Charge& charge) {
  JsonLine line;
  for (const Part& part : charge_parts) line.raw(part.name, cycles_number(charge.*part.member));
  return line.line();
}

std::string tlb_json(const TlbTotals& tlb) {
  JsonLine line;
  line.number("accesses", tlb.accesses).number("first_hits", tlb.first_hits);
  return line.number("second_hits", tlb.second_hits).number("misses", tlb.misses).line();
}

std::string levels_json(const std::array<uint64_t, level_count>& levels) {
  JsonLine line;
  for (size_t i = 0; i < level_count; ++i) line.number(name_of(static_cast<Level>(i)), levels[i]);
  return line.line();
}

std::string steps_json(const Totals& totals) {
  JsonLine line;
  for (size_t i = 0; i < totals.walks_by_steps.size(); ++i)
    if (totals.walks_by_steps[i] != 0) line.number(fmt::format("{}", i), totals.walks_by_steps[i]);
  return line.line();
}

template <class Range, class ToJson>
std::string array_json(const Range& range, ToJson to_json) {
  std::string text;
  for (const auto& item : range) text += (text.empty() ? "\n  " : ",\n  ") + to_json(item);
  return fmt::format("[{}]", text);
}

std::string summary_json(const CallSummary& call) {
  JsonLine line;
  line.text("name", call.name).number("count", call.count).number("switches", call.switches);
  line.number("instructions", call.instructions).number("walks", call.walks).number("unfinished", call.unfinished);
  line.raw("fastest", cycles_number(call.fastest)).raw("slowest", cycles_number(call.slowest));
  return line.raw("cycles", parts_json(call.parts)).line();
}

std::string call_json(const SecureCall& call) {
  JsonLine line;
  line.text("name", call.name).number("tick", call.first.ticks).raw("cycle", cycles_number(call.start));
  line.number("vp", call.vp).number("switches", call.switches).number("instructions", call.instructions);
  line.number("walks", call.walk_count).boolean("finished", call.finished);
  return line.raw("cycles", parts_json(call.parts)).line();
}

std::string classes_json(const Totals& totals) {
  JsonLine line;
  for (size_t i = 0; i < totals.classes.size(); ++i) {
    if (totals.classes[i].count == 0) continue;
    JsonLine one;
    one.number("count", totals.classes[i].count).raw("cycles", cycles_number(totals.classes[i].cost));
    line.raw(name_of(static_cast<InstructionClass>(i)), one.line());
  }
  return line.line();
}

std::string events_json(const Totals& totals) {
  JsonLine line;
  for (const auto& [kind, total] : totals.events) {
    JsonLine one;
    one.number("count", total.count).raw("cycles", cycles_number(total.cost));
    line.raw(trace::name_of(kind), one.line());
  }
  return line.line();
}

}  // namespace

std::vector<CostShare> cost_shares(const Totals& totals) {
  std::vector<CostShare> rows;
  for (const Part& part : charge_parts) {
    const Quarters cost = totals.charge.*part.member;
    if (cost != 0) rows.push_back({part.text, cost, cost / quarters_per_cycle});
  }
  std::sort(rows.begin(), rows.end(), [](const CostShare& a, const CostShare& b) { return a.cost != b.cost ? a.cost > b.cost : a.text < b.text; });
  return rows;
}

std::string share_text(uint64_t part, uint64_t all) {
  const uint64_t permille = all == 0 ? 0 : part / all * 1000 + part % all * 1000 / all;
  return fmt::format("{}.{} %", permille / 10, permille % 10);
}

std::vector<CallSummary> summarise(const std::vector<SecureCall>& calls) {
  std::map<std::string, CallSummary> by_name;
  for (const SecureCall& call : calls) {
    CallSummary& sum = by_name[call.name];
    const Quarters total = call.parts.total();
    sum.name = call.name;
    sum.fastest = sum.count == 0 ? total : std::min(sum.fastest, total);
    sum.slowest = std::max(sum.slowest, total);
    ++sum.count;
    sum.switches += call.switches;
    sum.instructions += call.instructions;
    sum.walks += call.walk_count;
    sum.unfinished += call.finished ? 0 : 1;
    sum.parts += call.parts;
  }
  std::vector<CallSummary> result;
  for (auto& [name, sum] : by_name) result.push_back(std::move(sum));
  std::sort(result.begin(), result.end(), [](const CallSummary& a, const CallSummary& b) {
    const Quarters left = a.parts.total(), right = b.parts.total();
    return left != right ? left > right : a.name < b.name;
  });
  return result;
}

std::string report_text(const CycleModel& model, const CallLedger& ledger, ReportOptions options) {
  std::string text;
  const Out out{text};
  const Totals& totals = model.totals();
  append_totals(out, totals);
  append_calls(out, ledger, totals.total());
  if (options.each_call) append_each(out, ledger);
  append_events(out, totals);
  append_memory(out, totals);
  append_classes(out, totals);
  return text;
}

std::string report_json(const CycleModel& model, const CallLedger& ledger, ReportOptions options) {
  const Totals& totals = model.totals();
  JsonLine line;
  line.raw("cycles", cycles_number(totals.total())).number("instructions", totals.instructions);
  line.number("idle_ticks", totals.idle_ticks).number("unobserved", totals.unobserved);
  line.raw("parts", charge_json(totals.charge)).raw("classes", classes_json(totals));
  line.raw("events", events_json(totals)).number("interprocessor_interrupts", totals.interprocessor_interrupts);
  line.raw("tlb_code", tlb_json(totals.code)).raw("tlb_data", tlb_json(totals.data));
  line.raw("caches_code", levels_json(totals.code_levels)).raw("caches_data", levels_json(totals.data_levels));
  line.raw("caches_walks", levels_json(totals.walk_levels));
  line.number("walks", totals.walks).number("walk_references", totals.walk_steps);
  line.raw("walks_by_references", steps_json(totals)).boolean("symbols", ledger.has_symbols());
  line.raw("secure_calls", array_json(summarise(ledger.calls()), summary_json));
  if (options.each_call) line.raw("calls", array_json(ledger.calls(), call_json));
  return line.line() + "\n";
}

}  // namespace timing
