#pragma once
// Numbers and bytes as gdb's remote protocol writes them: hexadecimal digits, no prefix.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace faces::gdb {

[[nodiscard]] std::optional<uint8_t> hex_digit(char digit);
[[nodiscard]] std::string hex_byte(uint8_t byte);
/// Two digits a byte.
[[nodiscard]] std::string to_hex(std::string_view bytes);
[[nodiscard]] std::string to_hex(const std::vector<uint8_t>& bytes);
/// Nothing where a digit is missing or is none.
[[nodiscard]] std::optional<std::vector<uint8_t>> from_hex(std::string_view digits);
[[nodiscard]] std::optional<std::string> text_from_hex(std::string_view digits);
/// A number of 1 to 16 digits, most significant first.
[[nodiscard]] std::optional<uint64_t> number_from_hex(std::string_view digits);

/// Reads the fields of a packet from the front.
class Fields {
 public:
  explicit Fields(std::string_view text) : rest_{text} {}
  /// Up to `separator`, which is taken away; all of the rest where there is none.
  std::string_view until(char separator);
  /// The same as a number.
  std::optional<uint64_t> number_until(char separator) { return number_from_hex(until(separator)); }
  /// Takes `text` away if the rest begins with it.
  bool skip(std::string_view text);
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace faces::gdb
