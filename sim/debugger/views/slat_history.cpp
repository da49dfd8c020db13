#include "sim/debugger/views/slat_history.h"

#include <algorithm>

#include "sim/debugger/views/eye.h"

namespace debugger::views {
namespace {

using abi::Gpa;
using abi::hv::Vtl;
using support::Instant;

/// By VTL, from 0 on.
using Mappings = std::vector<mmu::SlatMapping>;

Mappings mappings_of(const machine::Machine& machine, uint32_t vp, Gpa gpa) {
  Mappings out;
  for (const Vtl vtl : abi::hv::all_vtls) {
    const Eye looking = eye(machine, vp, vtl);
    out.push_back(looking.space.slat == nullptr ? mmu::SlatMapping{true, abi::Spa{gpa.value()}, mmu::all_rights} : looking.space.slat->lookup(gpa));
  }
  return out;
}

bool same(const mmu::SlatMapping& a, const mmu::SlatMapping& b) { return a.mapped == b.mapped && a.spa == b.spa && a.rights == b.rights; }

}  // namespace

/// The protections of the run, as far as it is known by now and was not read before.
void SlatHistory::learn() {
  Timeline& run = session_.timeline();
  if (run_ != run.epoch()) {
    run_ = run.epoch();
    known_ = {};
    list_.clear();
  }
  const Instant end = run.end();
  run.history().each(known_, end, set_of(support::EventKind::ProtectionChange), [&](const support::Event& event) {
    list_.push_back({event.at, event.vp, event.vtl, event.a / abi::page_size, event.b, event.rip});
  });
  known_ = std::max(known_, end);
}

bool SlatHistory::may_change(const Protection& one, uint64_t page) const { return page - one.first < one.count; }

SlatHistory::Changes SlatHistory::of(Gpa gpa, uint32_t vp, Instant before, size_t maximum) {
  learn();
  Changes out;
  Timeline& run = session_.timeline();
  gpa = gpa.page_base();
  for (auto one = list_.rbegin(); one != list_.rend(); ++one) {
    if (one->at >= before || !may_change(*one, gpa.page_number())) continue;
    if (run.seek(one->at) != Arrival::There) break;
    const Mappings then = mappings_of(run.machine(), vp, gpa);
    if (run.seek(one->at + 1) != Arrival::There) break;
    const Mappings now = mappings_of(run.machine(), vp, gpa);
    for (size_t i = 0; i < then.size(); ++i) {
      if (same(then[i], now[i])) continue;
      if (out.list.size() == maximum) {
        out.more = true;
        return out;
      }
      out.list.push_back({one->at, one->vp, one->vtl, static_cast<Vtl>(i), then[i], now[i], one->rip});
    }
  }
  return out;
}

std::string rights_words(const mmu::SlatMapping& mapping) {
  if (!mapping.mapped) return "unmapped";
  const std::pair<bool, std::string_view> rights[] = {{mapping.rights.read, "r"}, {mapping.rights.write, "w"},
                                                      {mapping.rights.kernel_execute, "kx"}, {mapping.rights.user_execute, "ux"}};
  std::string text;
  for (const auto& [has, word] : rights) {
    if (!has) continue;
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text.empty() ? "-" : text;
}

}  // namespace debugger::views
