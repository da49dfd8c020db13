#include "sim/debugger/event_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>

#include "abi/hv/hypercalls.h"
#include "abi/hv/msrs.h"
#include "abi/sk/tables.h"
#include "sim/debugger/registers.h"
#include "vtl/call_fields.h"

namespace debugger {
namespace {

namespace sk = abi::sk;
using abi::hv::Vtl;
using support::Error;
using support::Event;
using support::EventKind;

char small(char letter) { return static_cast<char>(std::tolower(static_cast<unsigned char>(letter))); }

sk::SkCall frame_of(const Event& event) {
  sk::SkCall call;
  std::memcpy(&call, event.frame, sizeof call);
  return call;
}

sk::State state_of(const sk::SkCall& call) { return static_cast<sk::State>(call.state & ~sk::state_break_into_debugger); }

bool is_secure_service(const Event& event) {
  if (event.kind != EventKind::VtlCall || event.frame == nullptr) return false;
  return static_cast<sk::Operation>(frame_of(event).operation) == sk::Operation::SecureService;
}

/// A request that the secure kernel has for NTOS: a normal service, or a system call that NTOS answers.
bool is_normal_call(const Event& event) {
  if (event.kind != EventKind::VtlReturn || event.frame == nullptr) return false;
  const sk::State state = state_of(frame_of(event));
  return state == sk::State::NormalService || state == sk::State::UserSystemCall || state == sk::State::KernelSystemCall;
}

enum class Detail : uint8_t { None, Code, Name, Vector, Msr, Register };
using Test = bool (*)(const Event& event);

template <EventKind kind>
bool is(const Event& event) { return event.kind == kind; }

struct Kind {
  EventKindRow row;
  Detail detail;
  Test test;
};
constexpr std::string_view name_or_code = "NAME or NUMBER", part_of_name = "NAME";
constexpr std::array kinds{
    Kind{{"vtl-call", "", "a VTL call into the next higher VTL"}, Detail::None, is<EventKind::VtlCall>},
    Kind{{"vtl-return", "", "a VTL return into the next lower VTL"}, Detail::None, is<EventKind::VtlReturn>},
    Kind{{"vtl-entry", "", "a higher VTL is entered by an interrupt or intercept"}, Detail::None,
         is<EventKind::VtlInterruptEntry>},
    Kind{{"hypercall", name_or_code, "a hypercall other than VTL call and return"}, Detail::Code, is<EventKind::Hypercall>},
    Kind{{"secure-service", name_or_code, "NTOS asks the secure kernel for a service"}, Detail::Code, is_secure_service},
    Kind{{"normal-call", name_or_code, "the secure kernel asks NTOS for a service or a system call"}, Detail::Code,
         is_normal_call},
    Kind{{"ium-call", name_or_code, "a system call of a trustlet"}, Detail::Code,
         [](const Event& event) { return event.kind == EventKind::SystemCall && event.vtl == Vtl::Vtl1; }},
    Kind{{"system-call", name_or_code, "SYSCALL in any VTL"}, Detail::Code, is<EventKind::SystemCall>},
    Kind{{"intercept", "", "an access that a higher VTL forbids becomes a message to it"}, Detail::None,
         is<EventKind::Intercept>},
    Kind{{"slat-violation", "", "the same: the second stage refuses an access to a lower VTL"}, Detail::None,
         is<EventKind::Intercept>},
    Kind{{"msr", "NAME or NUMBER", "a synthetic MSR is written; of others that are registers: one gets another value"}, Detail::Msr,
         is<EventKind::MsrWrite>},
    Kind{{"control-register", "cr0, cr3, cr4 or cr8", "a control register gets another value"}, Detail::Register, nullptr},
    Kind{{"interrupt", "VECTOR", "an external interrupt is delivered"}, Detail::Vector, is<EventKind::Interrupt>},
    Kind{{"exception", "VECTOR or NAME", "an exception is delivered"}, Detail::Code, is<EventKind::Exception>},
    Kind{{"protection", "", "VTL 1 changes what VTL 0 may do with pages"}, Detail::None, is<EventKind::ProtectionChange>},
    Kind{{"vtl-enabled", "", "a VTL is enabled for the partition or a processor"}, Detail::None, is<EventKind::VtlEnabled>},
    Kind{{"tlb-flush", "", "translations are flushed by hypercall"}, Detail::None, is<EventKind::TlbFlush>},
    Kind{{"image-load", part_of_name, "an image is announced"}, Detail::Name, is<EventKind::ImageLoaded>},
    Kind{{"image-unload", part_of_name, "an image goes"}, Detail::Name, is<EventKind::ImageUnloaded>},
    Kind{{"process-start", part_of_name, "a process is announced by NTOS"}, Detail::Name,
         [](const Event& event) { return event.kind == EventKind::ProcessCreated && event.vtl == Vtl::Vtl0; }},
    Kind{{"trustlet-start", part_of_name, "a trustlet is announced by the secure kernel"}, Detail::Name,
         [](const Event& event) { return event.kind == EventKind::ProcessCreated && event.vtl == Vtl::Vtl1; }},
    Kind{{"process-exit", part_of_name, "a process or trustlet goes"}, Detail::Name, is<EventKind::ProcessExited>},
    Kind{{"milestone", part_of_name, "a guest says how far it came"}, Detail::Name, is<EventKind::Milestone>},
    Kind{{"print", part_of_name, "a guest prints to its debugger"}, Detail::Name, is<EventKind::DebugPrint>},
    Kind{{"hypervisor", "", "the hypervisor is launched"}, Detail::None, is<EventKind::HypervisorLaunched>},
    Kind{{"power-off", "", "the guest switches the machine off"}, Detail::None, is<EventKind::PowerOff>},
    Kind{{"triple-fault", "", "the processor shuts down"}, Detail::None, is<EventKind::TripleFault>},
};

constexpr std::array kind_rows = [] {
  std::array<EventKindRow, kinds.size()> list{};
  for (size_t i = 0; i < kinds.size(); ++i) list[i] = kinds[i].row;
  return list;
}();

std::string known_kinds() {
  std::string list;
  for (const Kind& kind : kinds) list += fmt::format("{}{}", list.empty() ? "" : ", ", kind.row.name);
  return list;
}

std::optional<uint64_t> number_of(std::string_view text) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  const std::string_view digits = hex ? text.substr(2) : text;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, hex ? 16 : 10);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<uint64_t> msr_of(std::string_view name) {
  struct Row {
    uint64_t number;
    std::string_view name;
  };
  static constexpr Row x64[] = {
#define X64_MSR(name, number, access, source) {number, #name},
#include "abi/x64/msr.def"
#undef X64_MSR
  };
  for (const Row& row : x64)
    if (matches_name(row.name, name) && row.name.size() == name.size()) return row.number;
  for (const auto& row : abi::hv::synthetic_msrs)
    if (std::string_view{row.name}.size() == name.size() && matches_name(row.name, name)) return row.number;
  return std::nullopt;
}

/// Of MSRs whose writes nobody announces, because the processor executes them by itself.
std::string_view register_of_msr(uint64_t number) {
  constexpr std::pair<uint64_t, std::string_view> rows[] = {
      {0x277, "pat"}, {0xc0000080, "efer"}, {0xc0000081, "star"}, {0xc0000082, "lstar"}, {0xc0000083, "cstar"},
      {0xc0000084, "sfmask"}, {0xc0000100, "fs_base"}, {0xc0000101, "gs_base"}, {0xc0000102, "kernel_gs_base"},
      {0xc0000103, "tsc_aux"}};
  for (const auto& [msr, name] : rows)
    if (msr == number) return name;
  return {};
}

constexpr std::string_view exceptions[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "",    "#TS",
                                           "#NP", "#SS", "#GP", "#PF", "",    "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};

template <size_t count>
std::string_view service_name(const sk::ServiceRow (&table)[count], uint32_t number) {
  const auto* row = sk::find_row(table, number);
  return row != nullptr ? row->name : std::string_view{};
}

std::string_view system_call_name(uint64_t number) {
  const auto code = static_cast<uint32_t>(number);
  const auto* row = (code & sk::secure_call_bit) != 0 ? sk::find_row(sk::secure_calls, code) : sk::find_row(sk::nt_calls, code);
  return row != nullptr ? row->name : std::string_view{};
}

std::string_view switch_name(const Event& event) {
  if (event.frame == nullptr) return {};
  const sk::SkCall call = frame_of(event);
  if (event.kind == EventKind::VtlCall) {
    switch (static_cast<sk::Operation>(call.operation)) {
      case sk::Operation::ResumeThread: return "ResumeThread";
      case sk::Operation::SecureService: return service_name(sk::secure_services, call.code);
      case sk::Operation::FlushTb: return "FlushTb";
    }
    return {};
  }
  switch (state_of(call)) {
    case sk::State::NormalService: return service_name(sk::normal_services, call.code);
    case sk::State::Finished: return "finished";
    case sk::State::UserSystemCall:
    case sk::State::KernelSystemCall: return system_call_name(call.code);
    case sk::State::Vina: return "VINA";
  }
  return {};
}

/// Little-endian, up to 8 bytes; nothing if it is longer or outside.
std::optional<uint64_t> load(std::string_view bytes, size_t offset, size_t size) {
  if (size > 8 || offset > bytes.size() || size > bytes.size() - offset) return std::nullopt;
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + offset, size);
  return value;
}

std::optional<uint64_t> frame_argument(const Event& event, std::string_view name) {
  const sk::SkCall call = frame_of(event);
  const sk::ServiceRow* row = is_secure_service(event) ? sk::find_row(sk::secure_services, call.code)
                              : is_normal_call(event) && state_of(call) == sk::State::NormalService
                                  ? sk::find_row(sk::normal_services, call.code)
                                  : nullptr;
  if (row == nullptr) return std::nullopt;
  const char* text = row->inputs;
  sk::ArgumentField field{};
  while (sk::next_argument(text, field)) {
    if (std::string_view{field.name, field.name_length} == name)
      return load({reinterpret_cast<const char*>(event.frame), sizeof call}, field.offset, field.size);
  }
  return std::nullopt;
}

}  // namespace

