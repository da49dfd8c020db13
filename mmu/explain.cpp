#include "mmu/explain.h"

#include <fmt/format.h>

#include <iterator>

#include "abi/x64/paging.h"
#include "mmu/slat_entry.h"
#include "mmu/translator.h"

namespace mmu {
namespace {

namespace ept = abi::x64::ept;
namespace pte = abi::x64::pte;
using Out = std::back_insert_iterator<std::string>;

// References of stage 2 are indented under the stage-1 entry, or the page, that they lead to.
const char* level_name(WalkReference::Kind kind, int level) {
  static constexpr const char* stage1[] = {"PTE", "PDE", "PDPTE", "PML4E", "PML5E"};
  static constexpr const char* stage2[] = {"  EPT PTE", "  EPT PDE", "  EPT PDPTE", "  EPT PML4E"};
  return (kind == WalkReference::Kind::Stage1 ? stage1 : stage2)[level - 1];
}

const char* access_name(AccessKind kind) {
  switch (kind) {
    case AccessKind::Read:
      return "read";
    case AccessKind::Write:
      return "write";
    case AccessKind::Execute:
      return "execute";
  }
  return "?";
}

std::string stage1_flags(const WalkReference& reference) {
  const uint64_t value = reference.value;
  if (!reference.present) return "not present";
  const auto flag = [&](uint64_t bit, const char* set, const char* clear) {
    return (value & bit) != 0 ? set : clear;
  };
  return fmt::format(
      "P {} {}{}{}{}{}{}", flag(pte::writable, "RW", "R-"), flag(pte::user, "U", "S"),
      flag(pte::accessed, " A", ""), reference.leaf ? flag(pte::dirty, " D", "") : "",
      reference.leaf ? flag(pte::global, " G", "") : "",
      reference.leaf && reference.level > 1 ? " PS" : "", flag(pte::no_execute, " XD", ""));
}

std::string stage2_flags(const WalkReference& reference) {
  const uint64_t value = reference.value;
  if (!reference.present) {
    return (value & slat_entry::mapped) != 0 ? "no access" : "not mapped";
  }
  return fmt::format(
      "{}{}{}{}{}", (value & ept::read) != 0 ? "R" : "-", (value & ept::write) != 0 ? "W" : "-",
      (value & ept::execute) != 0 ? " KX" : " --", (value & ept::user_execute) != 0 ? " UX" : " --",
      reference.leaf && reference.level > 1 ? " large" : "");
}

void append_reference(Out out, unsigned number, const WalkReference& reference) {
  const bool stage1 = reference.kind == WalkReference::Kind::Stage1;
  fmt::format_to(out, "{:>3}  {:<11}  spa {:#012x} = {:#018x}  {:<18}  {} {:#x}\n", number,
                 level_name(reference.kind, reference.level), reference.address.value(),
                 reference.value, stage1 ? stage1_flags(reference) : stage2_flags(reference),
                 stage1 ? "at gpa" : "for gpa", reference.gpa.value());
}

void append_verdict(Out out, const WalkReport& report) {
  fmt::format_to(out, "rule: {}\n", describe(report.rule));
  if (report.result.ok) {
    const Translation& to = report.result.translation;
    fmt::format_to(out, "lands at gpa {:#x}, spa {:#x}{}; grants {}{}{}; {} page{}\n",
                   to.gpa.value(), to.spa.value(), to.ram ? "" : " (device)",
                   to.readable ? "r" : "-", to.writable ? "w" : "-", to.executable ? "x" : "-",
                   to.user_page ? "user" : "supervisor", to.global ? ", global" : "");
    return;
  }
  const Fault& fault = report.result.fault;
  switch (fault.kind) {
    case FaultKind::NonCanonical:
      fmt::format_to(out, "ends in #GP(0), or #SS(0) for the stack\n");
      break;
    case FaultKind::PageFault:
      fmt::format_to(out, "ends in #PF, error code {:#x}, CR2 = {:#x}\n", fault.error_code,
                     fault.address.value());
      break;
    case FaultKind::SlatViolation:
    case FaultKind::GpaUnmapped:
      fmt::format_to(out, "ends in a SLAT violation at gpa {:#x} ({}), qualification {:#x}\n",
                     fault.gpa.value(), fault.paging_structure ? "paging structure" : "final page",
                     fault.qualification);
      break;
    case FaultKind::SlatMisconfigured:
      fmt::format_to(out, "ends in a SLAT misconfiguration at gpa {:#x}\n", fault.gpa.value());
      break;
  }
}

void append_cached(Out out, const WalkReport& report, const AddressSpace& space,
                   const Access& access) {
  if (!report.cached) {
    fmt::format_to(out, "TLB: no entry\n");
    return;
  }
  const TlbEntry& entry = *report.cached;
  const uint8_t rights = granted(space, entry, access.user, access.implicit_supervisor);
  const bool stale = report.result.ok && entry.spa() != report.result.translation.spa.page_base();
  const bool permits = (rights & grant::of(access.kind)) != 0;
  fmt::format_to(out, "TLB: spa {:#x} {}{}{}, gpa {:#x}{}{}{}\n", entry.spa().value(),
                 (rights & grant::read) != 0 ? "r" : "-", (rights & grant::write) != 0 ? "w" : "-",
                 (rights & grant::execute) != 0 ? "x" : "-", entry.gpa().value(),
                 entry.has(TlbEntry::Global) ? ", global" : "",
                 permits ? ", answers this access" : ", does not permit this access",
                 stale || (permits && !report.result.ok) ? ", STALE: memory says otherwise" : "");
}

}  // namespace

const char* describe(WalkRule rule) {
  switch (rule) {
    case WalkRule::Granted:
      return "granted";
    case WalkRule::NonCanonical:
      return "the linear address is not canonical";
    case WalkRule::NotPresent:
      return "a stage-1 entry is not present";
    case WalkRule::ReservedBit:
      return "a stage-1 entry has a reserved bit set";
    case WalkRule::SupervisorPage:
      return "user access to a supervisor page";
    case WalkRule::ReadOnlyPage:
      return "write to a read-only page";
    case WalkRule::NoExecutePage:
      return "fetch from a no-execute page";
    case WalkRule::SmepFetch:
      return "SMEP: supervisor fetch from a user page";
    case WalkRule::SmapAccess:
      return "SMAP: supervisor access to a user page";
    case WalkRule::SlatUnmapped:
      return "stage 2 maps nothing at this guest physical address";
    case WalkRule::SlatNoRead:
      return "stage 2 denies reading";
    case WalkRule::SlatNoWrite:
      return "stage 2 denies writing";
    case WalkRule::SlatNoKernelExecute:
      return "stage 2 denies execution (KX)";
    case WalkRule::SlatNoUserExecute:
      return "stage 2 denies execution by user-mode addresses (UX)";
    case WalkRule::TableUnmapped:
      return "stage 2 maps nothing where a page table should be";
    case WalkRule::TableNotReadable:
      return "stage 2 denies reading a page table";
    case WalkRule::TableNotWritable:
      return "stage 2 denies setting A or D in a page table";
    case WalkRule::SlatMisconfigured:
      return "a SLAT entry is invalid: an error of the hypervisor";
  }
  return "unknown rule";
}

WalkReport explain(const Translator& translator, const AddressSpace& space, const Access& access) {
  WalkReport report;
  report.result = translator.walk_only(space, access, &report);
  const TlbEntry* const entry = translator.tlb().find(space, access.address);
  if (entry != nullptr) report.cached = *entry;
  return report;
}

std::string to_text(const WalkReport& report, const AddressSpace& space, const Access& access) {
  std::string text;
  const Out out{text};
  fmt::format_to(out, "{} {} of gva {:#x}: partition {}, VP {}, VTL {}, CR3 = {:#x}\n",
                 access.implicit_supervisor ? "implicit supervisor"
                 : access.user              ? "user"
                                            : "supervisor",
                 access_name(access.kind), access.address.value(), space.partition, space.vp,
                 static_cast<unsigned>(space.vtl), space.stage1.cr3);
  unsigned number = 0;
  for (const WalkReference& reference : report.references())
    append_reference(out, ++number, reference);
  fmt::format_to(out, "{} reference{}\n", report.count, report.count == 1 ? "" : "s");
  append_verdict(out, report);
  append_cached(out, report, space, access);
  return text;
}

}  // namespace mmu
