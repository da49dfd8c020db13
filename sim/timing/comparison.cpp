#include "sim/timing/comparison.h"

#include <fmt/format.h>

#include <iterator>

#include "sim/support/check.h"
#include "sim/timing/cycle_trace.h"
#include "sim/trace/json_text.h"
#include "sim/trace/run_line.h"

namespace timing {
namespace {

using trace::grouped;
using trace::JsonLine;

std::string whole(Quarters quarters) { return grouped(quarters / quarters_per_cycle); }

struct Row {
  const char* key;
  const char* text;
  ExitCount ShadowCounts::*member;
};
constexpr Row exits[] = {
    {"table_writes", "writes to page tables", &ShadowCounts::table_writes},
    {"cr3_loads", "MOV to CR3", &ShadowCounts::cr3_loads},
    {"invalidations", "INVLPG", &ShadowCounts::invalidations},
    {"hidden_faults", "pages that the shadow lacked", &ShadowCounts::hidden_faults},
    {"dirty_faults", "first writes to clean pages", &ShadowCounts::dirty_faults},
    {"reflected_faults", "page faults of the guest itself", &ShadowCounts::reflected_faults},
};

/// "12.34".
std::string ratio(uint64_t a, uint64_t b) {
  if (b == 0) return "-";
  const uint64_t hundredths = a / b * 100 + a % b * 100 / b;
  return fmt::format("{}.{:02}", hundredths / 100, hundredths % 100);
}

Quarters paging_cost(const CycleModel& model) {
  return model.totals().charge.walk + (model.shadow() != nullptr ? model.shadow()->exit_cost() : 0);
}

std::string side_json(const CycleModel& model) {
  const Totals& totals = model.totals();
  JsonLine line;
  line.raw("cycles", cycles_number(totals.total())).raw("paging_cycles", cycles_number(paging_cost(model)));
  line.number("walks", totals.walks).number("walk_references", totals.walk_steps);
  line.raw("walk_cycles", cycles_number(totals.charge.walk));
  const ShadowCounts* counts = model.shadow();
  line.number("exits", counts != nullptr ? counts->exits() : 0);
  if (counts == nullptr) return line.line();
  for (const Row& each : exits) {
    JsonLine one;
    one.number("count", (counts->*each.member).count).raw("cycles", cycles_number((counts->*each.member).cost));
    line.raw(each.key, one.line());
  }
  line.number("dropped_entries", counts->dropped_entries).number("tables_given_up", counts->unprotected_tables);
  return line.number("shadow_pages", counts->shadow_pages).line();
}

}  // namespace

std::string comparison_text(const Comparison& models) {
  CHECK(models.shadow.shadow() != nullptr && models.giving_up.shadow() != nullptr);
  const ShadowCounts& strict = *models.shadow.shadow();
  const ShadowCounts& lazy = *models.giving_up.shadow();
  const Totals& a = models.slat.totals();
  const Totals& b = models.shadow.totals();
  const Totals& c = models.giving_up.totals();
  std::string text;
  const auto out = std::back_inserter(text);
  const auto row = [&](std::string_view name, std::string_view slat, std::string_view first, std::string_view second) {
    fmt::format_to(out, "  {:<36}{:>16}{:>18}{:>18}\n", name, slat, first, second);
  };
  const auto count = [&](std::string_view name, uint64_t slat, uint64_t first, uint64_t second) {
    row(name, grouped(slat), grouped(first), grouped(second));
  };
  const auto cost = [&](std::string_view name, Quarters slat, Quarters first, Quarters second) {
    row(name, whole(slat), whole(first), whole(second));
  };
  fmt::format_to(out, "\nThe same guest work with SLAT and with shadow paging\n");
  row("", "SLAT", "shadow paging", "... giving up");
  row("", "", "every write traps", "busy tables");
  count("exits for paging", 0, strict.exits(), lazy.exits());
  for (const Row& each : exits)
    count(fmt::format("  {}", each.text), 0, (strict.*each.member).count, (lazy.*each.member).count);
  cost("cycles of these exits", 0, strict.exit_cost(), lazy.exit_cost());
  for (const Row& each : exits)
    cost(fmt::format("  {}", each.text), 0, (strict.*each.member).cost, (lazy.*each.member).cost);
  count("walks", a.walks, b.walks, c.walks);
  count("references of walks", a.walk_steps, b.walk_steps, c.walk_steps);
  cost("cycles of walks", a.charge.walk, b.charge.walk, c.charge.walk);
  const Quarters slat = paging_cost(models.slat), first = paging_cost(models.shadow), second = paging_cost(models.giving_up);
  cost("cycles of paging: walks and exits", slat, first, second);
  row("  times those of SLAT", "", ratio(first, slat), ratio(second, slat));
  cost("cycles of the run", a.total(), b.total(), c.total());
  row("  times those of SLAT", "", ratio(b.total(), a.total()), ratio(c.total(), a.total()));
  count("shadow entries dropped", 0, strict.dropped_entries, lazy.dropped_entries);
  count("guest tables given up", 0, strict.unprotected_tables, lazy.unprotected_tables);
  count("pages that the shadow tables take", 0, strict.shadow_pages, lazy.shadow_pages);
  return text;
}

std::string comparison_json(const Comparison& models) {
  CHECK(models.shadow.shadow() != nullptr && models.giving_up.shadow() != nullptr);
  JsonLine line;
  line.raw("slat", side_json(models.slat)).raw("shadow", side_json(models.shadow));
  return line.raw("shadow_giving_up", side_json(models.giving_up)).line() + "\n";
}

}  // namespace timing
