#include <fmt/format.h>

#include <string>

#include "abi/hv/hypercalls.h"
#include "abi/hv/msrs.h"
#include "abi/hv/status.h"
#include "abi/hv/vp_registers.h"
#include "pages.h"

namespace vsm_abi {
namespace {

constexpr const char* structs_header = "hv/structs.h";
constexpr const char* ports_header = "hv/port_structs.h";

/// The names that a row gives its three parts; the compiled table keeps only their sizes.
struct CallParts {
  std::string header, element, output;
};

const std::map<std::string, CallParts>& call_parts() {
  static const std::map<std::string, CallParts> parts{
#define HV_CALL(name, code, shape, header, element, output, ...) {#name, {#header, #element, #output}},
#include "abi/hv/hypercalls.def"
  };
  return parts;
}

std::string part(const Contract& contract, const Page& page, const std::string& type, size_t bytes) {
  if (type == "Empty") return "";
  return fmt::format("{} ({} bytes)", contract.type_name(page.file(), "abi::hv", type), bytes);
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string shape_of(const abi::hv::CallInfo& call) {
  switch (call.shape) {
    case abi::hv::CallShape::Simple: return "simple";
    case abi::hv::CallShape::Rep: return "rep";
    case abi::hv::CallShape::SimpleVariable: return "simple, variable header";
    case abi::hv::CallShape::RepVariable: return "rep, variable header";
    case abi::hv::CallShape::Switch: return "switch";
    case abi::hv::CallShape::NotImplemented: break;
  }
  return "not implemented";
}

std::string vtl_of(const abi::hv::CallInfo& call) { return fmt::format("VTL {}", static_cast<int>(call.minimum_vtl)); }

void describe_call(const Contract& contract, Page& page, const abi::hv::CallInfo& call) {
  const CallParts& parts = call_parts().at(call.name);
  const auto reps = static_cast<uint16_t>(abi::hv::is_rep(call.shape) ? 1 : 0);
  page.heading(3, fmt::format("HvCall{}", call.name));
  page.paragraph(fmt::format("Code `{:04x}`, {}, from {}. Source: {}.", static_cast<unsigned>(call.code), shape_of(call),
                             vtl_of(call), escape(call.source)));
  if (const auto& comments = contract.rows("hv/hypercalls.def"); comments.contains(call.name)) {
    page.paragraph(escape(comments.at(call.name)));
  }
  if (call.shape == abi::hv::CallShape::Switch) {
    page.paragraph(fmt::format("No parameter block and no status: RCX is exactly `{:x}`, RAX the control of the switch; a call that "
                               "is not allowed is #UD. Guests call the stub in the hypercall page.",
                               abi::hv::control_for(call.code).raw));
    return;
  }
  Table table{{"Part", "Layout"}};
  table.row({fmt::format("RCX{}", reps ? ", one element" : ""), fmt::format("`{:016x}`", abi::hv::control_for(call.code, reps).raw)});
  for (const auto& [what, text] : {std::pair{"header", part(contract, page, parts.header, call.header)},
                                   std::pair{"list element", part(contract, page, parts.element, call.element)},
                                   std::pair{"output", part(contract, page, parts.output, call.output)}}) {
    if (!text.empty()) table.row({what, text});
  }
  page.table(table);
}

}  // namespace

void fill_hypercalls(const Contract& contract, Page& page) {
  page.paragraph(
      "A 64-bit caller at CPL 0 puts the control word into RCX and calls the hypercall page. RDX and R8 hold the guest physical "
      "addresses of input and output (8-byte aligned, inside one page), or with the fast bit the parameters themselves, "
      "followed by XMM0 to XMM5. RAX answers. Shapes: *simple* is header in, output out; *rep* is header and a list in, one "
      "output per element out, and may be resumed at the first element not done; a *variable header* of as many 8-byte units as "
      "the control word says follows the header; *switch* changes the VTL.");
  Table table{{"Code", "Call", "Shape", "From", "Header", "Element", "Output", "Source"}};
  for (const abi::hv::CallInfo& call : abi::hv::calls) {
    const bool listed_only = call.shape == abi::hv::CallShape::NotImplemented;
    const std::string name = fmt::format("HvCall{}", call.name);
    const auto bytes = [](unsigned count) { return count == 0 ? std::string{} : fmt::format("{}", count); };
    table.row({fmt::format("`{:04x}`", static_cast<unsigned>(call.code)),
               listed_only ? name : fmt::format("[{}](#{})", name, lower(name)), shape_of(call), vtl_of(call), bytes(call.header),
               bytes(call.element), bytes(call.output), escape(call.source)});
  }
  page.heading(2, "All calls");
  page.paragraph(fmt::format("{} calls are listed. Calls that are not implemented answer `InvalidHypercallCode`; see "
                             "[what is not implemented](not-implemented.md). Sizes are bytes.",
                             abi::hv::call_count));
  page.table(table);
  page.heading(2, "Control and result");
  contract.describe(page, "hv/hypercall_control.h", 3);
  page.heading(2, "The calls");
  for (const abi::hv::CallInfo& call : abi::hv::calls) {
    if (call.shape != abi::hv::CallShape::NotImplemented) describe_call(contract, page, call);
  }
  page.heading(2, "Parameter blocks");
  page.paragraph(escape(contract.header(structs_header).summary));
  contract.describe(page, structs_header, 3);
  contract.describe(page, ports_header, 3);
}

void fill_statuses(const Contract&, Page& page) {
  page.paragraph("NT shows a status as the NTSTATUS `c0350000 | code`.");
  Table table{{"Code", "Name", "The call failed because"}};
  for (const abi::hv::StatusInfo& row : abi::hv::statuses) {
    table.row({fmt::format("`{:04x}`", static_cast<unsigned>(row.status)), fmt::format("`{}`", row.name), escape(row.meaning)});
  }
  page.table(table);
}

void fill_vp_registers(const Contract& contract, Page& page) {
  page.paragraph(
      "Scope says how many instances there are: *shared* one per virtual processor, seen by all its VTLs; *private* one per virtual "
      "processor and VTL; *partition* one per partition; *partition and VTL* one per pair. Registers without access are "
      "known by name only: the calls answer `UnknownRegisterName`.");
  Table table{{"Name", "Register", "Scope", "Access", "Source"}};
  for (const abi::hv::RegisterInfo& row : abi::hv::vp_registers) {
    const char* const scopes[] = {"shared", "private", "partition", "partition and VTL"};
    const char* const accesses[] = {"read, write", "read", ""};
    table.row({fmt::format("`{:08x}`", static_cast<unsigned>(row.number)), fmt::format("`{}`", row.name),
               scopes[static_cast<size_t>(row.scope)], accesses[static_cast<size_t>(row.access)], escape(row.source)});
  }
  page.heading(2, "Names");
  page.table(table);
  page.heading(2, "Bits");
  page.paragraph(escape(contract.header("hv/vsm_registers.h").summary));
  contract.describe(page, "hv/vsm_registers.h", 3);
}

void fill_msrs(const Contract& contract, Page& page) {
  Table synthetic{{"Number", "Name", "Scope", "Source"}};
  for (const abi::hv::MsrInfo& row : abi::hv::synthetic_msrs) {
    const char* const scopes[] = {"shared", "private", "partition"};
    synthetic.row({fmt::format("`{:08x}`", row.number), fmt::format("`{}`", row.name), scopes[static_cast<size_t>(row.scope)],
                   escape(row.source)});
  }
  page.heading(2, "Synthetic MSRs");
  page.paragraph("*Shared* by the VTLs of a virtual processor, *private* to one of them, or one per *partition*.");
  page.table(synthetic);
  Table own{{"Number", "Name", "Access", "What it is"}};
#define X64_MSR(name, number, access, source)                                                                        \
  own.row({fmt::format("`{:08x}`", static_cast<unsigned>(number)), "`" #name "`",                                    \
           std::string{#access} == "ReadOnly" ? "read" : "read, write", escape(source)});
#include "abi/x64/msr.def"
#undef X64_MSR
  page.heading(2, "MSRs of the processor");
  page.paragraph("Answered without the hypervisor. An MSR in neither table is #GP(0).");
  page.table(own);
  page.heading(2, "Bits");
  for (const StructText& text : contract.header("hv/msrs.h").structs) contract.describe_struct(page, text, 3);
}

}  // namespace vsm_abi