bool contains_text(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char a, char b) { return small(a) == small(b); }) != text.end();
}

/// `*` and `?`, without case; linear but for the last star.
bool matches_pattern(std::string_view text, std::string_view pattern) {
  size_t at = 0, in = 0, star = std::string_view::npos, resume = 0;
  while (at < text.size()) {
    if (in < pattern.size() && pattern[in] == '*') {
      star = in++;
      resume = at;
    } else if (in < pattern.size() && (pattern[in] == '?' || small(pattern[in]) == small(text[at]))) {
      ++in;
      ++at;
    } else if (star != std::string_view::npos) {
      in = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (in < pattern.size() && pattern[in] == '*') ++in;
  return in == pattern.size();
}

bool matches_name(std::string_view text, std::string_view pattern) {
  return pattern.find_first_of("*?") == std::string_view::npos ? contains_text(text, pattern) : matches_pattern(text, pattern);
}

std::span<const EventKindRow> event_kinds() { return kind_rows; }

support::Result<EventPattern> EventPattern::parse(std::string_view text) {
  EventPattern pattern;
  const size_t mark = text.find_first_of("=:");
  const std::string_view name = text.substr(0, mark);
  const auto row = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& kind) { return kind.row.name == name; });
  if (row == kinds.end()) return Error{fmt::format("{}: no kind of event; known are {}", name, known_kinds())};
  pattern.row_ = static_cast<size_t>(row - kinds.begin());
  if (mark != std::string_view::npos) pattern.detail_ = text.substr(mark + 1);
  if (pattern.detail_.empty()) {
    if (row->detail == Detail::Register) return Error{fmt::format("{} needs a register: {}", name, row->row.detail)};
    return pattern;
  }
  if (row->detail == Detail::None) return Error{fmt::format("{}: {} takes no detail", text, name)};
  pattern.number_ = number_of(pattern.detail_);
  if (row->detail == Detail::Register) {
    const std::string& wanted = pattern.detail_;
    for (const std::string_view known : {"cr0", "cr3", "cr4", "cr8"})
      if (wanted == known) pattern.watched_register_ = known;
    if (pattern.watched_register_.empty()) return Error{fmt::format("{}: allowed are {}", text, row->row.detail)};
  }
  if (row->detail == Detail::Msr && !pattern.number_) pattern.number_ = msr_of(pattern.detail_);
  const bool by_number = row->detail == Detail::Msr || row->detail == Detail::Vector;
  if (by_number && !pattern.number_) return Error{fmt::format("{}: neither a number nor a known name", text)};
  if (row->detail == Detail::Msr && abi::hv::find_synthetic_msr(static_cast<uint32_t>(*pattern.number_)) == nullptr) {
    pattern.watched_register_ = register_of_msr(*pattern.number_);
    if (pattern.watched_register_.empty()) return Error{fmt::format("{}: the machine does not announce writes of this MSR", text)};
  }
  return pattern;
}

