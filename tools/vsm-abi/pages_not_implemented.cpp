#include <fmt/format.h>

#include "abi/hv/hypercalls.h"
#include "abi/hv/vp_registers.h"
#include "abi/sk/tables.h"
#include "pages.h"

namespace vsm_abi {
namespace {

using abi::sk::Implemented;

template <size_t Count>
void services(Page& page, const abi::sk::ServiceRow (&rows)[Count]) {
  Table table{{"No.", "Service"}};
  for (const abi::sk::ServiceRow& row : rows) {
    if (row.implemented == Implemented::No) table.row({fmt::format("{}", row.number), fmt::format("`{}`", row.name)});
  }
  page.table(table);
}

template <size_t Count>
void system_calls(Table& table, const abi::sk::SystemCallRow (&rows)[Count]) {
  for (const abi::sk::SystemCallRow& row : rows) {
    if (row.implemented == Implemented::No) table.row({fmt::format("`{:x}`", row.number), fmt::format("`{}`", row.name)});
  }
}

}  // namespace

void fill_not_implemented(const Contract&, Page& page) {
  page.heading(2, "Hypercalls");
  page.paragraph("Answer `InvalidHypercallCode` (`0002`).");
  Table calls{{"Code", "Call", "Source"}};
  for (const abi::hv::CallInfo& call : abi::hv::calls) {
    if (call.shape != abi::hv::CallShape::NotImplemented) continue;
    calls.row({fmt::format("`{:04x}`", static_cast<unsigned>(call.code)), fmt::format("`HvCall{}`", call.name), escape(call.source)});
  }
  page.table(calls);

  page.heading(2, "Kinds, flags and bits without public rules");
  page.paragraph("Named in public headers; what they do is published nowhere, or not enough to build it. Refused wherever "
                 "they are asked for, as the last column says.");
  Table kinds{{"Where", "What", "Answer"}};
  kinds.row({"`HV_X64_MSR_SINT0` to `SINT15`", "bit 19 AsIntercept, bit 20 Proxy", "#GP"});
  kinds.row({"`HvCallCreatePort`, `HvCallConnectPort`", "types 3 Monitor, 4 Doorbell", "`InvalidParameter`, `InvalidPortId`"});
  kinds.row({"`HvCallTranslateVirtualAddress` and Ex", "bit 10, shadow stack", "`InvalidParameter`"});
  kinds.row({"`HvCallEnablePartitionVtl`", "bit 1 shadow stack, bit 2 HVPT", "`InvalidParameter`"});
  kinds.row({"`HvRegisterVsmPartitionConfig`", "bits 7, 8, 10, 13 to 15", "`InvalidRegisterValue`"});
  kinds.row({"`HvRegisterVsmVpSecureConfigVtln`", "bit 2 shadow stack, bit 3 HVPT", "`InvalidRegisterValue`"});
  page.table(kinds);

  page.heading(2, "Secure services");
  page.paragraph("Answer STATUS_NOT_IMPLEMENTED (`c0000002`).");
  services(page, abi::sk::secure_services);

  page.heading(2, "System calls of trustlets");
  page.paragraph("Answer STATUS_NOT_IMPLEMENTED (`c0000002`).");
  Table system{{"No.", "Call"}};
  system_calls(system, abi::sk::nt_calls);
  system_calls(system, abi::sk::secure_calls);
  page.table(system);

  page.heading(2, "Normal services");
  page.paragraph("The secure kernel never asks for these, and NTOS answers them with STATUS_NOT_IMPLEMENTED (`c0000002`).");
  services(page, abi::sk::normal_services);

  page.heading(2, "Virtual processor registers");
  page.paragraph("Known by name for traces; the register calls answer `UnknownRegisterName` (`0087`).");
  Table registers{{"Name", "Register", "Source"}};
  for (const abi::hv::RegisterInfo& row : abi::hv::vp_registers) {
    if (row.access != abi::hv::RegisterAccess::Unknown) continue;
    registers.row({fmt::format("`{:08x}`", static_cast<unsigned>(row.number)), fmt::format("`{}`", row.name), escape(row.source)});
  }
  page.table(registers);
}

}  // namespace vsm_abi
