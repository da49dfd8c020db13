#include "sim/debugger/views/walk.h"

#include <optional>

#include "abi/x64/paging.h"

namespace debugger::views {
namespace {

namespace ept = abi::x64::ept;
namespace pte = abi::x64::pte;
using mmu::WalkReference;
using mmu::WalkReport;
using mmu::WalkRule;

constexpr std::string_view stage1_names[] = {"PTE", "PDE", "PDPTE", "PML4E", "PML5E"};
constexpr std::string_view stage2_names[] = {"S2 PTE", "S2 PDE", "S2 PDPTE", "S2 PML4E"};

struct Flag {
  uint64_t bit;
  std::string_view text;
};
constexpr Flag of_all[] = {{pte::present, "P"}, {pte::writable, "W"}, {pte::user, "U"}, {pte::accessed, "A"}};
constexpr Flag of_leaves[] = {{pte::dirty, "D"}, {pte::global, "G"}};
constexpr Flag of_stage2[] = {{ept::read, "r"}, {ept::write, "w"}, {ept::execute, "kx"}, {ept::user_execute, "ux"}};

bool is_stage1(const WalkReference& reference) { return reference.kind == WalkReference::Kind::Stage1; }

void add(std::string& text, std::string_view word) {
  if (!text.empty()) text += ' ';
  text += word;
}

void add_flags(std::string& text, uint64_t value, std::span<const Flag> flags) {
  for (const Flag& flag : flags)
    if ((value & flag.bit) != 0) add(text, flag.text);
}

/// Entries of 32-bit paging are half as long, and have no NX.
std::string flags_of(const WalkReference& reference, bool short_entries) {
  std::string text;
  if (!is_stage1(reference)) {
    add_flags(text, reference.value, of_stage2);
    return text;
  }
  if (!reference.present) return text;  // the other bits mean nothing then
  add_flags(text, reference.value, of_all);
  if (reference.leaf) add_flags(text, reference.value, of_leaves);
  if (reference.leaf && reference.level > abi::x64::page_table_level) add(text, "PS");
  if (!short_entries && (reference.value & pte::no_execute) != 0) add(text, "NX");
  return text;
}

/// The first reference for which `is_it` holds.
template <class IsIt>
std::optional<size_t> first_of(const WalkReport& report, const IsIt& is_it) {
  for (size_t i = 0; i < report.count; ++i)
    if (is_it(report.list[i])) return i;
  return std::nullopt;
}

/// The last reference of stage 1; nothing where a register of PAE paging ended the walk.
std::optional<size_t> last_of_stage1(const WalkReport& report) {
  for (size_t i = report.count; i-- > 0;)
    if (is_stage1(report.list[i])) return i;
  return std::nullopt;
}

/// The second stage refused the address of the fault: the entry that lacks one of `needed`, or else where that way ended.
std::optional<size_t> denied_by_stage2(const WalkReport& report, uint64_t needed) {
  std::optional<size_t> last;
  for (size_t i = 0; i < report.count; ++i) {
    const WalkReference& reference = report.list[i];
    if (is_stage1(reference) || reference.gpa != report.result.fault.gpa) continue;
    last = i;
    if ((reference.value & needed) != needed) return last;
  }
  return last;
}

std::optional<size_t> deciding(const WalkReport& report) {
  const auto lacks = [&](uint64_t bit) {
    return first_of(report, [bit](const WalkReference& one) { return is_stage1(one) && (one.value & bit) == 0; });
  };
  switch (report.rule) {
    case WalkRule::Granted:
    case WalkRule::NonCanonical:
      return std::nullopt;
    case WalkRule::NotPresent:
    case WalkRule::ReservedBit:
    case WalkRule::SmepFetch:
    case WalkRule::SmapAccess:
      return last_of_stage1(report);
    case WalkRule::SupervisorPage:
      return lacks(pte::user);
    case WalkRule::ReadOnlyPage:
      return lacks(pte::writable);
    case WalkRule::NoExecutePage:
      return first_of(report, [](const WalkReference& one) { return is_stage1(one) && (one.value & pte::no_execute) != 0; });
    case WalkRule::SlatNoRead:
    case WalkRule::TableNotReadable:
      return denied_by_stage2(report, ept::read);
    case WalkRule::SlatNoWrite:
    case WalkRule::TableNotWritable:
      return denied_by_stage2(report, ept::write);
    case WalkRule::SlatNoKernelExecute:
      return denied_by_stage2(report, ept::execute);
    case WalkRule::SlatNoUserExecute:
      return denied_by_stage2(report, ept::user_execute);
    case WalkRule::SlatUnmapped:
    case WalkRule::TableUnmapped:
    case WalkRule::SlatMisconfigured:
      return denied_by_stage2(report, 0);
  }
  return std::nullopt;
}

}  // namespace

std::vector<WalkWords> walk_words(const WalkReport& report, const mmu::AddressSpace& space) {
  const bool legacy = mmu::paging_mode(space.stage1) == mmu::PagingMode::Bits32;
  const std::optional<size_t> denied = deciding(report);
  std::vector<WalkWords> out;
  for (const WalkReference& reference : report.references()) {
    const bool short_entry = legacy && is_stage1(reference);
    WalkWords words;
    words.name = (is_stage1(reference) ? stage1_names : stage2_names)[reference.level - 1];
    words.index = static_cast<uint32_t>(reference.address.value() % abi::page_size / (short_entry ? 4 : 8));
    words.flags = flags_of(reference, short_entry);
    words.denied = denied == out.size();
    out.push_back(std::move(words));
  }
  return out;
}

}  // namespace debugger::views
