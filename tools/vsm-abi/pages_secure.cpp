#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "abi/sk/tables.h"
#include "pages.h"

namespace vsm_abi {
namespace {

using abi::sk::Implemented;

/// "mdl, page_index": the names of a row's arguments.
std::string argument_names(const char* text) {
  std::string names;
  abi::sk::ArgumentField field{};
  while (abi::sk::next_argument(text, field)) {
    if (!names.empty()) names += ", ";
    names.append(field.name, field.name_length);
  }
  return names;
}

void argument_rows(Table& table, const char* direction, const char* text) {
  abi::sk::ArgumentField field{};
  while (abi::sk::next_argument(text, field)) {
    table.row({direction, fmt::format("`+{:02x}`", field.offset), fmt::format("{}", field.size),
               fmt::format("`{}`", std::string{field.name, field.name_length})});
  }
}

std::string anchor(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

template <size_t Count>
void service_tables(const Contract& contract, Page& page, const abi::sk::ServiceRow (&rows)[Count], const char* def,
                    const char* yes, const char* no) {
  const auto& comments = contract.rows(def);
  Table table{{"No.", "Service", "Here", "In", "Out"}};
  for (const abi::sk::ServiceRow& row : rows) {
    const bool details = row.inputs[0] != 0 || row.outputs[0] != 0 || comments.contains(row.name);
    table.row({fmt::format("{}", row.number), details ? fmt::format("[{}](#{})", row.name, anchor(row.name)) : row.name,
               row.implemented == Implemented::Yes ? yes : no, argument_names(row.inputs), argument_names(row.outputs)});
  }
  page.heading(2, "All services");
  page.table(table);
  page.heading(2, "The services");
  for (const abi::sk::ServiceRow& row : rows) {
    if (row.inputs[0] == 0 && row.outputs[0] == 0 && !comments.contains(row.name)) continue;
    page.heading(3, row.name);
    page.paragraph(fmt::format("Number {0} (`{0:#x}`), {1}.", row.number, row.implemented == Implemented::Yes ? yes : no));
    if (comments.contains(row.name)) page.paragraph(escape(comments.at(row.name)));
    Table arguments{{"", "Offset", "Bytes", "Argument"}};
    argument_rows(arguments, "in", row.inputs);
    argument_rows(arguments, "out", row.outputs);
    page.table(arguments);
  }
}

template <size_t Count>
size_t count_yes(const abi::sk::ServiceRow (&rows)[Count]) {
  return static_cast<size_t>(std::count_if(std::begin(rows), std::end(rows), [](const auto& row) { return row.implemented == Implemented::Yes; }));
}

const char* answered(abi::sk::Answered by) {
  switch (by) {
    case abi::sk::Answered::Nt: return "NTOS";
    case abi::sk::Answered::Sk: return "secure kernel";
    case abi::sk::Answered::Mix: break;
  }
  return "both";
}

}  // namespace

void fill_secure_services(const Contract& contract, Page& page) {
  page.paragraph(fmt::format("{} of {} numbers have a handler; the others answer STATUS_NOT_IMPLEMENTED (`c0000002`) and are on [one "
                             "page](not-implemented.md). A number without a row answers STATUS_INVALID_SYSTEM_SERVICE (`c000001c`).",
                             count_yes(abi::sk::secure_services), std::size(abi::sk::secure_services)));
  page.paragraph(
      "Words of the texts below: *mdl* is the page frame number of a page that holds a "
      "[TransferMdl](secure-structures.md#transfermdl), at most 506 pages per call; *eprocess* and *ethread* are VTL 0 addresses that "
      "the secure kernel keeps as opaque tokens. A bare number in a text is a service. Every service writes its NTSTATUS at `+08`; "
      "other outputs are written on success only, unless said otherwise. Offsets are bytes from the start of the frame; "
      "arguments are 8 bytes unless said otherwise.");
  page.paragraph(
      "Order: 208 comes first, then 212, 27, 4, 1, 3, then processes. Before 208 succeeded every service below 207 answers "
      "STATUS_DEVICE_NOT_READY (`c00000a3`); before 1 succeeded, 3 and 5 to 15 do.");
  page.heading(2, "The frame");
  page.paragraph(escape(contract.header("sk/call_frame.h").summary));
  contract.describe(page, "sk/call_frame.h", 3);
  service_tables(contract, page, abi::sk::secure_services, "sk/secure_services.def", "implemented", "not implemented");
}

void fill_normal_services(const Contract& contract, Page& page) {
  page.paragraph(
      "SKCALL with state 0, code = number. NTOS writes its NTSTATUS at `+08` and resumes the same cookie with operation 0. What NTOS "
      "answers is untrusted: the secure kernel checks all of it. *process* is the EPROCESS of secure service 5.");
  page.paragraph(fmt::format("This secure kernel uses {} of the {}.", count_yes(abi::sk::normal_services), std::size(abi::sk::normal_services)));
  service_tables(contract, page, abi::sk::normal_services, "sk/normal_services.def", "used", "not used");
}

void fill_system_calls(const Contract& contract, Page& page) {
  page.paragraph(
      "SYSCALL with the number in EAX, arguments in R10, RDX, R8, R9, then on the stack. Numbers are those of ntdll in build 10240. "
      "A number that is in neither table answers STATUS_INVALID_SYSTEM_SERVICE (`c000001c`).");
  const auto& comments = contract.rows("sk/ium_syscalls.def");
  const auto rows = [&](Table& table, const auto& list) {
    for (const abi::sk::SystemCallRow& row : list) {
      if (comments.contains(row.name) && row.number < abi::sk::secure_call_bit) {
        table.row({"", "**" + escape(comments.at(row.name)) + "**", "", "", ""});
      }
      table.row({fmt::format("`{:x}`", row.number), fmt::format("`{}`", row.name), fmt::format("{}", row.arguments),
                 answered(row.answered), row.implemented == Implemented::Yes ? "implemented" : "not implemented"});
    }
  };
  Table nt{{"No.", "Call", "Arguments", "Answered by", "Here"}}, secure{{"No.", "Call", "Arguments", "Answered by", "Here"}};
  rows(nt, abi::sk::nt_calls);
  rows(secure, abi::sk::secure_calls);
  page.heading(2, fmt::format("The {} NT calls", std::size(abi::sk::nt_calls)));
  page.paragraph("*NTOS*: forwarded with state 2. *Secure kernel*: answered in VTL 1. *Both*: parts of each.");
  page.table(nt);
  page.heading(2, fmt::format("The {} secure calls", std::size(abi::sk::secure_calls)));
  page.paragraph("What each checks and carries: [structures of the secure kernel](secure-structures.md).");
  page.table(secure);
}

}  // namespace vsm_abi
