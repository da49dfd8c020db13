// registers, memory, disassembly, stacks, expressions: the state at a focus.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/debugger/views/code.h"
#include "sim/debugger/views/last_instruction.h"
#include "sim/debugger/views/registers.h"
#include "sim/rpc/desk.h"
#include "sim/rpc/records.h"

namespace rpc {
namespace {

using debugger::View;
using debugger::views::Eye;
using debugger::views::RegisterGroup;
using debugger::views::Space;
using support::Result;

constexpr std::string_view group_words[] = {"general", "segment", "control", "debug", "msr", "x87", "sse", "synthetic"};

std::string_view word(RegisterGroup group) { return group_words[static_cast<size_t>(group)]; }

/// Parameter "groups" as bits; all without it.
Result<unsigned, Refusal> wanted_groups(const Parameters& parameters) {
  const Json* list = parameters.member("groups");
  if (list == nullptr) return ~0u;
  unsigned wanted = 0;
  for (const Json& name : *list) {
    const auto* found = std::find(std::begin(group_words), std::end(group_words), name.get_ref<const std::string&>());
    if (found == std::end(group_words))
      return refuse(Code::InvalidParameters, fmt::format("groups: there are {}", fmt::join(group_words, ", ")));
    wanted |= 1u << (found - std::begin(group_words));
  }
  return wanted;
}

Answer registers(Desk& desk, const Parameters& parameters) {
  const unsigned wanted = TRY(wanted_groups(parameters));
  const debugger::Focus focus = TRY(desk.focus(parameters));
  const auto before = debugger::views::before_last_instruction(desk.session, focus);
  const View view = TRY(or_refuse(desk.session.look(focus)));
  const auto then = before ? debugger::views::registers(*before, focus.vtl) : std::vector<debugger::views::RegisterRow>{};
  Json list = Json::array();
  for (const debugger::views::RegisterRow& row : debugger::views::registers(view.processor, focus.vtl)) {
    if ((wanted >> static_cast<unsigned>(row.group) & 1) == 0) continue;
    Json json{{"name", row.name}, {"value", hex(row.value)}, {"bits", row.bits}, {"group", word(row.group)}, {"shared", row.shared}};
    if (before && then[row.id].value != row.value) json["previous"] = hex(then[row.id].value);
    list.push_back(std::move(json));
  }
  const bool enabled = view.machine.hypervisor().partition().enabled(focus.vtl);
  return Json{{"registers", std::move(list)}, {"active", view.active}, {"enabled", enabled}};
}

Space space_of(const Parameters& parameters) {
  const std::string space = parameters.text("space");
  if (space == "spa") return Space::Spa;
  if (space == "gva") return Space::Gva;
  return parameters.flag("privileged") ? Space::GpaPrivileged : Space::Gpa;
}

/// A required address; 128 bits are more than there is.
Result<uint64_t, Refusal> address_of(const Parameters& parameters, std::string_view name = "address") {
  const auto address = parameters.hex(name);
  if (address) return *address;
  return refuse(Code::InvalidParameters, fmt::format("{} has more than 64 bits", name));
}

Answer read_memory(Desk& desk, const Parameters& parameters) {
  const uint64_t address = TRY(address_of(parameters));
  const View view = TRY(desk.look(parameters));
  const Eye eye = TRY(desk.eye(view, parameters));
  constexpr std::string_view states[] = {"readable", "denied", "unmapped", "device"};
  Json list = Json::array();
  for (const auto& part : debugger::views::read_memory(eye, space_of(parameters), address, *parameters.integer("length"))) {
    Json json{{"offset", part.offset}, {"length", part.length}, {"state", states[static_cast<size_t>(part.reach)]}};
    if (part.reach == debugger::views::Reach::Readable) json["bytes"] = bytes_text(part.bytes);
    if (!part.why.empty()) json["why"] = part.why;
    list.push_back(std::move(json));
  }
  return Json{{"parts", std::move(list)}};
}

Answer search_memory(Desk& desk, const Parameters& parameters) {
  constexpr uint64_t longest = uint64_t{1} << 32;
  debugger::views::Search search;
  search.address = TRY(address_of(parameters));
  search.length = TRY(address_of(parameters, "length"));
  search.pattern = parameters.bytes("pattern");
  search.maximum = parameters.integer("maximum", 64);
  if (search.length > longest) return refuse(Code::InvalidParameters, fmt::format("length is {:#x}; at most {:#x}", search.length, longest));
  if (search.maximum == 0) return refuse(Code::InvalidParameters, "maximum is 0");
  const View view = TRY(desk.look(parameters));
  const Eye eye = TRY(desk.eye(view, parameters));
  const auto found = debugger::views::search_memory(eye, space_of(parameters), search, [&] { return desk.session.interrupted(); });
  if (desk.session.interrupted()) return refuse(Code::Refused, "interrupted");
  Json list = Json::array();
  for (const uint64_t address : found.addresses) list.push_back(hex(address));
  return Json{{"found", std::move(list)}, {"skipped", hex(found.skipped)}};
}

/// The source line that begins at this place; empty if none does, or if it is not at hand.
std::string_view source_beginning_at(Desk& desk, const View& view, uint64_t cr3, const debugger::Place& place) {
  if (place.line == 0) return {};
  const debugger::Place before = view.names.place(place.address - 1, cr3);
  if (before.file == place.file && before.line == place.line) return {};
  return desk.sources.line(place.file, place.line);
}

Json line_json(Desk& desk, const View& view, uint64_t cr3, const debugger::views::CodeLine& line) {
  const debugger::Place place = view.names.place(line.address, cr3);
  Json json{{"place", to_json(place)}, {"bytes", bytes_text(line.bytes)}, {"text", line.text}};
  if (line.target) json["target"] = to_json(view.names.place(*line.target, cr3));
  json["current"] = line.address == view.context.rip;
  json["breakpoints"] = desk.session.breakpoints().at(line.address, view.focus.vtl, cr3);
  const std::string_view source = source_beginning_at(desk, view, cr3, place);
  if (!source.empty()) json["source"] = source;
  return json;
}

/// Where symbols before an address begin: as many as `count` instructions may reach, ascending.
std::vector<uint64_t> beginnings_before(const View& view, uint64_t cr3, uint64_t address, uint64_t count) {
  const uint64_t farthest = count * trace::longest_instruction;
  std::vector<uint64_t> out;
  for (uint64_t to = address; to != 0 && address - to < farthest && out.size() < count;) {
    const debugger::Place place = view.names.place(to - 1, cr3);
    if (place.symbol.empty() || place.displacement >= to) break;
    to = to - 1 - place.displacement;
    out.push_back(to);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

Answer disassemble(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  const Eye eye = TRY(desk.eye(view, parameters));
  const uint64_t cr3 = eye.space.stage1.cr3;
  debugger::views::CodeRequest request;
  request.address = parameters.has("address") ? TRY(address_of(parameters)) : view.focus.address.value_or(view.context.rip);
  request.count = *parameters.integer("count");
  request.before = parameters.integer("before", 0);
  if (request.before != 0) request.beginnings = beginnings_before(view, cr3, request.address, request.before);
  Json lines = Json::array();
  for (const auto& line : debugger::views::disassemble(eye, desk.disassembler, request)) lines.push_back(line_json(desk, view, cr3, line));
  return Json{{"lines", std::move(lines)}};
}

Answer evaluate(Desk& desk, const Parameters& parameters) {
  const debugger::Focus focus = TRY(desk.focus(parameters));
  TRY(or_refuse(desk.session.look(focus)));
  const auto compiled = desk.session.compile(parameters.text("expression"), focus);
  if (!compiled) {
    const debugger::ExpressionError& error = compiled.error();
    if (error.message.starts_with("not implemented")) return refuse(Code::NotImplemented, error.message);
    return refuse(error.unknown_name ? Code::NotThere : Code::InvalidParameters, fmt::format("column {}: {}", error.column, error.message));
  }
  const View view = TRY(or_refuse(desk.session.look(focus)));
  const auto value = compiled.value().evaluate({.machine = &view.machine, .event = nullptr, .names = &view.names, .vp = focus.vp, .vtl = focus.vtl});
  if (!value) return refuse(Code::NotThere, "it has no value here: memory that cannot be read, or a division by zero");
  if (value->type == debugger::ValueType::Text) return Json{{"type", "text"}, {"value", value->text}};
  if (value->type == debugger::ValueType::Boolean) return Json{{"type", "boolean"}, {"value", value->number != 0 ? "true" : "false"}};
  Json json{{"type", "integer"}, {"value", fmt::format("{:#x} = {}", value->number, value->number)}, {"number", hex(value->number)}};
  const debugger::Place place = view.names.place(value->number, view.context.cr3);
  if (!place.module.empty()) json["place"] = to_json(place);
  return json;
}

}  // namespace

void serve_state(Desk& desk) {
  serve(desk, "registers", registers);
  serve(desk, "memory.read", read_memory);
  serve(desk, "memory.search", search_memory);
  serve(desk, "disassemble", disassemble);
  serve(desk, "evaluate", evaluate);
}

}  // namespace rpc
