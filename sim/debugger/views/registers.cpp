#include "sim/debugger/views/registers.h"

namespace debugger::views {
namespace {

struct Kind {
  std::string_view prefix;
  RegisterGroup group;
  uint8_t bits;
};

/// The first that a name begins with decides.
constexpr Kind kinds[] = {
    {"xmm", RegisterGroup::Sse, 128},
    {"mxcsr", RegisterGroup::Sse, 32},
    {"star", RegisterGroup::Msr, 64},
    {"st", RegisterGroup::X87, 80},
    {"cr", RegisterGroup::Control, 64},
    {"dr", RegisterGroup::Debug, 64},
    {"fs_base", RegisterGroup::Segment, 64},
    {"gs_base", RegisterGroup::Segment, 64},
    {"gdtr", RegisterGroup::Segment, 80},
    {"idtr", RegisterGroup::Segment, 80},
    {"lstar", RegisterGroup::Msr, 64},
    {"cstar", RegisterGroup::Msr, 64},
    {"efer", RegisterGroup::Msr, 64},
    {"sfmask", RegisterGroup::Msr, 64},
    {"pat", RegisterGroup::Msr, 64},
    {"tsc_aux", RegisterGroup::Msr, 64},
    {"kernel_gs_base", RegisterGroup::Msr, 64},
};
constexpr std::string_view selectors[] = {"es", "cs", "ss", "ds", "fs", "gs", "tr", "ldtr"};

const Kind* kind_of(std::string_view name) {
  for (const Kind& kind : kinds)
    if (name.starts_with(kind.prefix)) return &kind;
  return nullptr;
}

bool is_selector(std::string_view name) {
  for (const std::string_view selector : selectors)
    if (name == selector) return true;
  return false;
}

/// TR's row has its base beside the selector, which is what a debugger of processes wants to watch.
vtl::Xmm shown_value(const RegisterRow& row, const vtl::Xmm& value) {
  if (row.bits == 16) return {value.low & 0xffff, 0};
  if (row.bits == 80) return {value.low, value.high & 0xffff};
  return value;
}

}  // namespace

RegisterGroup group_of(std::string_view name) {
  if (is_selector(name)) return RegisterGroup::Segment;
  const Kind* kind = kind_of(name);
  return kind == nullptr ? RegisterGroup::General : kind->group;
}

uint8_t bits_of(std::string_view name) {
  if (is_selector(name)) return 16;
  const Kind* kind = kind_of(name);
  return kind == nullptr ? 64 : kind->bits;
}

std::vector<RegisterRow> registers(const vtl::VirtualProcessor& vp, abi::hv::Vtl vtl) {
  std::vector<RegisterRow> rows;
  for (RegisterId id = 0; id < register_count(); ++id) {
    const std::string_view name = register_name(id);
    RegisterRow row{id, name, {}, bits_of(name), group_of(name), is_shared(id)};
    row.value = shown_value(row, register_value(id, vp, vtl));
    rows.push_back(row);
  }
  return rows;
}

}  // namespace debugger::views
