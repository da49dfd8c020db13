// walk, slat.*, tlb: how addresses become memory.
#include <fmt/format.h>

#include "mmu/explain.h"
#include "sim/debugger/views/walk.h"
#include "sim/rpc/desk.h"
#include "sim/rpc/records.h"
#include "sim/timing/cold_walk.h"

namespace rpc {
namespace {

using abi::Gpa;
using abi::Gva;
using abi::hv::Vtl;
using debugger::View;
using debugger::views::Eye;

Json reference_json(const View& view, const mmu::WalkReference& reference, const debugger::views::WalkWords& words) {
  const bool stage1 = reference.kind == mmu::WalkReference::Kind::Stage1;
  return {{"stage", stage1 ? 1 : 2},
          {"level", reference.level},
          {"name", words.name},
          {"index", words.index},
          {"spa", hex(reference.address.value())},
          {"gpa", hex(reference.gpa.value())},
          {"value", hex(reference.value)},
          {"flags", words.flags},
          {"leaf", reference.leaf},
          {"present", reference.present},
          {"denied", words.denied},
          {"rights", stage1 ? rights_by_vtl(view, reference.gpa) : Json::array()}};
}

Json references_json(const View& view, const mmu::WalkReport& report, const mmu::AddressSpace& space) {
  const auto words = debugger::views::walk_words(report, space);
  Json list = Json::array();
  for (size_t i = 0; i < words.size(); ++i) list.push_back(reference_json(view, report.list[i], words[i]));
  return list;
}

std::string rights_text(const mmu::TlbEntry& entry) {
  using mmu::TlbEntry;
  constexpr struct {
    TlbEntry::Attribute attribute;
    const char* text;
  } first[] = {{TlbEntry::Writable, "W "}, {TlbEntry::User, "U "}, {TlbEntry::NoExecute, "NX "}, {TlbEntry::Global, "G "}, {TlbEntry::Dirty, "D "}},
    second[] = {{TlbEntry::SlatRead, " r"}, {TlbEntry::SlatWrite, " w"}, {TlbEntry::SlatKernelExecute, " kx"}, {TlbEntry::SlatUserExecute, " ux"}};
  std::string text;
  for (const auto& row : first)
    if (entry.has(row.attribute)) text += row.text;
  text += "/";
  for (const auto& row : second)
    if (entry.has(row.attribute)) text += row.text;
  return text;
}

Json entry_json(const mmu::TlbEntry& entry, Gva page, uint8_t partition, uint8_t vp, Vtl vtl) {
  return {{"gva", hex(page.value())}, {"gpa", hex(entry.gpa().value())}, {"spa", hex(entry.spa().value())}, {"partition", partition},
          {"vp", vp}, {"vtl", static_cast<unsigned>(vtl)}, {"pcid", entry.pcid()}, {"rights", rights_text(entry)}};
}

mmu::AccessKind kind_of(const std::string& word) {
  if (word == "write") return mmu::AccessKind::Write;
  return word == "execute" ? mmu::AccessKind::Execute : mmu::AccessKind::Read;
}

bool in_user_mode(const View& view) { return (view.context.segments[vtl::Ss].attributes >> 5 & 3) == 3; }

/// The last GPA that the walk came to.
std::optional<Gpa> last_gpa(const mmu::WalkReport& report) {
  if (report.result.ok) return report.result.translation.gpa;
  const mmu::FaultKind kind = report.result.fault.kind;
  if (kind == mmu::FaultKind::PageFault || kind == mmu::FaultKind::NonCanonical) return std::nullopt;
  return report.result.fault.gpa;
}

Answer walk(Desk& desk, const Parameters& parameters) {
  const auto address = parameters.hex("address");
  if (!address) return refuse(Code::InvalidParameters, "address has more than 64 bits");
  const View view = TRY(desk.look(parameters));
  const Eye eye = TRY(desk.eye(view, parameters));
  const mmu::Access access{Gva{*address}, kind_of(parameters.text("access")), parameters.flag("user", in_user_mode(view)), false};
  const mmu::WalkReport report = mmu::explain(view.machine.translator(), eye.space, access);
  Json json{{"references", references_json(view, report, eye.space)}, {"granted", report.result.ok}, {"rule", mmu::describe(report.rule)}};
  const std::optional<Gpa> gpa = last_gpa(report);
  if (gpa) json["gpa"] = hex(gpa->value());
  if (report.result.ok) json["spa"] = hex(report.result.translation.spa.value());
  if (report.cached) json["cached"] = entry_json(*report.cached, access.address.page_base(), eye.space.partition, eye.space.vp, eye.vtl);
  json["rights"] = gpa ? rights_by_vtl(view, *gpa) : Json::array();
  json["cycles"] = timing::cold_cycles({}, timing::to_walk(report, access));
  json["text"] = mmu::to_text(report, eye.space, access);
  return json;
}

support::Result<Gpa, Refusal> gpa_of(const Parameters& parameters) {
  const auto gpa = parameters.hex("gpa");
  constexpr uint64_t end = uint64_t{1} << 48;
  if (gpa && *gpa < end) return Gpa{*gpa};
  return refuse(Code::InvalidParameters, "gpa is beyond 48 bits");
}

Answer slat_page(Desk& desk, const Parameters& parameters) {
  const Gpa gpa = TRY(gpa_of(parameters));
  const View view = TRY(desk.look(parameters));
  return Json{{"rights", rights_by_vtl(view, gpa)}};
}

Answer slat_history(Desk& desk, const Parameters& parameters) {
  const Gpa gpa = TRY(gpa_of(parameters));
  const debugger::Focus focus = TRY(desk.look(parameters)).focus;
  const auto changes = desk.slat_history.of(gpa, focus.vp, focus.at, parameters.integer("maximum", 32));
  const View view = TRY(or_refuse(desk.session.look(focus)));  // the machine was elsewhere
  Json list = Json::array();
  for (const debugger::views::PageChange& change : changes.list)
    list.push_back({{"at", change.at.ticks}, {"vp", change.vp}, {"by_vtl", static_cast<unsigned>(change.by_vtl)},
                    {"vtl", static_cast<unsigned>(change.vtl)}, {"before", debugger::views::rights_words(change.before)},
                    {"after", debugger::views::rights_words(change.after)}, {"place", to_json(view.names.place(change.rip))}});
  return Json{{"changes", std::move(list)}, {"more", changes.more}};
}

uint8_t permissions(const mmu::SlatMapping& mapping) {
  const mmu::Rights& rights = mapping.rights;
  if (!mapping.mapped) return 0;
  return static_cast<uint8_t>(0x10 | (rights.read ? 1 : 0) | (rights.write ? 2 : 0) | (rights.kernel_execute ? 4 : 0) |
                              (rights.user_execute ? 8 : 0));
}

Answer slat_map(Desk& desk, const Parameters& parameters) {
  const Gpa first = TRY(gpa_of(parameters)).page_base();
  const View view = TRY(desk.look(parameters));
  const Vtl vtl = TRY(desk.vtl(parameters)).value_or(view.focus.vtl);
  std::vector<uint8_t> pages(*parameters.integer("pages"));
  for (size_t i = 0; i < pages.size(); ++i) pages[i] = permissions(mapping_of(view, vtl, first + i * abi::page_size));
  return Json{{"pages", bytes_text(pages)}};
}

Answer tlb(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  const mmu::SlatTlb& cache = view.machine.translator().tlb();
  const uint64_t maximum = parameters.integer("maximum", 1024);
  Json list = Json::array();
  for (const mmu::SlatTlb::Listed& listed : cache.list()) {
    if (list.size() >= maximum) break;
    list.push_back(entry_json(listed.entry, listed.page, listed.partition, listed.vp, listed.vtl));
  }
  return Json{{"entries", std::move(list)}, {"used", cache.used()}, {"capacity", cache.capacity()}, {"misses", view.machine.translator().misses()}};
}

}  // namespace

void serve_translation(Desk& desk) {
  serve(desk, "walk", walk);
  serve(desk, "slat.page", slat_page);
  serve(desk, "slat.map", slat_map);
  serve(desk, "slat.history", slat_history);
  serve(desk, "tlb", tlb);
}

}  // namespace rpc
