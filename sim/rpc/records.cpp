#include "sim/rpc/records.h"

#include <fmt/format.h>

#include "mmu/slat.h"
#include "sim/debugger/views/eye.h"
#include "sim/trace/event_names.h"

namespace rpc {
namespace {

/// Adds a text unless it is empty: absent says that nothing is known.
void add_text(Json& json, const char* name, std::string_view text) {
  if (!text.empty()) json[name] = text;
}

/// Images of user mode lie below the upper half.
bool is_kernel_address(uint64_t address) { return address >> 63 != 0; }

}  // namespace

std::string hex(uint64_t value) { return fmt::format("{:#x}", value); }

std::string hex(const vtl::Xmm& value) {
  return value.high == 0 ? hex(value.low) : fmt::format("{:#x}{:016x}", value.high, value.low);
}

std::string bytes_text(std::span<const uint8_t> bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

Json to_json(const debugger::Focus& focus) {
  Json json{{"at", focus.at.ticks}, {"vp", focus.vp}, {"vtl", static_cast<unsigned>(focus.vtl)}};
  if (focus.frame != 0) json["frame"] = focus.frame;
  if (focus.address) json["address"] = hex(*focus.address);
  return json;
}

Json to_json(const debugger::Place& place) {
  Json json{{"address", hex(place.address)}};
  add_text(json, "module", place.module);
  add_text(json, "symbol", place.symbol);
  if (!place.module.empty()) json["displacement"] = place.displacement;
  add_text(json, "file", place.file);
  if (place.line != 0) json["line"] = place.line;
  json["text"] = place.text;
  return json;
}

Json to_json(const debugger::Change& change) {
  return {{"before", bytes_text(change.before)}, {"after", bytes_text(change.after)}, {"text", change.text}};
}

Json to_json(const support::Event& event, const debugger::Names& names) {
  const trace::EventDescription description = trace::describe(event, &names.images());
  Json arguments = Json::array();
  for (const trace::Argument& argument : description.arguments)
    arguments.push_back({{"name", argument.name}, {"value", argument.value}});
  return {{"at", event.at.ticks},
          {"vp", event.vp},
          {"vtl", static_cast<unsigned>(event.vtl)},
          {"kind", trace::name_of(event.kind)},
          {"name", description.name},
          {"arguments", std::move(arguments)},
          {"outcome", description.outcome},
          {"a", hex(event.a)},
          {"b", hex(event.b)},
          {"c", hex(event.c)},
          {"place", to_json(names.place(event.rip))},
          {"text", trace::to_text(event, description)}};
}

Json to_json(const debugger::Stop& stop, const debugger::Names& names) {
  Json json{{"reason", debugger::word(stop.reason)},
            {"focus", to_json(stop.focus)},
            {"place", to_json(stop.place)},
            {"instruction", stop.instruction},
            {"ring", stop.ring},
            {"waits", stop.waits},
            {"breakpoints", stop.breakpoints}};
  if (stop.change) json["change"] = to_json(*stop.change);
  if (stop.event) json["event"] = to_json(stop.event->view(), names);
  add_text(json, "ending", stop.ending);
  json["text"] = stop.text;
  return json;
}

Json to_json(const debugger::Breakpoint& breakpoint) {
  const debugger::BreakpointRequest& request = breakpoint.request;
  Json json{{"id", breakpoint.id}, {"kind", debugger::word(request.kind)}, {"what", request.what}, {"text", breakpoint.text}};
  if (request.vtl) json["vtl"] = static_cast<unsigned>(*request.vtl);
  add_text(json, "process", request.process);
  add_text(json, "condition", request.condition);
  json["ignore"] = breakpoint.ignore;
  json["hits"] = breakpoint.hits;
  json["enabled"] = breakpoint.enabled;
  json["temporary"] = request.temporary;
  json["resolved"] = breakpoint.resolved;
  return json;
}

Json breakpoints_json(const std::vector<debugger::Breakpoint>& breakpoints) {
  Json list = Json::array();
  for (const debugger::Breakpoint& breakpoint : breakpoints) list.push_back(to_json(breakpoint));
  return {{"breakpoints", std::move(list)}};
}

Json rights_json(const mmu::SlatMapping& mapping) {
  Json json{{"mapped", mapping.mapped},
            {"read", mapping.rights.read},
            {"write", mapping.rights.write},
            {"kernel_execute", mapping.rights.kernel_execute},
            {"user_execute", mapping.rights.user_execute}};
  if (mapping.mapped) json["spa"] = hex(mapping.spa.page_base().value());
  return json;
}

mmu::SlatMapping mapping_of(const debugger::View& view, abi::hv::Vtl vtl, abi::Gpa gpa) {
  const debugger::views::Eye eye = debugger::views::eye(view.machine, view.focus.vp, vtl);
  if (eye.space.slat != nullptr) return eye.space.slat->lookup(gpa);
  return {true, abi::Spa{gpa.value()}, mmu::all_rights};
}

Json rights_by_vtl(const debugger::View& view, abi::Gpa gpa) {
  Json list = Json::array();
  for (const abi::hv::Vtl vtl : abi::hv::all_vtls) {
    if (vtl != abi::hv::Vtl::Vtl0 && !view.machine.hypervisor().partition().enabled(vtl)) break;
    list.push_back(rights_json(mapping_of(view, vtl, gpa)));
  }
  return list;
}

Json modules_json(const debugger::Names& names) {
  Json list = Json::array();
  for (const loader::LoadedImage& image : names.images().images()) {
    Json json{{"name", image.module}, {"file", image.name}, {"base", hex(image.base)}, {"size", hex(image.size)},
              {"vtl", static_cast<unsigned>(image.vtl)}};
    const debugger::ProcessList::Process* process = names.processes().with_cr3(image.cr3, image.vtl);
    if (process != nullptr && !is_kernel_address(image.base)) json["process"] = process->name;
    json["symbols"] = image.symbols == nullptr ? "none" : image.symbols->has_pdb() ? "pdb" : "exports";
    list.push_back(std::move(json));
  }
  return list;
}

}  // namespace rpc
