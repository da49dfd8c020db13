// gdb's breakpoints as the session's.
#include <fmt/format.h>

#include "sim/faces/gdb/stub.h"

namespace faces::gdb {
namespace {

constexpr uint64_t hardware = 1, write = 2, access = 4;  // 0: software, 3: read
constexpr uint64_t longest_watch = 1 << 16;
/// Of one client at a time.
constexpr size_t most_points = 10'000;

}  // namespace

std::optional<Stub::Point> Stub::parse_point(std::string_view rest) const {
  Fields fields{rest};
  const auto type = fields.number_until(','), address = fields.number_until(','), length = fields.number_until(';');
  if (!type || !address || !length) return std::nullopt;
  return Point{*type, *address, *type <= hardware ? 0 : *length, processes_ ? general_.vtl : 0};
}

/// gdb names an address only. Code is wherever a processor meets it; memory is watched as either VTL sees it, because
/// gdb asks from whatever thread it has selected by then.
Answered<std::vector<uint64_t>> Stub::set_point(const Point& point) {
  rpc::Json parameters = {{"kind", point.type <= hardware ? "code" : point.type == write ? "write" : "access"}};
  if (point.type <= hardware) {
    parameters["what"] = fmt::format("{:#x}", point.address);
    if (processes_) parameters["vtl"] = point.vtl;
    return std::vector{TRY(target_.set_breakpoint(parameters))};
  }
  parameters["what"] = fmt::format("gva:{:#x}+{:x}", point.address, point.length);
  std::vector<uint64_t> ids;
  std::optional<Refusal> refused;
  for (const uint32_t vtl : {0u, 1u}) {
    if (processes_ && vtl != point.vtl) continue;
    parameters["vtl"] = vtl;
    const auto id = target_.set_breakpoint(parameters);
    if (id) ids.push_back(id.value());
    else if (!refused) refused = id.error();
  }
  if (ids.empty() && refused) return *refused;
  return ids;
}

Reply Stub::insert_breakpoint(std::string_view rest) {
  const auto point = parse_point(rest);
  if (!point) return wrong("Z wants a type, an address and a length");
  if (point->type > access) return "";
  if (point->type >= write && (point->length == 0 || point->length > longest_watch))
    return wrong("1 to 65536 bytes can be watched");
  if (points_.contains(*point)) return "OK";
  if (points_.size() >= most_points) return wrong("there are too many breakpoints");
  auto ids = set_point(*point);
  if (!ids) return refusal(ids.error());
  points_[*point] = std::move(ids.value());
  return "OK";
}

Reply Stub::remove_breakpoint(std::string_view rest) {
  const auto point = parse_point(rest);
  if (!point) return wrong("z wants a type, an address and a length");
  if (point->type > access) return "";
  const auto known = points_.find(*point);
  if (known == points_.end()) return "OK";
  for (const uint64_t id : known->second) target_.remove_breakpoint(id);
  points_.erase(known);
  return "OK";
}

}  // namespace faces::gdb
