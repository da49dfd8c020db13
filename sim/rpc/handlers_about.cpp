// about: what a number could be, for whoever points at it.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "sim/debugger/views/page_tables.h"
#include "sim/debugger/views/slat_history.h"
#include "sim/debugger/views/telescope.h"
#include "sim/rpc/desk.h"
#include "sim/rpc/records.h"
#include "sim/symbols/kernel.h"

namespace rpc {
namespace {

using abi::hv::Vtl;
using debugger::View;
using debugger::views::Eye;
using debugger::views::Reach;
using debugger::views::Space;

/// Where a number leads to.
struct Spot {
  uint64_t number{};
  Space space{};
  std::optional<abi::Gpa> gpa;
  std::optional<abi::Spa> spa;
};

/// The GPA of a linear address is known also where the second stage denies it.
void translate(const Eye& eye, Spot& spot) {
  mmu::AddressSpace space = eye.space;
  space.stage1.alignment_check = true;  // SMAP is no concern of one who only looks
  const auto result = eye.machine.translator().probe(space, {abi::Gva{spot.number}, mmu::AccessKind::Read, false, false});
  if (result.ok) spot.gpa = result.translation.gpa, spot.spa = result.translation.spa;
  const bool second = !result.ok && (result.fault.kind == mmu::FaultKind::SlatViolation || result.fault.kind == mmu::FaultKind::GpaUnmapped);
  if (second && !result.fault.paging_structure) spot.gpa = result.fault.gpa;
}

Spot spot_of(const View& view, const Eye& eye, uint64_t number, const std::string& space) {
  Spot spot{number, space == "spa" ? Space::Spa : space == "gpa" ? Space::Gpa : Space::Gva, {}, {}};
  if (spot.space == Space::Gva) translate(eye, spot);
  if (spot.space == Space::Gpa && number >> 48 == 0) spot.gpa = abi::Gpa{number};
  if (spot.space == Space::Spa) spot.spa = abi::Spa{number};
  // Guest physical memory lies where it says, but for pages that the hypervisor put over it.
  if (spot.spa && !spot.gpa && number >> 48 == 0 && mapping_of(view, view.focus.vtl, abi::Gpa{number}).spa == *spot.spa) spot.gpa = abi::Gpa{number};
  if (!spot.spa && spot.gpa) {
    const mmu::SlatMapping mapping = mapping_of(view, view.focus.vtl, *spot.gpa);
    if (mapping.mapped) spot.spa = mapping.spa;
  }
  return spot;
}

/// Pages that hypervisor and guests talk through.
std::string hypervisor_page(const View& view, abi::Spa spa) {
  const abi::Spa page = spa.page_base();
  const vtl::Partition& partition = view.machine.hypervisor().partition();
  if (page == abi::Spa{}) return "";
  if (page == partition.hypercall_page) return "the hypercall page";
  for (const Vtl vtl : abi::hv::all_vtls)
    if (page == partition.vtls[vtl].reference_tsc_page) return fmt::format("reference TSC page of VTL {}", static_cast<unsigned>(vtl));
  for (const auto& vp : partition.vps)
    for (const Vtl vtl : abi::hv::all_vtls) {
      const vtl::VtlState& state = vp->vtls[vtl];
      const std::pair<abi::Spa, std::string_view> pages[] = {{state.assist_page, "VP assist page"},
                                                             {state.synic.message_page, "SynIC message page"},
                                                             {state.synic.event_page, "SynIC event flags page"}};
      for (const auto& [where, name] : pages)
        if (page == where) return fmt::format("{} of VP {}, VTL {}", name, vp->registers->number, static_cast<unsigned>(vtl));
    }
  return "";
}

/// Processes by what the kernels keep, or by what was announced; and the tables that processors use now.
std::vector<debugger::views::TableRoot> roots_of(const View& view, const symbols::Kernels& kernels) {
  std::vector<debugger::views::TableRoot> roots;
  const auto add = [&](Vtl vtl, uint64_t cr3, std::string owner) {
    const bool known = std::any_of(roots.begin(), roots.end(), [&](const auto& one) { return one.vtl == vtl && one.cr3 >> 12 == cr3 >> 12; });
    if (!known && cr3 != 0) roots.push_back({vtl, cr3, std::move(owner)});
  };
  if (const auto known = kernels.processes())
    for (const symbols::KernelProcess& process : known.value()) add(process.vtl, process.cr3, process.name);
  for (const debugger::ProcessList::Process& process : view.names.processes().all())
    if (!process.exited) add(process.vtl, process.cr3, process.name);
  for (size_t i = 0; i < view.machine.processor_count(); ++i)
    for (const Vtl vtl : abi::hv::all_vtls)
      if (vtl == Vtl::Vtl0 || view.machine.hypervisor().partition().enabled(vtl))
        add(vtl, view.machine.processor(i).contexts[vtl].cr3, fmt::format("VP {}", i));
  return roots;
}

/// Who has it, what is most telling first.
std::vector<std::string> owners(Desk& desk, const View& view, const Eye& eye, const Spot& spot) {
  std::vector<std::string> out;
  PageOwners& known = desk.owners;
  const auto& run = desk.session.timeline().epoch();
  if (known.run != run || known.at != view.focus.at || known.vp != view.focus.vp) {
    const symbols::Kernels kernels{view.machine, view.focus.vp, view.names.images(), desk.library};
    known = {run, view.focus.at, view.focus.vp, kernels.objects(), roots_of(view, kernels), {}};
    known.tables = debugger::views::table_pages(view.machine, view.focus.vp, known.roots);
  }
  const uint64_t cr3 = eye.space.stage1.cr3;
  if (spot.space == Space::Gva) {
    for (const symbols::KernelObject* object : symbols::objects_at(known.objects, eye.vtl, cr3, spot.number))
      out.push_back(fmt::format("{}, +{:#x}", object->text, spot.number - object->address));
    if (const loader::LoadedImage* image = view.names.images().find(spot.number, cr3))
      out.push_back(fmt::format("image {}, +{:#x}", image->name, spot.number - image->base));
  }
  if (spot.spa)
    if (std::string text = hypervisor_page(view, *spot.spa); !text.empty()) out.push_back(std::move(text));
  if (spot.gpa) {
    const auto table = known.tables.find(spot.gpa->page_number());
    if (table != known.tables.end()) out.push_back(debugger::views::text_of(table->second, known.roots));
  }
  if (spot.spa && spot.spa->value() >= view.machine.config().memory_bytes && view.machine.memory().contains(*spot.spa, 1) &&
      out.empty())
    out.emplace_back("the hypervisor's own memory: second-stage tables and pages that it puts over the guest's");
  for (const Vtl vtl : abi::hv::all_vtls)  // where no kernel of ours says whose stack it is
    if (spot.space == Space::Gva && out.empty() && vtl == eye.vtl && view.processor.contexts[vtl].rsp >> 12 == spot.number >> 12)
      out.push_back(fmt::format("stack of VP {} in VTL {}", view.focus.vp, static_cast<unsigned>(vtl)));
  return out;
}

std::string page_state(Desk& desk, const View& view, abi::Gpa gpa) {
  return symbols::Kernels{view.machine, view.focus.vp, view.names.images(), desk.library}.page_state(gpa.page_number());
}

constexpr std::string_view state_words[] = {"readable", "denied", "unmapped", "device"};
constexpr uint64_t shown_bytes = 16;

void add_value(const Eye& eye, const View& view, const Spot& spot, Json& json, std::vector<std::string>& lines) {
  const auto parts = debugger::views::read_memory(eye, spot.space, spot.number, shown_bytes);
  const Reach reach = parts.empty() ? Reach::Unmapped : parts.front().reach;
  json["state"] = state_words[static_cast<size_t>(reach)];
  if (reach != Reach::Readable) {
    lines.push_back(parts.empty() ? "unmapped" : fmt::format("{}: {}", state_words[static_cast<size_t>(reach)], parts.front().why));
    return;
  }
  json["value"] = bytes_text(parts.front().bytes);
  if (parts.front().bytes.size() < sizeof(uint64_t)) return;
  uint64_t value = 0;
  std::memcpy(&value, parts.front().bytes.data(), sizeof value);
  std::string text = fmt::format("there: {:#x}", value);
  for (const std::string& link : debugger::views::chain_of(eye, view.names, value)) text += " -> " + link;
  lines.push_back(std::move(text));
}

Answer about(Desk& desk, const Parameters& parameters) {
  const auto number = parameters.hex("number");
  if (!number) return refuse(Code::InvalidParameters, "number has more than 64 bits");
  const View view = TRY(desk.look(parameters));
  const Eye eye = TRY(desk.eye(view, parameters));
  const Spot spot = spot_of(view, eye, *number, parameters.text("space"));
  std::vector<std::string> lines;
  Json json = Json::object();
  if (spot.space == Space::Gva) {
    const debugger::Place place = view.names.place(*number, eye.space.stage1.cr3);
    if (!place.module.empty()) json["place"] = to_json(place), lines.push_back(place.text);
  }
  const std::vector<std::string> who = owners(desk, view, eye, spot);
  if (!who.empty()) json["owner"] = who.front();
  lines.insert(lines.end(), who.begin(), who.end());
  add_value(eye, view, spot, json, lines);
  json["rights"] = Json::array();
  if (spot.gpa) {
    json["gpa"] = hex(spot.gpa->value());
    json["rights"] = rights_by_vtl(view, *spot.gpa);
    for (size_t i = 0; i < json["rights"].size(); ++i)
      lines.push_back(fmt::format("VTL {}: {}", i, debugger::views::rights_words(mapping_of(view, static_cast<Vtl>(i), *spot.gpa))));
    if (const std::string state = page_state(desk, view, *spot.gpa); !state.empty()) lines.push_back(fmt::format("the secure kernel's page frame database: {}", state));
  }
  if (spot.spa) json["spa"] = hex(spot.spa->value());
  json["lines"] = lines;
  return json;
}

}  // namespace

void serve_about(Desk& desk) { serve(desk, "about", about); }

}  // namespace rpc
