#include "sim/debugger/questions.h"

#include <fmt/format.h>

#include <algorithm>

#include "mmu/explain.h"
#include "sim/loader/byte_view.h"

namespace debugger {
namespace {

using mmu::SlatMapping;
using support::Error;
using support::Result;

/// A and D of a stage-1 entry, bits 5 and 6.
constexpr uint64_t set_by_the_processor = 0x60;

/// Calls `add` with each piece of [first, first + bytes) that lies in one page.
template <class Add>
support::Status by_page(uint64_t first, uint64_t bytes, const Add& add) {
  for (uint64_t done = 0; done < bytes;) {
    const uint64_t at = first + done;
    const uint64_t part = std::min(bytes - done, abi::page_size - at % abi::page_size);
    TRY(add(at, part));
    done += part;
  }
  return support::Unit{};
}

/// Events by how much they explain about a change of memory at their instant.
unsigned weight(const support::Event& event) {
  using enum support::EventKind;
  switch (event.kind) {
    case ProtectionChange: return 6;
    case Hypercall: return 5;
    case VtlEnabled:
    case HypervisorLaunched:
    case MsrWrite: return 4;
    case Intercept: return 3;
    case VtlInterruptEntry:
    case Interrupt:
    case Exception: return 2;
    case VtlCall:
    case VtlReturn: return 1;
    default: return 0;
  }
}

std::optional<trace::EventRecord> explanation(History& history, Instant at) {
  std::optional<trace::EventRecord> best;
  unsigned best_weight = 0;
  const EventFilter collect = [&](const support::Event& event) {
    if (event.at > at) return true;
    if (weight(event) <= best_weight) return false;
    best_weight = weight(event);
    best = trace::EventRecord{.event = event, .has_frame = event.frame != nullptr, .frame = {}, .text = std::string{event.text}};
    if (event.frame != nullptr) std::copy_n(event.frame, best->frame.size(), best->frame.begin());
    best->event.frame = nullptr;
    best->event.text = {};
    return false;
  };
  (void)history.first(at, collect);
  return best;
}

const mmu::Slat* slat_of(const machine::Machine& machine, Vtl vtl) { return machine.view(vtl).slat; }

/// Address of the SLAT entry that decides about `gpa`.
Result<Spa> slat_entry(const machine::Machine& machine, Vtl vtl, Gpa gpa) {
  const mmu::PhysicalMemory& memory = machine.translator().memory();
  const mmu::Slat* slat = slat_of(machine, vtl);
  if (slat == nullptr || slat->root() == Spa{})
    return Error{fmt::format("VTL {} has no second stage at this point of the run", static_cast<unsigned>(vtl))};
  Spa table = slat->root();
  for (unsigned level = 4;; --level) {
    const Spa entry = table + (gpa.value() >> (12 + 9 * (level - 1)) & 511) * 8;
    if (!memory.contains(entry, 8)) return Error{fmt::format("the second stage leads out of memory at {:#x}", entry.value())};
    const auto value = memory.read<uint64_t>(entry);
    const bool large = (value & 0x80) != 0;
    const Spa next{value & 0x000ffffffffff000};
    if (level == 1 || large || next == Spa{}) return entry;
    table = next;
  }
}

bool same_mapping(const SlatMapping& a, const SlatMapping& b) {
  return a.mapped == b.mapped && a.rights == b.rights && a.spa == b.spa;
}

}  // namespace

Conditions watch_spa(const machine::Machine& machine, Spa first, uint64_t bytes) {
  Conditions watches;
  if (bytes == 0 || !machine.translator().memory().contains(first, bytes)) return watches;
  (void)by_page(first.value(), bytes, [&](uint64_t at, uint64_t part) -> support::Status {
    watches.push_back(MemoryWatch{.first = Spa{at}, .bytes = part, .ignore = 0});
    return support::Unit{};
  });
  return watches;
}

Result<Conditions> watch_gpa(const machine::Machine& machine, Vtl vtl, Gpa first, uint64_t bytes) {
  Conditions watches;
  const mmu::PhysicalMemory& memory = machine.translator().memory();
  TRY(by_page(first.value(), bytes, [&](uint64_t at, uint64_t part) -> support::Status {
    const mmu::Slat* slat = slat_of(machine, vtl);
    const Spa spa = slat != nullptr ? slat->lookup(Gpa{at}).spa : Spa{at};
    if ((slat != nullptr && !slat->lookup(Gpa{at}).mapped) || !memory.contains(spa, part))
      return Error{fmt::format("guest physical address {:#x} is no memory of VTL {}", at, static_cast<unsigned>(vtl))};
    watches.push_back(MemoryWatch{.first = spa, .bytes = part, .ignore = 0});
    return support::Unit{};
  }));
  return watches;
}

Result<Conditions> watch_gva(const machine::Machine& machine, Vtl vtl, std::optional<uint64_t> cr3, Gva first,
                             uint64_t bytes) {
  Conditions watches;
  const mmu::AddressSpace space = machine.view(vtl, cr3);
  TRY(by_page(first.value(), bytes, [&](uint64_t at, uint64_t part) -> support::Status {
    const mmu::WalkReport report = mmu::explain(machine.translator(), space, {.address = Gva{at}});
    Spa spa;
    if (report.result.ok && report.result.translation.ram) {
      spa = report.result.translation.spa;
    } else {
      // What stage 2 refuses to this VTL lies somewhere all the same.
      const bool refused = !report.result.ok && report.result.fault.kind == mmu::FaultKind::SlatViolation &&
                           !report.result.fault.paging_structure;
      const SlatMapping mapping = refused ? space.slat->lookup(report.result.fault.gpa) : SlatMapping{};
      if (!mapping.mapped)
        return Error{fmt::format("address {:#x} leads nowhere in VTL {}: {}", at, static_cast<unsigned>(vtl),
                                 mmu::describe(report.rule))};
      spa = mapping.spa;
    }
    watches.push_back(MemoryWatch{.first = spa, .bytes = part, .ignore = 0});
    return support::Unit{};
  }));
  return watches;
}

std::optional<Answer> last_write(Timeline& timeline, const Conditions& watches) {
  std::optional<Hit> hit = timeline.last(watches, timeline.now());
  if (!hit) return std::nullopt;
  Answer answer{.hit = std::move(*hit), .entry = {}, .event = {}};
  if (const auto* memory = std::get_if<MemoryWatch>(&watches[answer.hit.condition])) answer.entry = memory->first;
  answer.event = explanation(timeline.history(), answer.hit.at);
  return answer;
}

Result<std::optional<Answer>> last_mapping_change(Timeline& timeline, Vtl vtl, std::optional<uint64_t> cr3, Gva address,
                                                  uint8_t level) {
  const machine::Machine& machine = timeline.machine();
  const mmu::WalkReport report = mmu::explain(machine.translator(), machine.view(vtl, cr3), {.address = address});
  for (const mmu::WalkReference& reference : report.references()) {
    if (reference.kind != mmu::WalkReference::Kind::Stage1) continue;
    if (reference.level != level && !(reference.leaf && level < reference.level)) continue;
    return last_write(timeline, {MemoryWatch{.first = reference.address, .bytes = 8, .ignore = set_by_the_processor}});
  }
  return Error{fmt::format("the walk of {:#x} in VTL {} does not come to level {}: {}", address.value(),
                           static_cast<unsigned>(vtl), level, mmu::describe(report.rule))};
}

Result<std::optional<PermissionChange>> last_permission_change(Timeline& timeline, Vtl vtl, Gpa gpa) {
  const Instant here = timeline.now();
  Result<std::optional<PermissionChange>> result{std::optional<PermissionChange>{}};
  // An entry may have been copied, when a large page was split, without saying anything new: then before that.
  for (Instant from = here;;) {
    const auto entry = slat_entry(timeline.machine(), vtl, gpa);
    if (!entry) {
      if (from == here) result = entry.error();
      break;
    }
    const SlatMapping after = slat_of(timeline.machine(), vtl)->lookup(gpa);
    std::optional<Answer> answer =
        last_write(timeline, {MemoryWatch{.first = entry.value(), .bytes = 8, .ignore = 0}});
    if (!answer) break;
    from = answer->hit.at;
    (void)timeline.seek(from);
    answer->entry = entry.value();
    const mmu::Slat* slat = slat_of(timeline.machine(), vtl);
    const SlatMapping before = slat != nullptr ? slat->lookup(gpa) : SlatMapping{};
    if (same_mapping(before, after)) continue;
    result = std::optional<PermissionChange>{{std::move(*answer), before, after}};
    break;
  }
  (void)timeline.seek(here);
  return result;
}

}  // namespace debugger
