#include "sim/symbols/type_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/loader/symbol_table.h"
#include "sim/symbols/codeview.h"

namespace symbols {
namespace {

using namespace codeview;
using support::Error;
using support::Result;
using support::Status;
using support::Unit;

constexpr int deepest = 32;           // of types that consist of types
constexpr size_t longest_text = 4096;
constexpr uint32_t most_types = 1u << 24;

/// The header of the TPI stream.
struct StreamHeader {
  uint32_t version, header_size, first, end, record_bytes;
};

struct Basic {
  TypeKind kind{};
  uint8_t size{};
  bool is_signed{};
  std::string_view text;
};

/// Types without a record: bits 7:0 say which, bits 11:8 whether it is a pointer to it.
Basic basic_type(TypeIndex type) {
  switch (type & 0xff) {
    case 0x03: return {TypeKind::Void, 0, false, "void"};
    case 0x08: return {TypeKind::Integer, 4, true, "HRESULT"};
    case 0x10:
    case 0x68: return {TypeKind::Integer, 1, true, "int8_t"};
    case 0x20:
    case 0x69: return {TypeKind::Integer, 1, false, "uint8_t"};
    case 0x11:
    case 0x72: return {TypeKind::Integer, 2, true, "int16_t"};
    case 0x21:
    case 0x73: return {TypeKind::Integer, 2, false, "uint16_t"};
    case 0x12: return {TypeKind::Integer, 4, true, "long"};
    case 0x22: return {TypeKind::Integer, 4, false, "unsigned long"};
    case 0x74: return {TypeKind::Integer, 4, true, "int32_t"};
    case 0x75: return {TypeKind::Integer, 4, false, "uint32_t"};
    case 0x13:
    case 0x76: return {TypeKind::Integer, 8, true, "int64_t"};
    case 0x23:
    case 0x77: return {TypeKind::Integer, 8, false, "uint64_t"};
    case 0x14:
    case 0x78: return {TypeKind::Integer, 16, true, "__int128"};
    case 0x24:
    case 0x79: return {TypeKind::Integer, 16, false, "unsigned __int128"};
    case 0x30: return {TypeKind::Boolean, 1, false, "bool"};
    case 0x31: return {TypeKind::Boolean, 2, false, "bool16"};
    case 0x32: return {TypeKind::Boolean, 4, false, "bool32"};
    case 0x33: return {TypeKind::Boolean, 8, false, "bool64"};
    case 0x40: return {TypeKind::Floating, 4, true, "float"};
    case 0x41: return {TypeKind::Floating, 8, true, "double"};
    case 0x42: return {TypeKind::Floating, 10, true, "long double"};
    case 0x70: return {TypeKind::Character, 1, true, "char"};
    case 0x71: return {TypeKind::Character, 2, false, "wchar_t"};
    case 0x7a: return {TypeKind::Character, 2, false, "char16_t"};
    case 0x7b: return {TypeKind::Character, 4, false, "char32_t"};
    case 0x7c: return {TypeKind::Character, 1, false, "char8_t"};
    default: return {TypeKind::None, 0, false, "?"};
  }
}
uint8_t basic_pointer_size(TypeIndex type) {
  switch (type >> 8 & 0xf) {
    case 0: return 0;
    case 4:
    case 5: return 4;
    case 6: return 8;
    case 7: return 16;
    default: return 2;
  }
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

bool matches_pattern(std::string_view text, std::string_view pattern) {
  size_t t = 0, p = 0, star = std::string_view::npos, from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == lower(text[t]))) {
      ++t;
      ++p;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string_view word_of(TypeKind kind) {
  switch (kind) {
    case TypeKind::Structure: return "struct";
    case TypeKind::Class: return "class";
    case TypeKind::Union: return "union";
    case TypeKind::Enumeration: return "enum";
    default: return "";
  }
}

/// The parts of a field list, one after the other, and of the lists that continue it.
class TypeTable::Fields {
 public:
  struct Field {
    uint16_t leaf{};
    TypeIndex type{};
    uint64_t number{};  ///< offset, or the value of an enumerator
    std::string_view name;
  };

  Fields(const TypeTable& table, TypeIndex list) : table_{table}, list_{list}, cursor_{table.record(list), 2} {
    if (table.leaf(list) != leaf_field_list) cursor_ = Cursor{{}};
  }

  /// The next part; nothing at the end or where it is malformed.
  std::optional<Field> next() {
    for (;;) {
      cursor_.pass_padding();
      if (cursor_.left() == 0) return std::nullopt;
      const Field field = read();
      if (!cursor_.ok()) return std::nullopt;
      if (field.leaf != leaf_index) return field;
      // A list continues in an earlier one, so that this ends.
      if (field.type >= list_ || table_.leaf(field.type) != leaf_field_list) return std::nullopt;
      list_ = field.type;
      cursor_ = Cursor{table_.record(list_), 2};
    }
  }
  /// Everything so far could be read.
  [[nodiscard]] bool ok() const { return cursor_.ok(); }
  [[nodiscard]] uint64_t at() const { return cursor_.at(); }

  Field read() {
    Field field{cursor_.take<uint16_t>(), 0, 0, {}};
    const auto attributes = cursor_.take<uint16_t>();  // or padding, or a count
    if (field.leaf == leaf_enumerate) {
      field.number = cursor_.number();
      field.name = cursor_.name();
      return field;
    }
    field.type = cursor_.take<uint32_t>();
    switch (field.leaf) {
      case leaf_base_class:
      case leaf_base_interface: field.number = cursor_.number(); break;
      case leaf_virtual_base_class:
      case leaf_indirect_virtual_base_class:
        cursor_.skip(4);
        field.number = cursor_.number();
        (void)cursor_.number();
        break;
      case leaf_member: field.number = cursor_.number(); field.name = cursor_.name(); break;
      case leaf_one_method:
        if ((attributes >> 2 & 7) == 4 || (attributes >> 2 & 7) == 6) cursor_.skip(4);  // introduces a virtual function
        field.name = cursor_.name();
        break;
      case leaf_static_member:
      case leaf_method:
      case leaf_nested_type:
      case leaf_friend_function: field.name = cursor_.name(); break;
      case leaf_index:
      case leaf_friend_class:
      case leaf_virtual_function_table: break;
      default: cursor_ = Cursor{{}, 1}; cursor_.skip(1); break;  // its length is not known
    }
    return field;
  }

 private:
  const TypeTable& table_;
  TypeIndex list_;
  Cursor cursor_;
};

Result<TypeTable> TypeTable::parse(std::vector<uint8_t> stream) {
  TypeTable table;
  table.stream_ = std::move(stream);
  const auto header = loader::read_at<StreamHeader>(table.stream_, 0);
  if (!header) return Error{"the PDB's type stream is shorter than its header"};
  if (header->header_size < sizeof(StreamHeader) || header->end < header->first ||
      header->end - header->first > most_types || header->first < 0x1000 ||
      !loader::contains(table.stream_, header->header_size, header->record_bytes))
    return Error{fmt::format(
        "the PDB's type stream says that types {:#x} to {:#x} lie in {} bytes at {:#x}, which is not possible",
        header->first, header->end, header->record_bytes, header->header_size)};
  table.first_ = header->first;
  TRY(table.index_records(header->header_size, uint64_t{header->header_size} + header->record_bytes,
                          header->end - header->first));
  for (TypeIndex type = table.first_; type < header->end; ++type) TRY(table.check_record(type));
  table.index_names();
  return table;
}

Status TypeTable::index_records(uint64_t at, uint64_t end, uint32_t count) {
  const loader::Bytes records{stream_.data(), static_cast<size_t>(end)};
  for (uint32_t i = 0; i < count; ++i) {
    const auto length = loader::read_at<uint16_t>(records, at);
    if (!length || *length < 2 || !loader::contains(records, at + 2, *length))
      return Error{fmt::format("the PDB's type record {:#x} at {:#x} is cut short", first_ + i, at)};
    records_.push_back({static_cast<uint32_t>(at + 2), *length});
    at += uint64_t{*length} + 2;
  }
  return Unit{};
}

Status TypeTable::check_record(TypeIndex type) const {
  const auto refuse = [&](std::string_view what) {
    return Error{fmt::format("the PDB's type record {:#x} at {:#x} {}", type, records_[type - first_].offset, what)};
  };
  switch (leaf(type)) {
    case leaf_class:
    case leaf_structure:
    case leaf_interface:
    case leaf_union:
    case leaf_enumeration:
      if (!named_record(type)) return refuse("is cut short");
      break;
    case leaf_field_list: {
      Fields fields{*this, type};
      while (fields.next()) {}
      if (!fields.ok()) return refuse("has a part that is cut short or of an unknown kind");
      break;
    }
    case leaf_array: {
      Cursor cursor{record(type), 10};
      (void)cursor.number();
      if (!cursor.ok()) return refuse("is cut short");
      break;
    }
    default: break;  // read as they are asked for
  }
  return Unit{};
}

void TypeTable::index_names() {
  for (TypeIndex type = first_; type < first_ + records_.size(); ++type) {
    const auto named = named_record(type);
    if (!named || named->forward || named->name.empty()) continue;
    named_.push_back(type);
    by_last_part_.emplace_back(loader::last_name_part(named->name), type);
  }
  std::sort(named_.begin(), named_.end(), [&](TypeIndex a, TypeIndex b) {
    const int order = name(a).compare(name(b));
    return order != 0 ? order < 0 : a < b;
  });
  std::sort(by_last_part_.begin(), by_last_part_.end());
}

loader::Bytes TypeTable::record(TypeIndex type) const {
  if (type < first_ || type - first_ >= records_.size()) return {};
  const Record& record = records_[type - first_];
  return loader::Bytes{stream_}.subspan(record.offset, record.size);
}

uint16_t TypeTable::leaf(TypeIndex type) const { return loader::read_at<uint16_t>(record(type), 0).value_or(0); }

std::optional<TypeTable::Named> TypeTable::named_record(TypeIndex type) const {
  Cursor cursor{record(type)};
  Named named;
  const auto leaf = cursor.take<uint16_t>();
  switch (leaf) {
    case leaf_class:
    case leaf_interface: named.kind = TypeKind::Class; break;
    case leaf_structure: named.kind = TypeKind::Structure; break;
    case leaf_union: named.kind = TypeKind::Union; break;
    case leaf_enumeration: named.kind = TypeKind::Enumeration; break;
    default: return std::nullopt;
  }
  cursor.skip(2);  // the number of its fields
  const auto properties = cursor.take<uint16_t>();
  if (leaf == leaf_enumeration) named.underlying = cursor.take<uint32_t>();
  named.fields = cursor.take<uint32_t>();
  if (leaf != leaf_enumeration && leaf != leaf_union) cursor.skip(8);  // derived classes, shape of the function table
  if (leaf != leaf_enumeration) named.size = cursor.number();
  named.name = cursor.name();
  if ((properties & property_unique_name) != 0) named.unique_name = cursor.name();
  named.forward = (properties & property_forward) != 0;
  if (!cursor.ok()) return std::nullopt;
  return named;
}

TypeIndex TypeTable::definition(const Named& reference, TypeIndex otherwise) const {
  const auto [from, to] = std::equal_range(named_.begin(), named_.end(), otherwise, [&](TypeIndex a, TypeIndex b) {
    return (a == otherwise ? reference.name : name(a)) < (b == otherwise ? reference.name : name(b));
  });
  for (auto found = from; found != to; ++found)
    if (named_record(*found)->unique_name == reference.unique_name) return *found;
  return from != to ? *from : otherwise;
}

TypeIndex TypeTable::resolve(TypeIndex type) const {
  for (int depth = 0; depth < deepest && leaf(type) == leaf_modifier; ++depth)
    type = loader::read_at<uint32_t>(record(type), 2).value_or(0);
  const auto named = named_record(type);
  return named && named->forward ? definition(*named, type) : type;
}

TypeKind TypeTable::kind(TypeIndex type) const {
  type = resolve(type);
  if (type < first_) return basic_pointer_size(type) != 0 ? TypeKind::Pointer : basic_type(type).kind;
  switch (leaf(type)) {
    case leaf_pointer: return TypeKind::Pointer;
    case leaf_array: return TypeKind::Array;
    case leaf_procedure:
    case leaf_member_function: return TypeKind::Function;
    default: break;
  }
  const auto named = named_record(type);
  return named ? named->kind : TypeKind::None;
}

bool TypeTable::is_signed(TypeIndex type) const {
  type = resolve(type);
  const auto named = named_record(type);
  if (named && named->kind == TypeKind::Enumeration) type = named->underlying;
  return type < first_ && basic_pointer_size(type) == 0 && basic_type(type).is_signed;
}

uint64_t TypeTable::size(TypeIndex type) const { return size_of(type, 0); }

uint64_t TypeTable::size_of(TypeIndex type, int depth) const {
  if (depth > deepest) return 0;
  type = resolve(type);
  if (type < first_) return basic_pointer_size(type) != 0 ? basic_pointer_size(type) : basic_type(type).size;
  const loader::Bytes bytes = record(type);
  switch (leaf(type)) {
    case leaf_pointer: return loader::read_at<uint32_t>(bytes, 6).value_or(0) >> 13 & 0x3f;
    case leaf_array: return Cursor{bytes, 10}.number();
    case leaf_bit_field: return size_of(loader::read_at<uint32_t>(bytes, 2).value_or(0), depth + 1);
    default: break;
  }
  const auto named = named_record(type);
  if (!named) return 0;
  return named->kind == TypeKind::Enumeration ? size_of(named->underlying, depth + 1) : named->size;
}

std::string_view TypeTable::name(TypeIndex type) const {
  const auto named = named_record(type);
  if (named) return named->name;
  const auto resolved = named_record(resolve(type));
  return resolved ? resolved->name : std::string_view{};
}

TypeIndex TypeTable::target(TypeIndex type) const {
  type = resolve(type);
  if (type < first_) return basic_pointer_size(type) != 0 ? type & 0xff : 0;
  if (leaf(type) == leaf_pointer || leaf(type) == leaf_array)
    return loader::read_at<uint32_t>(record(type), 2).value_or(0);
  const auto named = named_record(type);
  return named ? named->underlying : 0;
}

uint64_t TypeTable::count(TypeIndex type) const {
  if (kind(type) != TypeKind::Array) return 0;
  const uint64_t element = size(target(type));
  return element == 0 ? 0 : size(type) / element;
}

std::string TypeTable::text(TypeIndex type) const {
  size_t budget = longest_text;
  return declare(type, {}, 0, budget);
}

/// The declaration of something that `inner` says of: pointers stand before it, arrays and arguments behind.
std::string TypeTable::declare(TypeIndex type, std::string inner, int depth, size_t& budget) const {
  if (depth > deepest || inner.size() >= budget) return "...";
  budget -= 1;
  if (type < first_) {
    const std::string_view star = basic_pointer_size(type) != 0 ? "*" : "";
    return fmt::format("{}{}{}", basic_type(type).text, star, inner);
  }
  const loader::Bytes bytes = record(type);
  const TypeIndex of = loader::read_at<uint32_t>(bytes, 2).value_or(0);
  switch (leaf(type)) {
    case leaf_modifier: {
      const uint16_t flags = loader::read_at<uint16_t>(bytes, 6).value_or(0);
      return fmt::format("{}{}{}", (flags & 1) != 0 ? "const " : "", (flags & 2) != 0 ? "volatile " : "",
                         declare(of, std::move(inner), depth + 1, budget));
    }
    case leaf_pointer: {
      const uint32_t attributes = loader::read_at<uint32_t>(bytes, 6).value_or(0);
      const uint32_t mode = attributes >> 5 & 7;
      const std::string_view mark = mode == 1 ? "&" : mode == 4 ? "&&" : "*";
      return declare(of, fmt::format("{}{}{}", mark, (attributes & 0x400) != 0 ? " const" : "", inner), depth + 1,
                     budget);
    }
    case leaf_array: {
      if (!inner.empty() && inner[0] != '[') inner = "(" + inner + ")";
      return declare(of, fmt::format("{}[{}]", inner, count(type)), depth + 1, budget);
    }
    case leaf_procedure:
    case leaf_member_function: return declare_function(type, std::move(inner), depth, budget);
    default: break;
  }
  const auto named = named_record(type);
  return named ? fmt::format("{}{}", named->name.substr(0, longest_text), inner) : "?" + inner;
}

std::string TypeTable::declare_function(TypeIndex type, std::string inner, int depth, size_t& budget) const {
  const loader::Bytes bytes = record(type);
  const bool member = leaf(type) == leaf_member_function;
  const TypeIndex result = loader::read_at<uint32_t>(bytes, 2).value_or(0);
  const TypeIndex list = loader::read_at<uint32_t>(bytes, member ? 18 : 10).value_or(0);
  std::string arguments;
  if (leaf(list) == leaf_argument_list) {
    Cursor cursor{record(list), 2};
    const auto count = cursor.take<uint32_t>();
    for (uint32_t i = 0; i < count && arguments.size() < budget; ++i) {
      const auto argument = cursor.take<uint32_t>();
      if (!cursor.ok()) break;
      arguments += (i == 0 ? "" : ", ") + declare(argument, {}, depth + 1, budget);
    }
  }
  if (!inner.empty()) inner = "(" + inner + ")";
  return declare(result, fmt::format("{}{}({})", inner.empty() ? " " : "", inner, arguments), depth + 1, budget);
}

std::vector<TypeMember> TypeTable::members(TypeIndex type) const {
  std::vector<TypeMember> out;
  const auto named = named_record(resolve(type));
  if (!named || named->kind == TypeKind::Enumeration) return out;
  Fields fields{*this, named->fields};
  while (const auto field = fields.next()) {
    const bool base = field->leaf == leaf_base_class || field->leaf == leaf_base_interface;
    if (!base && field->leaf != leaf_member) continue;
    TypeMember member{base ? name(field->type) : field->name, field->type, field->number, 0, 0, base};
    if (leaf(field->type) == leaf_bit_field) {
      const loader::Bytes bytes = record(field->type);
      member.type = loader::read_at<uint32_t>(bytes, 2).value_or(0);
      member.bits = loader::read_at<uint8_t>(bytes, 6).value_or(0);
      member.bit = loader::read_at<uint8_t>(bytes, 7).value_or(0);
    }
    out.push_back(member);
  }
  return out;
}

std::vector<Enumerator> TypeTable::enumerators(TypeIndex type) const {
  std::vector<Enumerator> out;
  const auto named = named_record(resolve(type));
  if (!named || named->kind != TypeKind::Enumeration) return out;
  Fields fields{*this, named->fields};
  while (const auto field = fields.next())
    if (field->leaf == leaf_enumerate) out.push_back({field->name, field->number});
  return out;
}

std::string_view TypeTable::enumerator(TypeIndex type, uint64_t value) const {
  const auto named = named_record(resolve(type));
  if (!named || named->kind != TypeKind::Enumeration) return {};
  const uint64_t bytes = size(type);
  const uint64_t mask = bytes >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * bytes)) - 1;
  Fields fields{*this, named->fields};
  while (const auto field = fields.next())
    if (field->leaf == leaf_enumerate && ((field->number ^ value) & mask) == 0) return field->name;
  return {};
}

std::optional<TypeIndex> TypeTable::find(std::string_view name) const {
  const auto by_name = [&](TypeIndex type, std::string_view wanted) { return this->name(type) < wanted; };
  const auto exact = std::lower_bound(named_.begin(), named_.end(), name, by_name);
  if (exact != named_.end() && this->name(*exact) == name) return *exact;
  const auto last = std::lower_bound(by_last_part_.begin(), by_last_part_.end(), std::pair{name, TypeIndex{0}});
  if (last != by_last_part_.end() && last->first == name) {
    const auto other = std::next(last);
    const bool only = other == by_last_part_.end() || other->first != name;
    return only ? std::optional{last->second} : std::nullopt;
  }
  return name.size() > 1 && name[0] == '_' ? find(name.substr(1)) : std::nullopt;
}

TypeMatches TypeTable::match(std::string_view pattern, size_t maximum) const {
  TypeMatches out;
  for (const TypeIndex type : named_) {
    const std::string_view whole = name(type);
    if (!matches_pattern(whole, pattern) && !matches_pattern(loader::last_name_part(whole), pattern)) continue;
    if (out.types.size() == maximum) {
      out.more = true;
      break;
    }
    out.types.push_back(type);
  }
  return out;
}

std::optional<TypePart> TypeTable::find_member(TypeIndex type, std::string_view name, int depth, size_t& budget) const {
  if (depth > deepest) return std::nullopt;
  const std::vector<TypeMember> all = members(type);
  for (const TypeMember& member : all)
    if (!member.is_base && member.name == name) return TypePart{member.type, member.offset, member.bit, member.bits};
  for (const TypeMember& member : all) {
    if (!member.is_base && !member.name.empty()) continue;
    if (budget == 0) return std::nullopt;
    --budget;
    if (auto found = find_member(member.type, name, depth + 1, budget)) {
      found->offset += member.offset;
      return found;
    }
  }
  return std::nullopt;
}

Result<TypePart> TypeTable::part(TypeIndex type, std::string_view path) const {
  TypePart at{type, 0, 0, 0};
  while (!path.empty()) {
    if (path[0] == '[') {
      const size_t end = path.find(']');
      uint64_t index = 0;
      bool good = end != std::string_view::npos && end > 1 && end < 12;
      for (size_t i = 1; good && i < end; ++i) {
        good = path[i] >= '0' && path[i] <= '9';
        index = index * 10 + static_cast<uint64_t>(path[i] - '0');
      }
      if (!good) return Error{fmt::format("\"{}\" does not begin with an index", path.substr(0, 64))};
      if (kind(at.type) != TypeKind::Array) return Error{fmt::format("{} is no array", text(at.type))};
      if (index >= count(at.type)) return Error{fmt::format("{} has no element {}", text(at.type), index)};
      at.type = target(at.type);
      at.offset += index * size(at.type);
      path = path.substr(end + 1);
    } else {
      if (path[0] == '.') path = path.substr(1);
      const std::string_view name = path.substr(0, path.find_first_of(".["));
      size_t budget = 1000;
      const auto member = find_member(at.type, name, 0, budget);
      if (!member) return Error{fmt::format("{} has no member \"{}\"", text(at.type), name.substr(0, 64))};
      at = {member->type, at.offset + member->offset, member->bit, member->bits};
      path = path.substr(name.size());
    }
  }
  return at;
}

}  // namespace symbols
