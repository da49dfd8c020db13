#include "sim/debugger/stop_condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "sim/debugger/event_pattern.h"

namespace debugger {
namespace {

struct KindName {
  std::string_view name;
  support::EventKind kind;
  bool takes_detail;
};

constexpr std::array kind_names{
    KindName{"vtl-call", support::EventKind::VtlCall, false},
    KindName{"vtl-return", support::EventKind::VtlReturn, false},
    KindName{"hypercall", support::EventKind::Hypercall, true},
    KindName{"intercept", support::EventKind::Intercept, false},
    KindName{"exception", support::EventKind::Exception, true},
    KindName{"image", support::EventKind::ImageLoaded, true},
    KindName{"process", support::EventKind::ProcessCreated, true},
    KindName{"milestone", support::EventKind::Milestone, true},
    KindName{"print", support::EventKind::DebugPrint, true},
    KindName{"protection", support::EventKind::ProtectionChange, false},
    KindName{"hypervisor", support::EventKind::HypervisorLaunched, false},
    KindName{"power-off", support::EventKind::PowerOff, false},
};

std::string known_kinds() {
  std::string list;
  for (const KindName& row : kind_names) {
    list += fmt::format("{}{}{}", list.empty() ? "" : ", ", row.name, row.takes_detail ? "[:detail]" : "");
  }
  return list;
}

}  // namespace

support::Result<StopCondition> StopCondition::parse(std::string_view text) {
  StopCondition condition;
  std::string digits{text};
  std::erase(digits, '_');
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), condition.instant.ticks);
  if (error == std::errc{} && end == digits.data() + digits.size()) return condition;
  if (error == std::errc::result_out_of_range) {
    return support::Error{fmt::format("--until {}: an instruction count has at most 64 bits", text)};
  }

  condition.instant = support::never;
  const size_t colon = text.find(':');
  const std::string_view name = text.substr(0, colon);
  for (const KindName& row : kind_names) {
    if (row.name != name) continue;
    condition.by_event = true;
    condition.kind = row.kind;
    if (colon != std::string_view::npos) condition.detail = text.substr(colon + 1);
    if (!condition.detail.empty() && !row.takes_detail) {
      return support::Error{fmt::format("--until {}: {} takes no detail", text, name)};
    }
    return condition;
  }
  return support::Error{
      fmt::format("--until {}: neither an instruction count nor one of {}", text, known_kinds())};
}

bool StopCondition::matches(const support::Event& event) const {
  if (!by_event || event.kind != kind) return false;
  if (detail.empty()) return true;
  if (kind == support::EventKind::Hypercall) return contains_text(event_name(event), detail);
  if (kind == support::EventKind::Exception) return fmt::format("{}", event.a) == detail;
  return contains_text(event.text, detail);
}

void StopListener::on(const support::Event& event) {
  if (reached_ || !condition_.matches(event)) return;
  reached_ = true;
  stop_();
}

}  // namespace debugger
