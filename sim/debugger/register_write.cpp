// Registers changed from outside.
#include <fmt/format.h>

#include "abi/x64/paging.h"
#include "abi/x64/registers.h"
#include "sim/debugger/registers.h"

namespace debugger {
namespace {

namespace x64 = abi::x64;
using support::Error;
using vtl::SharedRegisters;
using vtl::VtlContext;
using vtl::Xmm;

/// What a value must be like besides having no bits outside of `bits`.
enum class Form : uint8_t { Any, Canonical, Mode };

struct Row {
  std::string_view name;
  Form form;
  uint64_t bits;  ///< that it has
  uint64_t* (*place)(SharedRegisters& shared, VtlContext& context);
};

constexpr uint64_t all = ~uint64_t{0};
/// Of CR0, CR4 and EFER: they decide how code and tables are read.
constexpr uint64_t mode_cr0 = x64::cr0::pe | x64::cr0::pg, mode_cr4 = x64::cr4::pae | x64::cr4::la57,
                   mode_efer = x64::efer::lme | x64::efer::lma;
constexpr uint64_t bits_cr0 = mode_cr0 | x64::cr0::mp | x64::cr0::em | x64::cr0::ts | x64::cr0::et | x64::cr0::ne |
                              x64::cr0::wp | x64::cr0::am | x64::cr0::nw | x64::cr0::cd;

template <uint8_t n>
uint64_t* general(SharedRegisters& shared, VtlContext&) { return &shared.gpr[n]; }
template <uint8_t n>
uint64_t* debug(SharedRegisters& shared, VtlContext&) { return &shared.dr[n]; }
template <auto member>
uint64_t* own(SharedRegisters&, VtlContext& context) { return &(context.*member); }
template <uint8_t n>
uint64_t* base(SharedRegisters&, VtlContext& context) { return &context.segments[n].base; }

constexpr Row rows[] = {
    {"rax", Form::Any, all, general<vtl::Rax>}, {"rcx", Form::Any, all, general<vtl::Rcx>},
    {"rdx", Form::Any, all, general<vtl::Rdx>}, {"rbx", Form::Any, all, general<vtl::Rbx>},
    {"rbp", Form::Any, all, general<vtl::Rbp>}, {"rsi", Form::Any, all, general<vtl::Rsi>},
    {"rdi", Form::Any, all, general<vtl::Rdi>}, {"r8", Form::Any, all, general<vtl::R8>},
    {"r9", Form::Any, all, general<vtl::R9>}, {"r10", Form::Any, all, general<vtl::R10>},
    {"r11", Form::Any, all, general<vtl::R11>}, {"r12", Form::Any, all, general<vtl::R12>},
    {"r13", Form::Any, all, general<vtl::R13>}, {"r14", Form::Any, all, general<vtl::R14>},
    {"r15", Form::Any, all, general<vtl::R15>}, {"rsp", Form::Any, all, own<&VtlContext::rsp>},
    {"rip", Form::Canonical, all, own<&VtlContext::rip>},
    {"rflags", Form::Any, x64::rflags::defined | x64::rflags::always_one, own<&VtlContext::rflags>},
    {"cr0", Form::Mode, bits_cr0, own<&VtlContext::cr0>},
    {"cr2", Form::Any, all, [](SharedRegisters& shared, VtlContext&) { return &shared.cr2; }},
    {"cr3", Form::Any, (uint64_t{1} << 52) - 1, own<&VtlContext::cr3>},
    {"cr4", Form::Mode, 0x3fffff, own<&VtlContext::cr4>},
    {"efer", Form::Mode, x64::efer::sce | x64::efer::nxe | mode_efer, own<&VtlContext::efer>},
    {"dr0", Form::Any, all, debug<0>}, {"dr1", Form::Any, all, debug<1>}, {"dr2", Form::Any, all, debug<2>},
    {"dr3", Form::Any, all, debug<3>},
    {"dr6", Form::Any, 0xffffffff, [](SharedRegisters& shared, VtlContext&) { return &shared.dr6; }},
    {"dr7", Form::Any, 0xffffffff, own<&VtlContext::dr7>},
    {"fs_base", Form::Canonical, all, base<vtl::Fs>}, {"gs_base", Form::Canonical, all, base<vtl::Gs>},
    {"kernel_gs_base", Form::Canonical, all, own<&VtlContext::kernel_gs_base>},
    {"star", Form::Any, all, own<&VtlContext::star>}, {"lstar", Form::Canonical, all, own<&VtlContext::lstar>},
    {"cstar", Form::Canonical, all, own<&VtlContext::cstar>}, {"sfmask", Form::Any, 0xffffffff, own<&VtlContext::sfmask>},
};

uint64_t mode_bits(std::string_view name) {
  return name == "cr0" ? mode_cr0 : name == "cr4" ? mode_cr4 : mode_efer;
}

support::Status set_plain(const Row& row, vtl::VirtualProcessor& vp, vtl::Vtl vtl, Xmm value) {
  VtlContext& context = vp.contexts[vtl];
  uint64_t& place = *row.place(vp.shared, context);
  uint64_t next = value.low;
  if (row.name == "rflags") next |= x64::rflags::always_one;
  if (value.high != 0 || (next & ~row.bits) != 0)
    return Error{fmt::format("{} cannot hold {:#x}: it has the bits {:#x}", row.name, value.low, row.bits)};
  if (row.form == Form::Canonical && !x64::is_canonical(next, x64::linear_address_bits(context.cr4)))
    return Error{fmt::format("{:#x} is no canonical address", next)};
  if (row.form == Form::Mode && ((next ^ place) & mode_bits(row.name)) != 0)
    return Error{fmt::format("another {} would be another mode, which takes more than one register", row.name)};
  place = next;
  return support::Unit{};
}

/// SSE, x87 and the task priority.
support::Status set_other(std::string_view name, vtl::VirtualProcessor& vp, vtl::Vtl vtl, Xmm value) {
  const auto number = [&](std::string_view prefix) { return static_cast<size_t>(std::stoul(std::string{name.substr(prefix.size())})); };
  if (name.starts_with("xmm")) {
    vp.shared.fp.xmm[number("xmm")] = value;
  } else if (name.starts_with("st") && name.size() == 3) {
    if (value.high > 0xffff) return Error{fmt::format("{} has 80 bits", name)};
    vp.shared.fp.st[number("st")] = value;
  } else if (name == "mxcsr") {
    if (value.high != 0 || (value.low & ~uint64_t{0xffff}) != 0) return Error{"mxcsr has 16 bits"};
    vp.shared.fp.mxcsr = static_cast<uint32_t>(value.low);
  } else if (name == "cr8") {
    if (value.high != 0 || value.low > 15) return Error{"cr8 is 0 to 15"};
    vp.contexts[vtl].tpr = static_cast<uint8_t>(value.low << 4);
  } else {
    return Error{fmt::format("{} belongs to a descriptor or table and cannot be set alone", name)};
  }
  return support::Unit{};
}

}  // namespace

support::Status set_register(RegisterId id, vtl::VirtualProcessor& vp, vtl::Vtl vtl, Xmm value) {
  const std::string_view name = register_name(id);
  support::Status status = support::Unit{};
  bool plain = false;
  for (const Row& row : rows) {
    if (row.name != name) continue;
    plain = true;
    status = set_plain(row, vp, vtl, value);
  }
  if (!plain) status = set_other(name, vp, vtl, value);
  if (status.ok()) ++vp.contexts[vtl].changes;  // an engine that knows the context reads it again
  return status;
}

}  // namespace debugger