bool EventPattern::matches(const Event& event) const {
  const Kind& kind = kinds[row_];
  if (!watched_register_.empty() || kind.test == nullptr || !kind.test(event)) return false;
  if (detail_.empty()) return true;
  switch (kind.detail) {
    case Detail::None:
    case Detail::Register: return false;
    case Detail::Msr:
    case Detail::Vector: return event.a == *number_;
    case Detail::Code:
      return number_ ? event_code(event) == number_ : matches_name(event_name(event), detail_);
    case Detail::Name: return matches_name(event.text, detail_);
  }
  return false;
}

std::string EventPattern::text() const {
  const EventKindRow& row = kinds[row_].row;
  return detail_.empty() ? std::string{row.text} : fmt::format("{}: {}", row.text, detail_);
}

std::string_view event_name(const Event& event) {
  switch (event.kind) {
    case EventKind::Hypercall: {
      const abi::hv::CallInfo* call = abi::hv::find_call(static_cast<uint16_t>(event.a));
      return call != nullptr ? call->name : std::string_view{};
    }
    case EventKind::VtlCall:
    case EventKind::VtlReturn: return switch_name(event);
    case EventKind::SystemCall: return system_call_name(event.a);
    case EventKind::Exception: return event.a < std::size(exceptions) ? exceptions[event.a] : std::string_view{};
    case EventKind::ImageLoaded:
    case EventKind::ImageUnloaded:
    case EventKind::ProcessCreated:
    case EventKind::ProcessExited:
    case EventKind::DebugPrint:
    case EventKind::Milestone: return event.text;
    default: return {};
  }
}

