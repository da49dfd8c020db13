#include "rt/print.h"

namespace rt {
namespace {

struct Format {
  bool prefix = false;
  bool zeros = false;
  bool hexadecimal = false;
  bool upper = false;
  std::size_t width = 0;
};

class Output {
 public:
  explicit Output(std::span<char> buffer) : buffer_{buffer} {}

  void put(char character) {
    if (used_ + 1 < buffer_.size()) {
      buffer_[used_++] = character;
    }
  }
  void put(std::string_view text) {
    for (const char character : text) {
      put(character);
    }
  }
  void fill(char character, std::size_t have, std::size_t want) {
    for (; have < want; ++have) {
      put(character);
    }
  }
  std::string_view finish() {
    if (buffer_.empty()) {
      return {};
    }
    buffer_[used_] = 0;
    return {buffer_.data(), used_};
  }

 private:
  std::span<char> buffer_;
  std::size_t used_ = 0;
};

// Digits of a number, most significant first.
struct Digits {
  char storage[20];  // 2^64 has 20 decimal digits
  std::size_t count = 0;

  Digits(std::uint64_t number, unsigned base, bool upper) {
    const char* const alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    do {
      ++count;
      storage[sizeof storage - count] = alphabet[number % base];
      number /= base;
    } while (number != 0);
  }
  std::string_view text() const { return {storage + sizeof storage - count, count}; }
};

void put_number(Output& output, const Argument& argument, const Format& format) {
  const bool negative = !format.hexadecimal && argument.kind() == Argument::Kind::Signed &&
                        static_cast<std::int64_t>(argument.number()) < 0;
  const std::uint64_t magnitude = format.hexadecimal ? argument.bits()
                                  : negative         ? std::uint64_t{0} - argument.number()
                                                     : argument.number();
  const Digits digits{magnitude, format.hexadecimal ? 16u : 10u, format.upper};
  const std::string_view sign = negative ? "-" : format.prefix ? "0x" : "";
  const std::size_t length = sign.size() + digits.count;
  if (!format.zeros) {
    output.fill(' ', length, format.width);
  }
  output.put(sign);
  if (format.zeros) {
    output.fill('0', length, format.width);
  }
  output.put(digits.text());
}

void put_argument(Output& output, const Argument& argument, Format format) {
  switch (argument.kind()) {
    case Argument::Kind::Text:
      output.put(argument.text());
      output.fill(' ', argument.text().size(), format.width);
      return;
    case Argument::Kind::Character:
      if (!format.hexadecimal) {
        output.put(static_cast<char>(argument.number()));
        output.fill(' ', 1, format.width);
        return;
      }
      break;
    case Argument::Kind::Pointer:
      format.hexadecimal = true;
      format.prefix = true;
      break;
    case Argument::Kind::Unsigned:
    case Argument::Kind::Signed:
      break;
  }
  put_number(output, argument, format);
}

// Reads what stands between { and }; a letter that is not known is ignored.
Format parse(std::string_view text) {
  constexpr std::size_t kMaximumWidth = 64;
  Format format;
  for (const char character : text) {
    if (character == '#') {
      format.prefix = true;
    } else if (character == '0' && format.width == 0) {
      format.zeros = true;
    } else if (character >= '0' && character <= '9') {
      format.width = format.width * 10 + static_cast<std::size_t>(character - '0');
      if (format.width > kMaximumWidth) {
        format.width = kMaximumWidth;
      }
    } else if (character == 'x' || character == 'X') {
      format.hexadecimal = true;
      format.upper = character == 'X';
    }
  }
  return format;
}

}  // namespace

std::string_view print_arguments(std::span<char> buffer, std::string_view pattern,
                                 std::span<const Argument> arguments) {
  Output output{buffer};
  std::size_t next = 0;
  std::size_t at = 0;
  while (at < pattern.size()) {
    const char character = pattern[at++];
    const bool doubled = at < pattern.size() && pattern[at] == character;
    if (character != '{' || doubled) {
      output.put(character);
      if (doubled && (character == '{' || character == '}')) {
        ++at;
      }
      continue;
    }
    const std::size_t start = at;
    while (at < pattern.size() && pattern[at] != '}') {
      ++at;
    }
    const std::string_view format = pattern.substr(start, at - start);
    if (at < pattern.size()) {
      ++at;  // the closing brace
    }
    if (next < arguments.size()) {
      put_argument(output, arguments[next++], parse(format));
    } else {
      output.put("{?}");
    }
  }
  return output.finish();
}

}  // namespace rt
