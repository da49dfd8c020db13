#include <fmt/format.h>

#include <algorithm>

#include "abi/hv/hypercalls.h"
#include "abi/hv/msrs.h"
#include "abi/hv/vp_registers.h"
#include "sim/trace/call_decoder.h"
#include "vtl/call_fields.h"

namespace trace {
namespace {

using loader::Bytes;
using Fields = std::span<const abi::Field>;

uint64_t load(Bytes bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes.size() && i < 8; ++i)
    value |= uint64_t{bytes[i]} << (8 * i);
  return value;
}

std::string map_flags_text(uint64_t flags) {
  static constexpr std::pair<uint32_t, std::string_view> names[] = {
      {abi::hv::map_gpa::readable, "R"},
      {abi::hv::map_gpa::writable, "W"},
      {abi::hv::map_gpa::kernel_executable, "KX"},
      {abi::hv::map_gpa::user_executable, "UX"}};
  if (flags == 0) return "no access";
  std::string text;
  for (const auto& [bit, name] : names) {
    if ((flags & bit) == 0) continue;
    text += fmt::format("{}{}", text.empty() ? "" : "|", name);
    flags &= ~uint64_t{bit};
  }
  if (flags != 0) text += fmt::format("{}{:#x}", text.empty() ? "" : "|", flags);
  return text;
}

std::string field_text(const abi::Field& field, Bytes bytes) {
  const uint64_t value = load(bytes);
  if (field.size > 8) return fmt::format("({} bytes)", field.size);
  switch (field.kind) {
    case abi::FieldKind::Vtl:
      return fmt::format("{}", value & 0xf);
    case abi::FieldKind::Count:
      return fmt::format("{}", value);
    case abi::FieldKind::Flags:
      if (std::string_view{field.name} == "map_flags") return map_flags_text(value);
      break;
    case abi::FieldKind::Register:
      if (const auto* row = abi::hv::find_register(static_cast<uint32_t>(value))) return row->name;
      break;
    default:
      break;
  }
  if (std::string_view{field.name} == "target_partition" && value == abi::hv::partition_self)
    return "self";
  if (std::string_view{field.name} == "target_vp" && value == abi::hv::vp_self) return "self";
  return fmt::format("{:#x}", value);
}

/// All fields but reserved ones that are zero as they must be.
void add_fields(Fields fields, Bytes bytes, const std::string& prefix, Arguments& out) {
  for (const abi::Field& field : fields) {
    const auto part = loader::part(bytes, field.offset, field.size);
    if (!part) return;
    if (field.kind == abi::FieldKind::Reserved &&
        std::all_of(part->begin(), part->end(), [](uint8_t b) { return b == 0; }))
      continue;
    out.push_back({prefix + field.name, field_text(field, *part)});
    // Of a structure inside: what is no structure again.
    for (const abi::Field& inner : vtl::parts_of(field)) {
      if (inner.kind != abi::FieldKind::Bytes)
        add_fields({&inner, 1}, *part, prefix + field.name + ".", out);
    }
  }
}

/// Lists of pages are mostly runs; anything else is shown up to a few elements.
/// A long call is captured in pieces, and an event carries the last: `list` begins with element
/// `start`.
void add_elements(const abi::hv::CallInfo& call, Fields fields, Bytes list, size_t start,
                  Arguments& out) {
  constexpr size_t shown = 4;
  const size_t count = list.size() / call.element;
  if (call.code == abi::hv::CallCode::ModifyVtlProtectionMask && count != 0) {
    const uint64_t first = load(list.first(8));
    bool run = true;
    for (size_t i = 1; i < count; ++i)
      run = run && load(list.subspan(i * 8, 8)) == first + i;
    if (run) {
      out.push_back({start == 0 ? "pages" : fmt::format("pages[{}..]", start),
                     count == 1 ? fmt::format("{:#x}", first)
                                : fmt::format("{:#x}..{:#x}", first, first + count - 1)});
      return;
    }
  }
  for (size_t i = 0; i < std::min(count, shown); ++i)
    add_fields(fields, list.subspan(i * call.element, call.element),
               fmt::format("[{}].", start + i), out);
  if (count > shown) out.push_back({"...", fmt::format("{} more", count - shown)});
}

}  // namespace

std::string to_text(const Arguments& arguments) {
  std::string text;
  for (const Argument& argument : arguments)
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", argument.name, argument.value);
  return text;
}

DecodedHypercall decode_hypercall(uint64_t control, uint64_t result, Bytes input) {
  const abi::hv::HypercallControl word{control};
  const abi::hv::HypercallResult answer{result};
  DecodedHypercall out;
  out.reps_asked = word.rep_count();
  out.reps_done = answer.reps_completed();
  const auto* status = abi::hv::find_status(answer.status());
  out.status = status != nullptr ? status->name : fmt::format("status {:#06x}", answer.status());
  const auto* call = abi::hv::find_call(word.code());
  const vtl::CallFields* fields = vtl::find_call_fields(word.code());
  if (call == nullptr || fields == nullptr) {
    out.name = fmt::format("hypercall {:#06x}", word.code());
    return out;
  }
  out.name = call->name;
  add_fields(fields->header, input, "", out.arguments);
  const size_t list_at = call->header + size_t{8} * word.variable_header_qwords();
  for (size_t at = call->header; at + 8 <= std::min(list_at, input.size()); at += 8) {
    out.arguments.push_back({fmt::format("variable_header[{}]", (at - call->header) / 8),
                             fmt::format("{:#x}", load(input.subspan(at, 8)))});
  }
  if (call->element != 0 && input.size() > list_at)
    add_elements(*call, fields->element, input.subspan(list_at), word.rep_start(), out.arguments);
  return out;
}

std::string msr_text(uint64_t number) {
  struct Row {
    uint32_t number;
    std::string_view name;
  };
  static constexpr Row x64[] = {
#define X64_MSR(name, number, access, source) {number, #name},
#include "abi/x64/msr.def"
#undef X64_MSR
  };
  for (const Row& row : x64)
    if (row.number == number) return fmt::format("{} ({:#x})", row.name, number);
  for (const auto& row : abi::hv::synthetic_msrs)
    if (row.number == number) return fmt::format("{} ({:#x})", row.name, number);
  return fmt::format("{:#x}", number);
}

}  // namespace trace
