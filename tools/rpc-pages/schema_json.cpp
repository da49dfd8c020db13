// rpc-schema: the table of the debugger's interface as JSON, for the scripts that make pages and clients of it.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "sim/rpc/schema.h"

namespace {

using Json = nlohmann::ordered_json;

Json fields_json(std::span<const rpc::Field> fields) {
  Json list = Json::array();
  for (const rpc::Field& field : fields) list.push_back({{"name", field.name}, {"type", field.type}, {"text", field.text}});
  return list;
}

}  // namespace

int main() {
  constexpr const char* effects[] = {"Looks", "Moves", "Forks", "Writes"};
  Json records = Json::array(), methods = Json::array();
  for (const rpc::Record& record : rpc::records())
    records.push_back({{"name", record.name}, {"text", record.text}, {"fields", fields_json(record.fields)}});
  for (const rpc::Method& method : rpc::methods())
    methods.push_back({{"name", method.name},
                       {"text", method.text},
                       {"effect", effects[static_cast<size_t>(method.effect)]},
                       {"parameters", fields_json(method.parameters)},
                       {"results", fields_json(method.results)}});
  fmt::print("{}\n", Json{{"records", records}, {"methods", methods}}.dump(1));
  return std::fflush(stdout) == 0 ? 0 : 1;
}
