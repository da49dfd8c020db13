#include "sim/timing/shadow_paging.h"

#include <algorithm>

namespace timing {
namespace {

/// Shadow tables live where no RAM is, so that they meet the guest's data only in the caches.
constexpr uint64_t shadow_memory = uint64_t{1} << 45;

Quarters note(ExitCount& counter, Quarters cost) {
  ++counter.count;
  counter.cost += cost;
  return cost;
}

unsigned leaf_level(const Walk& walk) { return (walk.page_shift - 12u) / 9 + 1; }

}  // namespace

ShadowPaging::Entry* ShadowPaging::find(Space& space, uint64_t gva) {
  for (const uint8_t shift : {uint8_t{12}, uint8_t{21}, uint8_t{30}}) {
    const auto found = space.entries.find({shift, gva >> shift});
    if (found != space.entries.end()) return &found->second;
  }
  return nullptr;
}

uint64_t ShadowPaging::table_address(Space& space, unsigned level, uint64_t gva) {
  const auto shift = static_cast<uint8_t>(12 + 9 * level);  // a table of this level covers 2^shift bytes
  const auto [at, made] = space.tables.try_emplace(
      PageKey{shift, gva >> shift}, shadow_memory + counts_.shadow_pages * 4096);
  if (made) ++counts_.shadow_pages;
  return at->second + ((gva >> (shift - 9)) & 511) * 8;
}

void ShadowPaging::walk_shadow(Space& space, WalkCost& cost, Caches& caches) {
  const unsigned leaf = leaf_level(cost.walk);
  Walk shadow = cost.walk;
  shadow.count = 0;
  cost.assist = 0;
  cost.total = 0;
  for (unsigned level = 4; level >= leaf; --level) {
    const uint64_t address = table_address(space, level, cost.walk.gva);
    shadow.list[shadow.count] = {false, static_cast<uint8_t>(level), level == leaf, address, 0};
    cost.levels[shadow.count] = caches.walk(address);
    cost.total += cycles(latency_of(costs_, cost.levels[shadow.count]));
    ++shadow.count;
  }
  cost.walk = shadow;
}

Quarters ShadowPaging::hidden_fault(Space& space, const SpaceKey& key, TlbTag tag, const WalkCost& cost,
                                    Caches& caches) {
  const Walk& walk = cost.walk;
  const PageKey page{walk.page_shift, walk.gva >> walk.page_shift};
  Quarters spent = cycles(costs_.vm_exit + costs_.shadow_fill);
  for (const WalkStep& step : walk.steps()) {
    if (step.second_stage) continue;
    spent += cycles(latency_of(costs_, caches.walk(step.address)));  // the hypervisor reads the guest's entry
    GuestTable& table = tables_[step.gpa >> 12];
    table.writes = 0;
    table.dependents[step.gpa & ~uint64_t{7}].insert({key, page});
  }
  space.entries[page] = {tag.pcid, walk.dirty && walk.writable, walk.gpa & ~((uint64_t{1} << walk.page_shift) - 1)};
  return spent;
}

Quarters ShadowPaging::miss(TlbTag tag, uint64_t cr3, WalkCost& cost, Caches& caches) {
  const SpaceKey key{tag.vtl, cr3 & ~uint64_t{0xfff}};
  Space& space = spaces_[key];
  if (!cost.walk.granted) {  // the fault's own event pays for the exit
    cost.walk.count = 0;
    cost.total = 0;
    return 0;
  }
  Entry* entry = find(space, cost.walk.gva);
  const bool write = cost.walk.kind == mmu::AccessKind::Write;
  const bool refused = entry != nullptr && write && !entry->writable;
  Quarters spent = 0;
  if (entry == nullptr || refused) {
    spent = note(refused ? counts_.dirty_faults : counts_.hidden_faults,
                 hidden_fault(space, key, tag, cost, caches));
    entry = find(space, cost.walk.gva);
  }
  cost.walk.dirty = entry != nullptr && entry->writable;
  walk_shadow(space, cost, caches);
  return spent;
}

Quarters ShadowPaging::drop(const std::set<EntryKey>& entries, Dropped& dropped) {
  Quarters spent = 0;
  for (const auto& [key, page] : entries) {
    const auto space = spaces_.find(key);
    if (space == spaces_.end()) continue;
    const auto entry = space->second.entries.find(page);
    if (entry == space->second.entries.end()) continue;
    dropped.push_back({{key.first, entry->second.pcid}, page.second << page.first});
    space->second.entries.erase(entry);
    ++counts_.dropped_entries;
    spent += cycles(costs_.shadow_drop);
  }
  return spent;
}

Quarters ShadowPaging::write(uint64_t gpa, uint16_t size, Dropped& dropped) {
  const auto table = tables_.find(gpa >> 12);
  if (table == tables_.end()) return 0;
  Quarters spent = cycles(costs_.vm_exit + costs_.shadow_table_write);
  auto& dependents = table->second.dependents;
  const uint64_t end = gpa + std::max<uint16_t>(size, 1);
  for (auto at = dependents.lower_bound(gpa & ~uint64_t{7}); at != dependents.end() && at->first < end;) {
    spent += drop(at->second, dropped);
    at = dependents.erase(at);
  }
  if (++table->second.writes >= costs_.shadow_flood && gives_up_) {
    for (const auto& [entry, pages] : dependents) spent += drop(pages, dropped);
    tables_.erase(table);
    ++counts_.unprotected_tables;
  }
  return note(counts_.table_writes, spent);
}

Quarters ShadowPaging::load_cr3() {
  return note(counts_.cr3_loads, cycles(costs_.vm_exit + costs_.shadow_switch));
}

Quarters ShadowPaging::invalidate_address(TlbTag tag, uint64_t cr3, uint64_t gva) {
  Quarters spent = cycles(costs_.vm_exit);
  const auto space = spaces_.find({tag.vtl, cr3 & ~uint64_t{0xfff}});
  if (space != spaces_.end()) {
    for (const uint8_t shift : {uint8_t{12}, uint8_t{21}, uint8_t{30}}) {
      if (space->second.entries.erase({shift, gva >> shift}) == 0) continue;
      ++counts_.dropped_entries;
      spent += cycles(costs_.shadow_drop);
    }
  }
  return note(counts_.invalidations, spent);
}

Quarters ShadowPaging::reflect_fault() {
  return note(counts_.reflected_faults, cycles(costs_.vm_exit + costs_.shadow_reflect));
}

void ShadowPaging::protection_changed(uint8_t below_vtl, uint64_t first_gpa, uint64_t pages) {
  const uint64_t end = pages > (~first_gpa >> 12) ? ~uint64_t{0} : first_gpa + (pages << 12);
  for (auto& [key, space] : spaces_) {
    if (key.first >= below_vtl) continue;
    counts_.dropped_entries += std::erase_if(space.entries, [&](const auto& item) {
      const uint64_t bytes = uint64_t{1} << item.first.first;
      return item.second.gpa < end && item.second.gpa + bytes > first_gpa;
    });
  }
}

}  // namespace timing
