#include "sim/timing/walk.h"

#include <algorithm>

#include "abi/x64/paging.h"
#include "mmu/explain.h"

namespace timing {
namespace {

namespace pte = abi::x64::pte;
using mmu::WalkReference;

constexpr uint8_t shift_of_level(uint8_t level) { return static_cast<uint8_t>(12 + 9 * (level - 1)); }

/// The leaf of each stage decides how much one TLB entry covers. Without paging, or on a bare machine, that stage limits
/// nothing below 1 GiB.
uint8_t page_shift(const mmu::WalkReport& report) {
  uint8_t shift = 30;
  for (const WalkReference& reference : report.references()) {
    // Second-stage leaves in between belong to page tables, not to the page.
    const bool last = &reference == &report.list[report.count - 1u];
    if (reference.leaf && (reference.kind == WalkReference::Kind::Stage1 || last))
      shift = std::min(shift, shift_of_level(reference.level));
  }
  return shift;
}

bool sets_bits(const mmu::WalkReport& report, const mmu::Access& access) {
  for (const WalkReference& reference : report.references()) {
    if (reference.kind != WalkReference::Kind::Stage1 || !reference.present) continue;
    if ((reference.value & pte::accessed) == 0) return true;
    const bool write = access.kind == mmu::AccessKind::Write;
    if (reference.leaf && write && (reference.value & pte::dirty) == 0) return true;
  }
  return false;
}

bool leaf_is_dirty(const mmu::WalkReport& report) {
  bool paged = false;
  for (const WalkReference& reference : report.references()) {
    if (reference.kind != WalkReference::Kind::Stage1) continue;
    paged = true;
    if (reference.leaf) return (reference.value & pte::dirty) != 0;
  }
  return !paged;
}

namespace bit {
constexpr uint8_t user = 1, granted = 2, global = 4, dirty = 8, ram = 16, sets = 32, writable = 64;
}

class Bytes {
 public:
  void byte(uint8_t value) { out.push_back(static_cast<char>(value)); }
  void word(uint64_t value) {
    for (unsigned i = 0; i < 8; ++i) byte(static_cast<uint8_t>(value >> (8 * i)));
  }
  std::string out;
};

uint64_t word_at(std::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (unsigned i = 0; i < 8; ++i)
    value |= uint64_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
  return value;
}

constexpr size_t head_size = 4 + 3 * 8;
constexpr size_t step_size = 1 + 2 * 8;

static_assert(Walk::max_steps == mmu::WalkReport::max_references);

}  // namespace

Walk to_walk(const mmu::WalkReport& report, const mmu::Access& access) {
  Walk walk;
  walk.gva = access.address.value();
  walk.kind = access.kind;
  walk.user = access.user;
  walk.granted = report.result.ok;
  walk.count = report.count;
  for (uint8_t i = 0; i < report.count; ++i) {
    const WalkReference& from = report.list[i];
    walk.list[i] = {from.kind == WalkReference::Kind::Stage2, from.level, from.leaf,
                    from.address.value(), from.gpa.value()};
  }
  walk.sets_bits = walk.granted && sets_bits(report, access);
  if (!walk.granted) return walk;
  const mmu::Translation& to = report.result.translation;
  walk.global = to.global;
  walk.dirty = access.kind == mmu::AccessKind::Write || leaf_is_dirty(report);
  walk.ram = to.ram;
  walk.writable = to.writable;
  walk.page_shift = page_shift(report);
  walk.spa = to.spa.value();
  walk.gpa = to.gpa.value();
  return walk;
}

std::string encode(const Walk& walk) {
  Bytes bytes;
  uint8_t flags = 0;
  if (walk.user) flags |= bit::user;
  if (walk.granted) flags |= bit::granted;
  if (walk.global) flags |= bit::global;
  if (walk.dirty) flags |= bit::dirty;
  if (walk.ram) flags |= bit::ram;
  if (walk.sets_bits) flags |= bit::sets;
  if (walk.writable) flags |= bit::writable;
  bytes.byte(flags);
  bytes.byte(static_cast<uint8_t>(walk.kind));
  bytes.byte(walk.page_shift);
  bytes.byte(walk.count);
  bytes.word(walk.gva);
  bytes.word(walk.spa);
  bytes.word(walk.gpa);
  for (const WalkStep& step : walk.steps()) {
    bytes.byte(static_cast<uint8_t>(step.level | (step.second_stage ? 0x10 : 0) |
                                    (step.leaf ? 0x20 : 0)));
    bytes.word(step.address);
    bytes.word(step.gpa);
  }
  return std::move(bytes.out);
}

std::optional<Walk> decode_walk(std::string_view bytes) {
  if (bytes.size() < head_size) return std::nullopt;
  const auto flags = static_cast<uint8_t>(bytes[0]);
  Walk walk;
  const auto kind = static_cast<uint8_t>(bytes[1]);
  walk.page_shift = static_cast<uint8_t>(bytes[2]);
  walk.count = static_cast<uint8_t>(bytes[3]);
  const bool shift_known = walk.page_shift == 12 || walk.page_shift == 21 || walk.page_shift == 30;
  if (flags > 0x7f || kind > 2 || !shift_known || walk.count > Walk::max_steps ||
      bytes.size() != head_size + walk.count * step_size)
    return std::nullopt;
  walk.kind = static_cast<mmu::AccessKind>(kind);
  walk.user = (flags & bit::user) != 0;
  walk.granted = (flags & bit::granted) != 0;
  walk.global = (flags & bit::global) != 0;
  walk.dirty = (flags & bit::dirty) != 0;
  walk.ram = (flags & bit::ram) != 0;
  walk.sets_bits = (flags & bit::sets) != 0;
  walk.writable = (flags & bit::writable) != 0;
  walk.gva = word_at(bytes, 4);
  walk.spa = word_at(bytes, 12);
  walk.gpa = word_at(bytes, 20);
  for (uint8_t i = 0; i < walk.count; ++i) {
    const size_t at = head_size + i * step_size;
    const auto what = static_cast<uint8_t>(bytes[at]);
    const uint8_t level = what & 0xf;
    const bool second_stage = (what & 0x10) != 0;
    if (level < 1 || level > (second_stage ? 4 : 5) || what > 0x3f) return std::nullopt;
    walk.list[i] = {second_stage, level, (what & 0x20) != 0, word_at(bytes, at + 1),
                    word_at(bytes, at + 9)};
  }
  return walk;
}

std::string_view name_of(const WalkStep& step) {
  static constexpr std::string_view first[] = {"PTE", "PDE", "PDPTE", "PML4E", "PML5E"};
  static constexpr std::string_view second[] = {"EPT PTE", "EPT PDE", "EPT PDPTE", "EPT PML4E"};
  if (step.level < 1 || step.level > (step.second_stage ? 4 : 5)) return "entry";
  return step.second_stage ? second[step.level - 1] : first[step.level - 1];
}

}  // namespace timing
