#include "sim/rpc/types.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace rpc {
namespace {

constexpr size_t longest_hex = 32;  ///< digits of 128 bits

bool is_hex_digit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

bool is_hex(std::string_view text) {
  if (!text.starts_with("0x")) return false;
  text.remove_prefix(2);
  return !text.empty() && text.size() <= longest_hex && std::all_of(text.begin(), text.end(), is_hex_digit);
}

bool is_bytes(std::string_view text) {
  return text.size() % 2 == 0 && std::all_of(text.begin(), text.end(), is_hex_digit);
}

bool is_integer(const Json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>() <= maximum_integer;
  return value.is_number_integer() && value.get<int64_t>() >= 0;
}

bool is_signed(const Json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>() <= maximum_integer;
  return value.is_number_integer() && value.get<int64_t>() >= -static_cast<int64_t>(maximum_integer);
}

bool is_word(std::string_view words, std::string_view word) {
  for (;;) {
    const size_t bar = words.find('|');
    if (words.substr(0, bar) == word) return true;
    if (bar == std::string_view::npos) return false;
    words.remove_prefix(bar + 1);
  }
}

const std::string* text_of(const Json& value) { return value.get_ptr<const std::string*>(); }

/// Short enough for a message, whatever a client sent.
std::string shown(const Json& value) {
  constexpr size_t longest = 40;
  if (value.is_structured()) return value.is_array() ? "a list" : "an object";
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > longest) text = text.substr(0, longest) + "...";
  return text;
}

std::optional<std::string> wrong(std::string_view path, const Json& value, std::string_view wanted) {
  return fmt::format("{} is {}; wanted: {}", path, shown(value), wanted);
}

std::optional<std::string> object_mismatch(const std::string& path, const Json& object, std::span<const Field> fields);

std::optional<std::string> element_mismatch(const std::string& path, const Json& value, std::string_view type) {
  const std::string* text = text_of(value);
  if (type == "boolean") return value.is_boolean() ? std::nullopt : wrong(path, value, "true or false");
  if (type == "text") return text != nullptr ? std::nullopt : wrong(path, value, "a text");
  if (type == "integer") return is_integer(value) ? std::nullopt : wrong(path, value, "an integer from 0 to 2^53 - 1");
  if (type == "signed") return is_signed(value) ? std::nullopt : wrong(path, value, "an integer of at most 53 bits");
  if (type == "hex")
    return text != nullptr && is_hex(*text) ? std::nullopt : wrong(path, value, "a text of \"0x\" and 1 to 32 hexadecimal digits");
  if (type == "bytes")
    return text != nullptr && is_bytes(*text) ? std::nullopt : wrong(path, value, "a text of pairs of hexadecimal digits");
  if (type.find('|') != std::string_view::npos)
    return text != nullptr && is_word(type, *text) ? std::nullopt : wrong(path, value, fmt::format("one of {}", type));
  const Record* record = find_record(type);
  if (record == nullptr) return fmt::format("{}: the table names no type {}", path, type);
  if (!value.is_object()) return wrong(path, value, fmt::format("an object, {}", type));
  return object_mismatch(path + ".", value, record->fields);
}

std::optional<std::string> bounds_mismatch(const std::string& path, const Json& value, const Field& field) {
  const std::optional<Bounds> bounds = bounds_of(field);
  if (!bounds) return std::nullopt;
  const std::string* text = text_of(value);
  uint64_t number = 0;
  if (value.is_number()) number = value.get<uint64_t>();
  else if (text != nullptr && parse_type(field.type).element == "bytes") number = text->size() / 2;
  else return std::nullopt;
  if (number >= bounds->least && number <= bounds->most) return std::nullopt;
  return fmt::format("{} is {}{}; allowed: {} to {}", path, number, value.is_number() ? "" : " bytes", bounds->least, bounds->most);
}

std::optional<std::string> field_mismatch(const std::string& path, const Json& value, const Field& field) {
  const Type type = parse_type(field.type);
  if (!type.list) {
    if (auto bad = element_mismatch(path, value, type.element)) return bad;
    return bounds_mismatch(path, value, field);
  }
  if (!value.is_array()) return wrong(path, value, "a list");
  for (size_t i = 0; i < value.size(); ++i)
    if (auto bad = element_mismatch(fmt::format("{}[{}]", path, i), value[i], type.element)) return bad;
  return std::nullopt;
}

std::string unknown_member(const std::string& path, const std::string& name, std::span<const Field> fields) {
  std::vector<std::string_view> names;
  for (const Field& field : fields) names.push_back(field.name);
  const std::string_view meant = nearest(name, names);
  std::string text = fmt::format("{} is not known here", shown(Json(path + name)));
  if (!meant.empty()) return text + fmt::format("; did you mean \"{}\"?", meant);
  if (names.empty()) return text + "; there are none";
  return text + fmt::format("; known: {}", fmt::join(names, ", "));
}

std::optional<std::string> object_mismatch(const std::string& path, const Json& object, std::span<const Field> fields) {
  for (const auto& [name, value] : object.items()) {
    const auto field = std::find_if(fields.begin(), fields.end(), [&](const Field& known) { return known.name == name; });
    if (field == fields.end()) return unknown_member(path, name, fields);
    if (auto bad = field_mismatch(path + name, value, *field)) return bad;
  }
  for (const Field& field : fields)
    if (!parse_type(field.type).optional && !object.contains(field.name))
      return fmt::format("{}{} is missing", path, field.name);
  return std::nullopt;
}

/// Takes a decimal number off the front.
std::optional<uint64_t> take_number(std::string_view& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j + 1] + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

Type parse_type(std::string_view text) {
  Type type;
  if (text.ends_with('?')) {
    type.optional = true;
    text.remove_suffix(1);
  }
  if (text.ends_with("[]")) {
    type.list = true;
    text.remove_suffix(2);
  }
  type.element = text;
  return type;
}

std::optional<Bounds> bounds_of(const Field& field) {
  constexpr std::string_view between = " to ", at_most = "at most ";
  std::string_view text = field.text;
  if (const auto least = take_number(text); least && text.starts_with(between)) {
    text.remove_prefix(between.size());
    if (const auto most = take_number(text)) return Bounds{*least, *most};
  }
  const size_t found = field.text.find(at_most);
  if (found == std::string_view::npos) return std::nullopt;
  text = field.text.substr(found + at_most.size());
  const auto most = take_number(text);
  return most ? std::optional{Bounds{0, *most}} : std::nullopt;
}

std::optional<std::string> mismatch(const Json& object, std::span<const Field> fields) {
  return object_mismatch("", object, fields);
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> names) {
  constexpr size_t longest = 64;  // nobody meant something longer
  if (name.size() > longest) return {};
  std::string_view best;
  size_t best_distance = std::max<size_t>(name.size() / 3, 1) + 1;
  for (const std::string_view known : names) {
    const size_t distance = edit_distance(name, known);
    if (distance >= best_distance) continue;
    best = known;
    best_distance = distance;
  }
  return best;
}

std::optional<uint64_t> hex_number(std::string_view text) {
  if (!is_hex(text)) return std::nullopt;
  text.remove_prefix(2);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional{value} : std::nullopt;
}

std::optional<std::vector<uint8_t>> bytes_of(std::string_view text) {
  if (!is_bytes(text)) return std::nullopt;
  std::vector<uint8_t> bytes(text.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i)
    std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, bytes[i], 16);
  return bytes;
}

}  // namespace rpc
