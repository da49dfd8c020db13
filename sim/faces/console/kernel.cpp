#include "sim/faces/console/kernel.h"

#include <algorithm>
#include <array>

namespace faces::console {
namespace {

std::string rights_text(const Json& rights) {
  if (!flag_of(rights, "mapped")) return "not mapped";
  return fmt::format("{}{}{}{}", flag_of(rights, "read") ? "r" : "-", flag_of(rights, "write") ? "w" : "-",
                     flag_of(rights, "kernel_execute") ? " kx" : " --", flag_of(rights, "user_execute") ? " ux" : " --");
}

void show_rights(Invocation& command, const Json& all) {
  for (size_t vtl = 0; vtl < all.size(); ++vtl)
    command.line("  {} may: {}", command.style.vtl(vtl, vtl_name(vtl)), rights_text(all[vtl]));
}

support::Result<Json> walk(Invocation& command, const Location& location, std::string_view access) {
  Json parameters{{"address", hex(location.address)}, {"access", access}};
  if (!location.process.empty()) parameters["process"] = location.process;
  return command.ask("walk", std::move(parameters));
}

constexpr std::array<std::string_view, 6> level_names{"", "PTE", "PDE", "PPE", "PXE", "PML5E"};

std::string_view level_name(uint64_t level) { return level < level_names.size() ? level_names[level] : "?"; }

/// Flags of an entry as `!pte` writes them: dirty, accessed, global and so on.
std::string entry_flags(uint64_t entry) {
  struct Bit {
    unsigned bit;
    char set;
  };
  constexpr std::array bits{Bit{8, 'G'}, Bit{7, 'L'}, Bit{6, 'D'}, Bit{5, 'A'}, Bit{4, 'N'}, Bit{3, 'T'}};
  std::string text;
  for (const Bit& bit : bits) text += (entry >> bit.bit & 1) != 0 ? bit.set : '-';
  text += (entry >> 2 & 1) != 0 ? 'U' : 'K';
  text += (entry >> 1 & 1) != 0 ? 'W' : 'R';
  text += (entry >> 63 & 1) != 0 ? '-' : 'E';
  text += (entry & 1) != 0 ? 'V' : '-';
  return text;
}

void show_table(Invocation& command, const Json& columns, const Json& rows) {
  std::vector<size_t> widths;
  const auto cell = [](const Json& row, size_t at) { return at < row.size() && row[at].is_string() ? row[at].get<std::string>() : std::string{}; };
  for (size_t at = 0; at < columns.size(); ++at) {
    size_t width = cell(columns, at).size();
    for (const Json& row : rows) width = std::max(width, cell(list_of(row, "cells"), at).size());
    widths.push_back(std::min<size_t>(width, 64));
  }
  const auto row_text = [&](const Json& cells) {
    std::string text;
    for (size_t at = 0; at < widths.size(); ++at) text += fmt::format("{:<{}}  ", cell(cells, at), widths[at]);
    return text.substr(0, text.find_last_not_of(' ') + 1);
  };
  command.line("{}", command.style.strong(row_text(columns)));
  for (const Json& row : rows) command.line("{}", row_text(list_of(row, "cells")));
  if (rows.empty()) command.line("(none)");
}

support::Status show_kernel_table(Invocation& command, std::string_view what) {
  const Json answer = TRY(command.ask("kernel.table", {{"what", what}}));
  show_table(command, list_of(answer, "columns"), list_of(answer, "rows"));
  return support::Unit{};
}

constexpr std::array<std::string_view, 8> tables{"threads", "secure_threads", "handles", "mailboxes", "blobs", "images", "pools", "ranges"};

void show_fields(Invocation& command, const Json& fields) {
  for (const Json& field : fields)
    if (const std::string value = text_of(field, "value"); !value.empty())
      command.line("    {:<28} {}", text_of(field, "name"), value);
}

}  // namespace

support::Status page_tables(Invocation& command) {
  const Location location = TRY(command.location("a virtual address"));
  TRY(command.end_of_words());
  const Json answer = TRY(walk(command, location, "read"));
  command.line("                                           VA {}", kd_address(location.address));
  for (const Json& reference : list_of(answer, "references")) {
    const uint64_t value = number_or_zero(reference, "value"), level = number_or_zero(reference, "level");
    if (number_or_zero(reference, "stage") != 1) continue;
    command.line("{:<4} at GPA {}  contains {:016x}  pfn {:<9x} {}{}", level_name(level), kd_address(number_or_zero(reference, "gpa")), value,
                 (value & 0x000f'ffff'ffff'f000) >> 12, entry_flags(value), flag_of(reference, "present") ? "" : "  not present");
  }
  const auto gpa = number_of(answer, "gpa"), spa = number_of(answer, "spa");
  if (gpa) command.line("GPA {}{}", kd_address(*gpa), spa ? fmt::format("  SPA {}", kd_address(*spa)) : "");
  show_rights(command, list_of(answer, "rights"));
  command.line("{}", flag_of(answer, "granted") ? "read: granted" : command.style.denied(fmt::format("read: refused: {}", text_of(answer, "rule"))));
  return support::Unit{};
}

support::Status virtual_to_physical(Invocation& command) {
  std::string access = "read";
  if (command.words.take("/w")) access = "write";
  if (command.words.take("/x")) access = "execute";
  Location location = TRY(command.location("a virtual address"));
  TRY(command.end_of_words());
  const Json answer = TRY(walk(command, location, access));
  const std::string text = text_of(answer, "text");
  const bool granted = flag_of(answer, "granted");
  command.line("{} {}: {}", access, granted ? "granted" : "refused", text.empty() ? text_of(answer, "rule") : text);
  show_rights(command, list_of(answer, "rights"));
  if (const auto gpa = number_of(answer, "gpa")) command.line("GVA {} -> GPA {}", kd_address(location.address), kd_address(*gpa));
  if (const auto spa = number_of(answer, "spa")) command.line("    -> SPA {}", kd_address(*spa));
  return support::Unit{};
}

support::Status slat(Invocation& command) {
  if (command.words.empty()) return support::Error{"!slat wants a guest physical address: !slat GPA [PAGES]"};
  std::string word = command.words.next();
  if (word.starts_with("gpa:")) word.erase(0, 4);
  const uint64_t gpa = TRY(command.evaluate(word)) & ~uint64_t{0xfff};
  uint64_t pages = 1;
  if (!command.words.empty()) pages = TRY(command.evaluate(command.words.next()));
  TRY(command.end_of_words());
  constexpr uint64_t most = 4096;
  if (pages == 0 || pages > most) return support::Error{fmt::format("!slat shows 1 to {:#x} pages", most)};
  std::string last;
  uint64_t first = gpa;
  const auto show = [&](uint64_t end) {
    if (!last.empty()) command.line("GPA {} to {}  {}", kd_address(first), kd_address(end - 1), last);
  };
  for (uint64_t page = gpa; page < gpa + pages * 0x1000; page += 0x1000) {
    const Json answer = TRY(command.ask("slat.page", {{"gpa", hex(page)}}));
    const Json& rights = list_of(answer, "rights");
    std::string text;
    for (size_t vtl = 0; vtl < rights.size(); ++vtl)
      text += fmt::format("{}{} {}", vtl == 0 ? "" : "   ", command.style.vtl(vtl, vtl_name(vtl)), rights_text(rights[vtl]));
    if (text == last) continue;
    show(page);
    first = page;
    last = std::move(text);
  }
  show(gpa + pages * 0x1000);
  return support::Unit{};
}

support::Status tlb(Invocation& command) {
  std::optional<uint64_t> page;
  if (!command.words.empty()) page = TRY(command.evaluate(command.words.next())) & ~uint64_t{0xfff};
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("tlb"));
  command.line("{} of {} entries", number_or_zero(answer, "used"), number_or_zero(answer, "capacity"));
  for (const Json& entry : list_of(answer, "entries")) {
    const uint64_t vtl = number_or_zero(entry, "vtl");
    if (page && number_or_zero(entry, "gva") != *page) continue;
    command.line("GVA {}  GPA {}  SPA {}  VP {} {}  PCID {:x}  {}", kd_address(number_or_zero(entry, "gva")),
                 kd_address(number_or_zero(entry, "gpa")), kd_address(number_or_zero(entry, "spa")), number_or_zero(entry, "vp"),
                 command.style.vtl(vtl, vtl_name(vtl)), number_or_zero(entry, "pcid"), text_of(entry, "rights"));
  }
  return support::Unit{};
}

support::Status process(Invocation& command) {
  const std::string wanted = command.words.next();
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("processes"));
  bool found = false;
  for (const Json& process : list_of(answer, "processes")) {
    const std::string name = text_of(process, "name");
    if (!wanted.empty() && wanted != "0" && name.find(wanted) == std::string::npos) continue;
    found = true;
    const uint64_t vtl = number_or_zero(process, "vtl");
    const auto object = number_of(process, "object"), secure = number_of(process, "secure_handle");
    command.line("{} PROCESS {}  Cid: {:04x}  DirBase: {:x}  Image: {}  {}{}", flag_of(process, "current") ? '>' : ' ',
                 object ? kd_address(*object) : "(no object)      ", number_or_zero(process, "pid"), number_or_zero(process, "cr3"),
                 command.style.strong(name), command.style.vtl(vtl, vtl_name(vtl)), secure ? fmt::format("  secure handle {:x}", *secure) : "");
  }
  if (!found && !wanted.empty()) return support::Error{fmt::format("there is no process {}", wanted)};
  if (!found) command.line("No process was made yet.");
  return support::Unit{};
}

support::Status trustlet(Invocation& command) {
  const std::string wanted = command.words.next();
  TRY(command.end_of_words());
  const Json answer = TRY(command.ask("trustlets"));
  bool found = false;
  for (const Json& row : list_of(answer, "trustlets")) {
    if (const std::string name = text_of(row, "name"); wanted.empty() || name.find(wanted) != std::string::npos) {
      found = true;
      command.line("SKPROCESS {}  {}  trustlet {:x}  Cid: {:04x}  DirBase: {:x}  handle {:x}", kd_address(number_or_zero(row, "object")),
                   command.style.vtl(1, name), number_or_zero(row, "trustlet_id"), number_or_zero(row, "pid"), number_or_zero(row, "cr3"),
                   number_or_zero(row, "handle"));
      show_fields(command, list_of(row, "fields"));
    }
  }
  if (!found && !wanted.empty()) return support::Error{fmt::format("there is no trustlet {}", wanted)};
  if (!found) command.line("No trustlet runs yet.");
  return support::Unit{};
}

support::Status kernel_table(Invocation& command) {
  TRY(command.end_of_words());
  return show_kernel_table(command, command.command().name == "!mailbox" ? "mailboxes" : "handles");
}

support::Status secure_kernel(Invocation& command) {
  if (!command.words.empty()) {
    const std::string what = command.words.next();
    TRY(command.end_of_words());
    if (std::ranges::find(tables, what) == tables.end())
      return support::Error{fmt::format("!sk knows {}; not {}", fmt::join(tables, ", "), what)};
    return show_kernel_table(command, what);
  }
  const Json answer = TRY(command.ask("modules"));
  for (const Json& module : list_of(answer, "modules"))
    if (number_or_zero(module, "vtl") == 1)
      command.line("{}  {} ({} symbols)", kd_address(number_or_zero(module, "base")), command.style.symbol(text_of(module, "name")),
                   text_of(module, "symbols"));
  const Json trustlets = TRY(command.ask("trustlets"));
  command.line("{} trustlets (!trustlet shows them)", list_of(trustlets, "trustlets").size());
  for (const std::string_view what : tables) {
    const rpc::Answer table = command.api().call("kernel.table", command.focus() ? Json{{"what", what}, {"focus", *command.focus()}} : Json{{"what", what}});
    command.line("{:>6}  {} (!sk {})", table ? std::to_string(list_of(table.value(), "rows").size()) : std::string{"?"}, what, what);
  }
  return support::Unit{};
}

}  // namespace faces::console
