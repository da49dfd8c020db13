#include "contract.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "structures.h"

namespace vsm_abi {
namespace {

[[noreturn]] void fail(const std::string& why) {
  fmt::print(stderr, "vsm-abi: {}\n", why);
  std::exit(1);
}

/// uint32_t[3] -> u32[3]
std::string plain_type(std::string type) {
  for (const auto& [from, to] : {std::pair{"uint8_t", "u8"}, {"uint16_t", "u16"}, {"uint32_t", "u32"},
                                 {"uint64_t", "u64"}, {"int64_t", "i64"}}) {
    if (type.starts_with(from)) type.replace(0, std::string{from}.size(), to);
  }
  return type;
}

const char* kind_name(abi::FieldKind kind) {
  switch (kind) {
    case abi::FieldKind::Gpa: return "GPA";
    case abi::FieldKind::Gva: return "GVA";
    case abi::FieldKind::Vtl: return "VTL";
    case abi::FieldKind::Count: return "count";
    case abi::FieldKind::Flags: return "flags";
    case abi::FieldKind::Reserved: return "reserved";
    case abi::FieldKind::Register: return "register name";
    case abi::FieldKind::Bytes:
    case abi::FieldKind::Plain: break;
  }
  return "";
}

std::string scope_of(const std::string& qualified) {
  const size_t at = qualified.rfind("::");
  return at == std::string::npos ? "" : qualified.substr(0, at);
}

/// "078: zeroed pages" -> "zeroed pages": some headers note offsets, which the table has anyway.
std::string without_offset(const std::string& comment) {
  const size_t digits = comment.find_first_not_of("0123456789ABCDEF");
  if (comment.size() == 3 && digits == std::string::npos) return "";
  return digits == 3 && comment[3] == ':' ? comment.substr(std::min(comment.size(), size_t{5})) : comment;
}

/// The gap below `top` as a row of its own, so that the table shows every bit.
void reserved_bits(Table& table, unsigned high, unsigned low) {
  table.row({high == low ? fmt::format("{}", high) : fmt::format("{}:{}", high, low), "", "reserved"});
}

void bit_rows(Table& table, const StructText& text, unsigned width) {
  std::vector<BitField> bits = text.bits;
  std::sort(bits.begin(), bits.end(), [](const BitField& a, const BitField& b) { return a.low < b.low; });
  unsigned next = 0;
  for (const BitField& field : bits) {
    if (field.low > next) reserved_bits(table, field.low - 1, next);
    const std::string range = field.high == field.low ? fmt::format("{}", field.high) : fmt::format("{}:{}", field.high, field.low);
    const bool reserved = field.name.starts_with("reserved");
    table.row({range, reserved ? "" : "`" + field.name + "`", reserved ? "reserved" : escape(field.comment)});
    next = std::max(next, field.high + 1);
  }
  if (next < width) reserved_bits(table, width - 1, next);
}

}  // namespace

std::string short_name(const std::string& qualified) {
  const size_t at = qualified.rfind("::");
  return at == std::string::npos ? qualified : qualified.substr(at + 2);
}

Contract::Contract(const std::filesystem::path& abi) {
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{abi, error}) {
    const std::string path = std::filesystem::relative(entry.path(), abi).generic_string();
    const std::string extension = entry.path().extension().string();
    if (!entry.is_regular_file() || path.starts_with("guest/") || (extension != ".h" && extension != ".def")) continue;
    const auto text = read_file(entry.path());
    if (!text) fail("cannot read " + entry.path().string());
    if (extension == ".h") {
      headers_.emplace(path, parse_header(path, *text));
    } else {
      rows_.emplace(path, row_comments(*text));
      summaries_.emplace(path, leading_comment(*text));
    }
  }
  if (error || headers_.empty()) fail("no tables in " + abi.string());
}

const HeaderText& Contract::header(const std::string& path) const {
  const auto found = headers_.find(path);
  if (found == headers_.end()) fail("a page wants vtl/abi/" + path + ", which does not exist");
  return found->second;
}

bool Contract::describable(const StructText& text) const {
  return structures().contains(text.name) || !text.bits.empty();
}

void Contract::place(const std::string& path, const std::string& page) {
  page_of_header_[path] = page;
  for (const StructText& text : header(path).structs) {
    if (describable(text)) page_of_type_[text.name] = page;
  }
  for (const EnumText& text : header(path).enums) page_of_type_[text.name] = page;
}

