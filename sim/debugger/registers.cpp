#include "sim/debugger/registers.h"

#include <algorithm>
#include <cctype>

namespace debugger {
namespace {

using vtl::SharedRegisters;
using vtl::VirtualProcessor;
using vtl::Vtl;
using vtl::VtlContext;
using vtl::Xmm;

struct Row {
  std::string_view name;
  bool shared;
  Xmm (*value)(const SharedRegisters& shared, const VtlContext& context);
};

template <uint8_t n>
Xmm general(const SharedRegisters& shared, const VtlContext&) { return {shared.gpr[n], 0}; }
template <uint8_t n>
Xmm debug(const SharedRegisters& shared, const VtlContext&) { return {shared.dr[n], 0}; }
template <uint8_t n>
Xmm vector(const SharedRegisters& shared, const VtlContext&) { return shared.fp.xmm[n]; }
template <uint8_t n>
Xmm x87(const SharedRegisters& shared, const VtlContext&) { return shared.fp.st[n]; }
template <auto member>
Xmm own(const SharedRegisters&, const VtlContext& context) { return {context.*member, 0}; }
template <uint8_t n>
Xmm base(const SharedRegisters&, const VtlContext& context) { return {context.segments[n].base, 0}; }
template <uint8_t n>
Xmm selector(const SharedRegisters&, const VtlContext& context) { return {context.segments[n].selector, 0}; }

constexpr Row rows[] = {
    {"rax", true, general<vtl::Rax>}, {"rcx", true, general<vtl::Rcx>}, {"rdx", true, general<vtl::Rdx>},
    {"rbx", true, general<vtl::Rbx>}, {"rsp", false, own<&VtlContext::rsp>}, {"rbp", true, general<vtl::Rbp>},
    {"rsi", true, general<vtl::Rsi>}, {"rdi", true, general<vtl::Rdi>}, {"r8", true, general<vtl::R8>},
    {"r9", true, general<vtl::R9>}, {"r10", true, general<vtl::R10>}, {"r11", true, general<vtl::R11>},
    {"r12", true, general<vtl::R12>}, {"r13", true, general<vtl::R13>}, {"r14", true, general<vtl::R14>},
    {"r15", true, general<vtl::R15>},
    {"rip", false, own<&VtlContext::rip>}, {"rflags", false, own<&VtlContext::rflags>},
    {"cr0", false, own<&VtlContext::cr0>},
    {"cr2", true, [](const SharedRegisters& shared, const VtlContext&) { return Xmm{shared.cr2, 0}; }},
    {"cr3", false, own<&VtlContext::cr3>}, {"cr4", false, own<&VtlContext::cr4>},
    {"cr8", false, [](const SharedRegisters&, const VtlContext& context) { return Xmm{uint64_t{context.tpr} >> 4, 0}; }},
    {"efer", false, own<&VtlContext::efer>},
    {"dr0", true, debug<0>}, {"dr1", true, debug<1>}, {"dr2", true, debug<2>}, {"dr3", true, debug<3>},
    {"dr6", true, [](const SharedRegisters& shared, const VtlContext&) { return Xmm{shared.dr6, 0}; }},
    {"dr7", false, own<&VtlContext::dr7>},
    {"es", false, selector<vtl::Es>}, {"cs", false, selector<vtl::Cs>}, {"ss", false, selector<vtl::Ss>},
    {"ds", false, selector<vtl::Ds>}, {"fs", false, selector<vtl::Fs>}, {"gs", false, selector<vtl::Gs>},
    {"fs_base", false, base<vtl::Fs>}, {"gs_base", false, base<vtl::Gs>},
    {"kernel_gs_base", false, own<&VtlContext::kernel_gs_base>},
    {"gdtr", false, [](const SharedRegisters&, const VtlContext& context) { return Xmm{context.gdtr.base, context.gdtr.limit}; }},
    {"idtr", false, [](const SharedRegisters&, const VtlContext& context) { return Xmm{context.idtr.base, context.idtr.limit}; }},
    {"tr", false, [](const SharedRegisters&, const VtlContext& context) { return Xmm{context.tr.selector, context.tr.base}; }},
    {"star", false, own<&VtlContext::star>}, {"lstar", false, own<&VtlContext::lstar>},
    {"cstar", false, own<&VtlContext::cstar>}, {"sfmask", false, own<&VtlContext::sfmask>},
    {"pat", false, own<&VtlContext::pat>}, {"tsc_aux", false, own<&VtlContext::tsc_aux>},
    {"mxcsr", true, [](const SharedRegisters& shared, const VtlContext&) { return Xmm{shared.fp.mxcsr, 0}; }},
    {"xmm0", true, vector<0>}, {"xmm1", true, vector<1>}, {"xmm2", true, vector<2>}, {"xmm3", true, vector<3>},
    {"xmm4", true, vector<4>}, {"xmm5", true, vector<5>}, {"xmm6", true, vector<6>}, {"xmm7", true, vector<7>},
    {"xmm8", true, vector<8>}, {"xmm9", true, vector<9>}, {"xmm10", true, vector<10>}, {"xmm11", true, vector<11>},
    {"xmm12", true, vector<12>}, {"xmm13", true, vector<13>}, {"xmm14", true, vector<14>}, {"xmm15", true, vector<15>},
    {"st0", true, x87<0>}, {"st1", true, x87<1>}, {"st2", true, x87<2>}, {"st3", true, x87<3>},
    {"st4", true, x87<4>}, {"st5", true, x87<5>}, {"st6", true, x87<6>}, {"st7", true, x87<7>},
};
static_assert(std::size(rows) <= maximum_registers);

/// The first rows, of registers that most instructions change.
constexpr RegisterId common_registers = 18;
static_assert(rows[common_registers - 1].name == "rflags");

void include_range(RegisterMask& mask, const VirtualProcessor& a, const VirtualProcessor& b, Vtl vtl, RegisterId end) {
  for (RegisterId id = 0; id < end; ++id)
    if (!contains(mask, id) && register_value(id, a, vtl) != register_value(id, b, vtl)) include(mask, id);
}

}  // namespace

uint8_t register_count() { return static_cast<uint8_t>(std::size(rows)); }

std::optional<RegisterId> find_register(std::string_view name) {
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  for (size_t i = 0; i < std::size(rows); ++i) {
    if (std::equal(name.begin(), name.end(), rows[i].name.begin(), rows[i].name.end(), same))
      return static_cast<RegisterId>(i);
  }
  return std::nullopt;
}

std::string_view register_name(RegisterId id) { return rows[id].name; }

bool is_shared(RegisterId id) { return rows[id].shared; }

Xmm register_value(RegisterId id, const VirtualProcessor& vp, Vtl vtl) {
  return rows[id].value(vp.shared, vp.contexts[vtl]);
}

void include_changes(RegisterMask& mask, const VirtualProcessor& a, const VirtualProcessor& b, Vtl vtl) {
  include_range(mask, a, b, vtl, register_count());
}

void include_common_changes(RegisterMask& mask, const VirtualProcessor& a, const VirtualProcessor& b, Vtl vtl) {
  include_range(mask, a, b, vtl, common_registers);
}

}  // namespace debugger
