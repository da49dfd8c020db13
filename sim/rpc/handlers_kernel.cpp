// type, processes, trustlets, kernel.table: structures in guests' memory.
#include <fmt/format.h>

#include <algorithm>

#include "sim/rpc/desk.h"
#include "sim/rpc/records.h"
#include "sim/symbols/kernel.h"
#include "sim/symbols/structures.h"

namespace rpc {
namespace {

using debugger::View;
using symbols::FieldValue;
using symbols::TypeIndex;
using symbols::TypeTable;

Json field_json(const FieldValue& field, const View& view, uint64_t cr3) {
  Json json{{"name", field.name}, {"type", field.type}, {"offset", field.offset}, {"size", field.size}};
  if (field.bits != 0) {
    json["bit"] = field.bit;
    json["bits"] = field.bits;
  }
  if (field.count != 0) json["count"] = field.count;
  if (field.value) json["value"] = *field.value;
  if (field.is_pointer && field.number) {
    const debugger::Place place = view.names.place(*field.number, cr3);
    if (!place.module.empty()) json["place"] = to_json(place);
  }
  return json;
}

Json enumerators_json(const TypeTable& types, TypeIndex type) {
  Json list = Json::array();
  for (const symbols::Enumerator& one : types.enumerators(type))
    list.push_back({{"name", one.name}, {"type", hex(one.value)}, {"offset", 0}, {"size", types.size(type)}});
  return list;
}

/// A type of an image, by "module!name" or a name in the first image that has it.
struct FoundType {
  const TypeTable* types{};
  TypeIndex index{};
  std::string name;
};
std::optional<FoundType> find_type(Desk& desk, const View& view, const std::string& text) {
  const size_t mark = text.find('!');
  const std::string module = mark == std::string::npos ? "" : text.substr(0, mark), name = mark == std::string::npos ? text : text.substr(mark + 1);
  for (const loader::LoadedImage& image : view.names.images().images()) {
    if (!module.empty() && !symbols::matches_pattern(image.module, module) && !symbols::matches_pattern(image.name, module)) continue;
    const TypeTable& types = desk.library.of(image.name).types;
    if (const auto index = types.find(name)) return FoundType{&types, *index, image.module + "!" + std::string{types.name(*index)}};
  }
  return std::nullopt;
}

Answer type(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  const std::string name = parameters.text("name");
  const auto found = find_type(desk, view, name);
  if (!found) return refuse(Code::NotThere, fmt::format("no image at this instant has a type {}", name.substr(0, 256)));
  const std::string_view kind = symbols::word_of(found->types->kind(found->index));
  if (kind.empty()) return refuse(Code::NotThere, fmt::format("{} has no members", name));
  Json json{{"name", found->name}, {"kind", kind}, {"size", found->types->size(found->index)}};
  if (kind == "enum") {
    json["fields"] = enumerators_json(*found->types, found->index);
    return json;
  }
  const auto root = TRY(desk.root(view, parameters));
  const auto read = symbols::reader_of(view.machine, view.focus.vp, view.focus.vtl, root);
  Json fields = Json::array();
  for (const FieldValue& field : symbols::fields_of(*found->types, found->index, parameters.hex("address"), read))
    fields.push_back(field_json(field, view, root.value_or(view.context.cr3)));
  json["fields"] = std::move(fields);
  return json;
}

symbols::Kernels kernels(Desk& desk, const View& view) {
  return {view.machine, view.focus.vp, view.names.images(), desk.library};
}

/// What guests announced: all there is where no kernel of ours keeps lists.
Json announced_processes(const View& view) {
  Json list = Json::array();
  for (const debugger::ProcessList::Process& process : view.names.processes().all()) {
    if (process.exited) continue;
    Json json{{"name", process.name}, {"vtl", static_cast<unsigned>(process.vtl)}, {"pid", process.pid}, {"cr3", hex(process.cr3)}};
    if (process.secure_handle != 0) json["secure_handle"] = hex(process.secure_handle);
    json["current"] = view.processor.contexts[process.vtl].cr3 >> 12 == process.cr3 >> 12;
    list.push_back(std::move(json));
  }
  return list;
}

Answer processes(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  const auto known = kernels(desk, view).processes();
  if (!known || known.value().empty()) return Json{{"processes", announced_processes(view)}};
  Json list = Json::array();
  for (const symbols::KernelProcess& process : known.value()) {
    Json json{{"name", process.name}, {"vtl", static_cast<unsigned>(process.vtl)}, {"pid", process.pid}, {"cr3", hex(process.cr3)}};
    if (process.secure_handle != 0) json["secure_handle"] = hex(process.secure_handle);
    if (process.object != 0) json["object"] = hex(process.object);
    json["current"] = process.current;
    list.push_back(std::move(json));
  }
  return Json{{"processes", std::move(list)}};
}

Answer trustlets(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  Json list = Json::array();
  for (const symbols::KernelTrustlet& trustlet : TRY(or_refuse(kernels(desk, view).trustlets()))) {
    Json fields = Json::array();
    for (const FieldValue& field : trustlet.fields) fields.push_back(field_json(field, view, 0));
    list.push_back({{"name", trustlet.name}, {"trustlet_id", hex(trustlet.trustlet_id)}, {"pid", trustlet.pid}, {"cr3", hex(trustlet.cr3)},
                    {"object", hex(trustlet.object)}, {"handle", hex(trustlet.handle)}, {"fields", std::move(fields)}});
  }
  return Json{{"trustlets", std::move(list)}};
}

Answer table(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  const symbols::KernelTable table = TRY(or_refuse(kernels(desk, view).table(parameters.text("what"))));
  Json rows = Json::array();
  for (const symbols::KernelTable::Row& row : table.rows) {
    Json json{{"cells", row.cells}};
    if (row.address) json["address"] = hex(*row.address);
    rows.push_back(std::move(json));
  }
  Json json{{"columns", table.columns}, {"rows", std::move(rows)}};
  if (!table.complaint.empty()) json["complaint"] = table.complaint;
  return json;
}

}  // namespace

void serve_kernel(Desk& desk) {
  serve(desk, "type", type);
  serve(desk, "processes", processes);
  serve(desk, "trustlets", trustlets);
  serve(desk, "kernel.table", table);
}

}  // namespace rpc
