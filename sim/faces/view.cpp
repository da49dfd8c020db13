#include "sim/faces/view.h"

#include <fmt/format.h>

#include <charconv>

namespace faces {

const Json* member(const Json& object, std::string_view name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string text_of(const Json& object, std::string_view name) {
  const Json* found = member(object, name);
  return found != nullptr && found->is_string() ? found->get<std::string>() : std::string{};
}

std::optional<uint64_t> number_in(const Json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (value.is_number_integer()) {
    const auto number = value.get<int64_t>();
    return number < 0 ? std::nullopt : std::optional{static_cast<uint64_t>(number)};
  }
  return value.is_string() ? parse_number(value.get_ref<const std::string&>()) : std::nullopt;
}

std::optional<uint64_t> number_of(const Json& object, std::string_view name) {
  const Json* found = member(object, name);
  return found == nullptr ? std::nullopt : number_in(*found);
}

uint64_t number_or_zero(const Json& object, std::string_view name) { return number_of(object, name).value_or(0); }

bool flag_of(const Json& object, std::string_view name) {
  const Json* found = member(object, name);
  return found != nullptr && found->is_boolean() && found->get<bool>();
}

const Json& list_of(const Json& object, std::string_view name) {
  static const Json empty = Json::array();
  const Json* found = member(object, name);
  return found != nullptr && found->is_array() ? *found : empty;
}

const Json& object_of(const Json& object, std::string_view name) {
  static const Json empty = Json::object();
  const Json* found = member(object, name);
  return found != nullptr && found->is_object() ? *found : empty;
}

std::vector<uint8_t> bytes_of(const Json& object, std::string_view name) {
  const std::string text = text_of(object, name);
  if (text.size() % 2 != 0) return {};
  std::vector<uint8_t> bytes(text.size() / 2);
  for (size_t at = 0; at < bytes.size(); ++at) {
    const char* digits = text.data() + 2 * at;
    if (std::from_chars(digits, digits + 2, bytes[at], 16).ptr != digits + 2) return {};
  }
  return bytes;
}

std::optional<uint64_t> parse_number(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x");
  if (hexadecimal) text.remove_prefix(2);
  uint64_t value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, hexadecimal ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::string hex(uint64_t value) { return fmt::format("{:#x}", value); }

std::string hex_bytes(const std::vector<uint8_t>& bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (const uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::string kd_address(uint64_t value) { return fmt::format("{:08x}`{:08x}", value >> 32, value & 0xffff'ffff); }

std::string vtl_name(uint64_t vtl) { return fmt::format("VTL {}", vtl); }

}  // namespace faces