std::optional<uint64_t> event_code(const Event& event) {
  switch (event.kind) {
    case EventKind::Hypercall: return event.a & 0xffff;
    case EventKind::VtlCall:
    case EventKind::VtlReturn:
      if (event.frame == nullptr) return std::nullopt;
      return frame_of(event).code;
    case EventKind::SystemCall: return event.a & 0xffffffff;
    case EventKind::Exception: return event.a;
    default: return std::nullopt;
  }
}

std::optional<uint64_t> event_argument(const Event& event, std::string_view name) {
  if (event.kind == EventKind::ProtectionChange) {
    if (name == "gpa") return event.a;
    if (name == "pages") return event.b;
    if (name == "map_flags") return event.c;
    return std::nullopt;
  }
  if (event.kind == EventKind::VtlCall || event.kind == EventKind::VtlReturn)
    return event.frame != nullptr ? frame_argument(event, name) : std::nullopt;
  if (event.kind != EventKind::Hypercall) return std::nullopt;
  const vtl::CallFields* fields = vtl::find_call_fields(static_cast<uint16_t>(event.a));
  if (fields == nullptr) return std::nullopt;
  for (const abi::Field& field : fields->header)
    if (field.name == name) return load(event.text, field.offset, field.size);
  return std::nullopt;
}

std::optional<uint64_t> event_status(const Event& event) {
  if (event.kind == EventKind::Hypercall) return event.b & 0xffff;
  if (event.kind != EventKind::VtlReturn || event.frame == nullptr) return std::nullopt;
  const sk::SkCall call = frame_of(event);
  if (state_of(call) != sk::State::Finished) return std::nullopt;
  return call.parameter[0] & 0xffffffff;
}

}  // namespace debugger