std::vector<std::string> Contract::unplaced() const {
  std::vector<std::string> result;
  for (const auto& [path, header] : headers_) {
    const bool something = std::any_of(header.structs.begin(), header.structs.end(),
                                       [this](const StructText& text) { return describable(text); });
    if (something && !page_of_header_.contains(path)) result.push_back(path);
  }
  return result;
}

std::string Contract::type_name(const std::string& from_page, const std::string& scope, const std::string& type) const {
  const std::string base = type.substr(0, type.find('['));
  for (std::string space = scope;; space = scope_of(space)) {
    const auto found = page_of_type_.find(space.empty() ? base : space + "::" + base);
    if (found != page_of_type_.end()) {
      std::string anchor = short_name(found->first);
      std::transform(anchor.begin(), anchor.end(), anchor.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      const std::string page = found->second == from_page ? "" : found->second;
      return fmt::format("[{}]({}#{}){}", base, page, anchor, type.substr(base.size()));
    }
    if (space.empty()) return plain_type(type);
  }
}

void Contract::describe_struct(Page& page, const StructText& text, int level) const {
  const auto layout = structures().find(text.name);
  const bool fields = layout != structures().end();
  if (!fields && text.bits.empty()) return;
  page.heading(level, short_name(text.name));
  page.paragraph(escape(text.comment));
  if (!text.bits.empty()) {
    const std::string raw = plain_type(text.raw_type);
    const unsigned width = raw == "u8" ? 8 : raw == "u16" ? 16 : raw == "u32" ? 32 : 64;
    Table table{{"Bits", "Field", "Meaning"}};
    bit_rows(table, text, width);
    page.paragraph(fmt::format("{} bits.", width));
    page.table(table);
    return;
  }
  page.paragraph(fmt::format("{0} bytes ({0:#x}).", layout->second.size));
  Table table{{"Offset", "Bytes", "Field", "Type", "Kind", "Meaning"}};
  for (const abi::Field& field : layout->second.fields) {
    const auto member = std::find_if(text.members.begin(), text.members.end(),
                                     [&](const Member& candidate) { return candidate.name == field.name; });
    const bool known = member != text.members.end();
    table.row({fmt::format("`{:03x}`", field.offset), fmt::format("{}", field.size), fmt::format("`{}`", field.name),
               known ? type_name(page.file(), scope_of(text.name), member->type) : "", kind_name(field.kind),
               known ? escape(without_offset(member->comment)) : ""});
  }
  page.table(table);
}

void Contract::describe_enum(Page& page, const EnumText& text, int level) const {
  const bool explained = std::any_of(text.values.begin(), text.values.end(), [](const Enumerator& e) { return !e.comment.empty(); });
  uint64_t top = 0;
  for (const Enumerator& entry : text.values) top = std::max(top, entry.value.value_or(0));
  const int digits = top > 0xFFFF ? 8 : top > 0xFF ? 4 : 2;
  page.heading(level, short_name(text.name));
  page.paragraph(escape(text.comment));
  Table table{{"Value", "Name", "Meaning"}};
  for (const Enumerator& entry : text.values) {
    table.row({entry.value ? fmt::format("`{:0{}x}`", *entry.value, digits) : "", "`" + entry.name + "`",
               explained ? escape(entry.comment) : ""});
  }
  page.table(table);
}

void Contract::describe_constants(Page& page, const std::string& path, const std::string& space) const {
  Table table{{"Constant", "Value", "Meaning"}};
  for (const Constant& constant : header(path).constants) {
    if (scope_of(constant.name) != space) continue;
    const bool literal = constant.text.find_first_not_of("0123456789") == std::string::npos;
    table.row({"`" + short_name(constant.name) + "`",
               "`" + (literal || !constant.value ? constant.text : fmt::format("{:#x}", *constant.value)) + "`",
               escape(constant.comment)});
  }
  page.table(table);
}

void Contract::describe(Page& page, const std::string& path, int level) const {
  const HeaderText& text = header(path);
  std::vector<std::string> spaces;
  for (const Constant& constant : text.constants) {
    if (std::find(spaces.begin(), spaces.end(), scope_of(constant.name)) == spaces.end()) spaces.push_back(scope_of(constant.name));
  }
  for (const std::string& space : spaces) {
    if (spaces.size() > 1) page.heading(level, "Constants: " + (short_name(space).empty() ? space : short_name(space)));
    describe_constants(page, path, space);
  }
  for (const EnumText& entry : text.enums) describe_enum(page, entry, level);
  for (const StructText& entry : text.structs) describe_struct(page, entry, level);
}

}  // namespace vsm_abi
