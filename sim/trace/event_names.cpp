#include "sim/trace/event_names.h"

#include <algorithm>
#include <iterator>

namespace trace {
namespace {

using support::EventKind;

struct Row {
  EventKind kind;
  std::string_view name;
};
constexpr Row rows[] = {
    {EventKind::Hypercall, "Hypercall"},
    {EventKind::VtlCall, "VtlCall"},
    {EventKind::VtlReturn, "VtlReturn"},
    {EventKind::VtlInterruptEntry, "VtlInterruptEntry"},
    {EventKind::Intercept, "Intercept"},
    {EventKind::ProtectionChange, "ProtectionChange"},
    {EventKind::VtlEnabled, "VtlEnabled"},
    {EventKind::Exception, "Exception"},
    {EventKind::Interrupt, "Interrupt"},
    {EventKind::SystemCall, "SystemCall"},
    {EventKind::MsrWrite, "MsrWrite"},
    {EventKind::TlbFlush, "TlbFlush"},
    {EventKind::ImageLoaded, "ImageLoaded"},
    {EventKind::ImageUnloaded, "ImageUnloaded"},
    {EventKind::ProcessCreated, "ProcessCreated"},
    {EventKind::ProcessExited, "ProcessExited"},
    {EventKind::DebugPrint, "DebugPrint"},
    {EventKind::Milestone, "Milestone"},
    {EventKind::HypervisorLaunched, "HypervisorLaunched"},
    {EventKind::PowerOff, "PowerOff"},
    {EventKind::TripleFault, "TripleFault"},
    {EventKind::Walk, "Walk"},
};

consteval bool rows_follow_the_enum() {
  for (size_t i = 0; i < std::size(rows); ++i)
    if (static_cast<size_t>(rows[i].kind) != i) return false;
  return true;
}
static_assert(rows_follow_the_enum(), "a row per EventKind, in its order");

}  // namespace

std::string_view name_of(EventKind kind) {
  const auto index = static_cast<size_t>(kind);
  return index < std::size(rows) ? rows[index].name : "unknown event";
}

std::optional<EventKind> event_kind(std::string_view name) {
  const auto* row =
      std::find_if(std::begin(rows), std::end(rows), [&](const Row& r) { return r.name == name; });
  if (row == std::end(rows)) return std::nullopt;
  return row->kind;
}

std::string event_kind_list() {
  std::string list;
  for (const Row& row : rows) {
    if (!list.empty()) list += ',';
    list += row.name;
  }
  return list;
}

}  // namespace trace
