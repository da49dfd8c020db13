#pragma once
// Text into a caller's buffer: typed, bounded, without allocation.
//
//   char buffer[128];
//   rt::print(buffer, "mapped {} pages at {:#x}", count, address);
//
// In the pattern, {} takes the next argument, {{ and }} are braces. After a colon, in this order, each optional:
//   #   prefix 0x           0   pad with zeros instead of spaces
//   a decimal width up to 64      x or X   hexadecimal, lower or upper case
// Numbers are padded on the left, text on the right. Pointers print as {:#x}, bool as true or false. A placeholder
// without an argument prints {?}, what is left over is not printed: a wrong pattern never reads anything it should not.

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace rt {

// One value to print, reduced to what the formatter knows.
class Argument {
 public:
  enum class Kind : std::uint8_t { Unsigned, Signed, Pointer, Text, Character };

  template <std::integral T>
  constexpr Argument(T value)
      : kind_{std::is_signed_v<T> ? Kind::Signed : Kind::Unsigned},
        // Hexadecimal shows the value's own width, not the sign extension to 64 bits.
        width_{sizeof(T)},
        number_{static_cast<std::uint64_t>(value)} {}
  template <typename T>
    requires std::is_enum_v<T>
  constexpr Argument(T value) : Argument{static_cast<std::underlying_type_t<T>>(value)} {}
  constexpr Argument(bool value) : Argument{std::string_view{value ? "true" : "false"}} {}
  constexpr Argument(char value)
      : kind_{Kind::Character}, width_{1}, number_{static_cast<unsigned char>(value)} {}
  constexpr Argument(std::string_view text)
      : kind_{Kind::Text}, number_{text.size()}, text_{text.data()} {}
  constexpr Argument(const char* text)
      : Argument{text != nullptr ? std::string_view{text} : "(null)"} {}
  Argument(const void* pointer)
      : kind_{Kind::Pointer}, number_{reinterpret_cast<std::uint64_t>(pointer)} {}

  constexpr Kind kind() const { return kind_; }
  // The number's bits, of Signed sign-extended.
  constexpr std::uint64_t number() const { return number_; }
  // The number's bits in its own width.
  constexpr std::uint64_t bits() const {
    return width_ >= 8 ? number_ : number_ & ((std::uint64_t{1} << (8 * width_)) - 1);
  }
  constexpr std::string_view text() const { return {text_, static_cast<std::size_t>(number_)}; }

 private:
  Kind kind_;
  std::uint8_t width_ = 8;
  std::uint64_t number_;
  const char* text_ = nullptr;
};

// Prints into the buffer, cuts what does not fit, and ends with a zero byte (unless the buffer is empty).
// Returns what was printed, without the zero byte.
std::string_view print_arguments(std::span<char> buffer, std::string_view pattern,
                                 std::span<const Argument> arguments);

template <typename... T>
std::string_view print(std::span<char> buffer, std::string_view pattern, const T&... values) {
  if constexpr (sizeof...(T) == 0) {
    return print_arguments(buffer, pattern, {});
  } else {
    const Argument arguments[] = {Argument{values}...};
    return print_arguments(buffer, pattern, arguments);
  }
}

}  // namespace rt
