// modules, symbols, source, types: what things are called.
#include <fmt/format.h>

#include "sim/rpc/desk.h"
#include "sim/rpc/records.h"
#include "sim/symbols/library.h"
#include "sim/symbols/places.h"

namespace rpc {
namespace {

using debugger::View;

Answer modules(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  return Json{{"modules", modules_json(view.names)}};
}

Answer find(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  const auto found = symbols::find_symbols(view.names.images(), parameters.text("pattern"), parameters.integer("maximum", 100));
  Json list = Json::array();
  for (size_t i = 0; i < found.addresses.size(); ++i) {
    const debugger::Place known = view.names.place(found.addresses[i]);
    const std::string& name = found.names[i];  // of several at one address the one that was asked for
    Json place = to_json(known);
    place["symbol"] = name.substr(name.find('!') + 1);
    place["displacement"] = 0;
    place["text"] = name;
    list.push_back({{"place", std::move(place)}});
  }
  return Json{{"symbols", std::move(list)}, {"more", found.more}};
}

Answer at(Desk& desk, const Parameters& parameters) {
  const auto address = parameters.hex("address");
  if (!address) return refuse(Code::InvalidParameters, "address has more than 64 bits");
  const View view = TRY(desk.look(parameters));
  return Json{{"place", to_json(view.names.place(*address, view.context.cr3))}};
}

Answer source(Desk& desk, const Parameters& parameters) {
  const std::string name = parameters.text("file");
  const debugger::views::SourceFile* file = desk.sources.find(name);
  if (file == nullptr) return refuse(Code::NotThere, fmt::format("{} is not in a folder of sources", name.substr(0, 256)));
  const uint64_t from = std::max<uint64_t>(parameters.integer("from", 1), 1), count = parameters.integer("count", ~uint64_t{0});
  Json lines = Json::array();
  for (uint64_t i = from - 1; i < file->lines.size() && lines.size() < count; ++i) lines.push_back(file->lines[i]);
  return Json{{"lines", std::move(lines)}, {"path", file->path}};
}

Answer source_places(Desk& desk, const Parameters& parameters) {
  const View view = desk.session.look();
  const uint64_t line = std::min<uint64_t>(*parameters.integer("line"), ~uint32_t{0});
  const symbols::LinePlaces found = symbols::addresses_of_line(view.names.images(), parameters.text("file"), static_cast<uint32_t>(line));
  Json json = Json::object();
  if (!found.addresses.empty()) json["line"] = found.line;
  Json places = Json::array();
  for (const uint64_t address : found.addresses) places.push_back(to_json(view.names.place(address)));
  json["places"] = std::move(places);
  return json;
}

/// Calls visit(image, its types) for each image file once; `module` empty: for all.
template <class Visit>
void for_each_table(Desk& desk, const debugger::Names& names, std::string_view module, const Visit& visit) {
  std::vector<std::string> seen;
  for (const loader::LoadedImage& image : names.images().images()) {
    const bool wanted = module.empty() || symbols::matches_pattern(image.module, module) || symbols::matches_pattern(image.name, module);
    if (!wanted || std::find(seen.begin(), seen.end(), image.name) != seen.end()) continue;
    seen.push_back(image.name);
    if (!visit(image, desk.library.of(image.name).types)) return;
  }
}

/// "module!name" in two; without a module the first part is empty.
std::pair<std::string, std::string> split(const std::string& text) {
  const size_t mark = text.find('!');
  return mark == std::string::npos ? std::pair{std::string{}, text} : std::pair{text.substr(0, mark), text.substr(mark + 1)};
}

Answer find_types(Desk& desk, const Parameters& parameters) {
  const View view = TRY(desk.look(parameters));
  const auto [module, pattern] = split(parameters.text("pattern"));
  const uint64_t maximum = parameters.integer("maximum", 100);
  Json names = Json::array();
  bool more = false;
  for_each_table(desk, view.names, module, [&](const loader::LoadedImage& image, const symbols::TypeTable& types) {
    const symbols::TypeMatches found = types.match(pattern, maximum - names.size());
    for (const symbols::TypeIndex type : found.types) names.push_back(image.module + "!" + std::string{types.name(type)});
    more = found.more;
    return !more;
  });
  return Json{{"names", std::move(names)}, {"more", more}};
}

}  // namespace

void serve_symbols(Desk& desk) {
  serve(desk, "modules", modules);
  serve(desk, "symbols.find", find);
  serve(desk, "symbols.at", at);
  serve(desk, "source", source);
  serve(desk, "source.places", source_places);
  serve(desk, "types.find", find_types);
}

}  // namespace rpc
