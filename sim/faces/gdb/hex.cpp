#include "sim/faces/gdb/hex.h"

namespace faces::gdb {

std::optional<uint8_t> hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<uint8_t>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<uint8_t>(digit - 'a' + 10);
  if (digit >= 'A' && digit <= 'F') return static_cast<uint8_t>(digit - 'A' + 10);
  return std::nullopt;
}

std::string hex_byte(uint8_t byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  return {digits[byte >> 4], digits[byte & 15]};
}

std::string to_hex(std::string_view bytes) {
  std::string result;
  result.reserve(2 * bytes.size());
  for (const char byte : bytes) result += hex_byte(static_cast<uint8_t>(byte));
  return result;
}

std::string to_hex(const std::vector<uint8_t>& bytes) {
  return to_hex(std::string_view{reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

std::optional<std::vector<uint8_t>> from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::vector<uint8_t> bytes;
  bytes.reserve(digits.size() / 2);
  for (size_t i = 0; i < digits.size(); i += 2) {
    const auto high = hex_digit(digits[i]), low = hex_digit(digits[i + 1]);
    if (!high || !low) return std::nullopt;
    bytes.push_back(static_cast<uint8_t>(*high * 16 + *low));
  }
  return bytes;
}

std::optional<std::string> text_from_hex(std::string_view digits) {
  const auto bytes = from_hex(digits);
  if (!bytes) return std::nullopt;
  return std::string{bytes->begin(), bytes->end()};
}

std::optional<uint64_t> number_from_hex(std::string_view digits) {
  if (digits.empty() || digits.size() > 16) return std::nullopt;
  uint64_t number = 0;
  for (const char digit : digits) {
    const auto value = hex_digit(digit);
    if (!value) return std::nullopt;
    number = number << 4 | *value;
  }
  return number;
}

std::string_view Fields::until(char separator) {
  const size_t end = rest_.find(separator);
  const std::string_view field = rest_.substr(0, end);
  rest_ = end == std::string_view::npos ? std::string_view{} : rest_.substr(end + 1);
  return field;
}

bool Fields::skip(std::string_view text) {
  if (!rest_.starts_with(text)) return false;
  rest_.remove_prefix(text.size());
  return true;
}

}  // namespace faces::gdb
