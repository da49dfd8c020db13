#include "tests/support/catch.h"

#include <cstdint>
#include <limits>
#include <string>

#include "rt/print.h"

namespace {

template <typename... T>
std::string printed(std::string_view pattern, const T&... values) {
  char buffer[256];
  return std::string{rt::print(buffer, pattern, values...)};
}

enum class Level : std::uint8_t { Low = 3, High = 0xF0 };

}  // namespace

TEST_CASE("Numbers print in decimal with their sign") {
  REQUIRE(printed("{} {} {}", 0, -1, 42u) == "0 -1 42");
  REQUIRE(printed("{}", std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
  REQUIRE(printed("{}", std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
  REQUIRE(printed("{}", std::uint8_t{200}) == "200");
}

TEST_CASE("Hexadecimal shows a value in its own width") {
  REQUIRE(printed("{:x} {:X}", 0xBEEFu, 0xBEEFu) == "beef BEEF");
  REQUIRE(printed("{:x}", std::int8_t{-1}) == "ff");
  REQUIRE(printed("{:x}", -1) == "ffffffff");
  REQUIRE(printed("{:x}", std::int64_t{-1}) == "ffffffffffffffff");
  REQUIRE(printed("{:#x}", 0) == "0x0");
}

TEST_CASE("A width pads numbers on the left and text on the right") {
  REQUIRE(printed("[{:6}]", 42) == "[    42]");
  REQUIRE(printed("[{:06}]", -42) == "[-00042]");
  REQUIRE(printed("[{:08x}]", 0xABCu) == "[00000abc]");
  REQUIRE(printed("[{:#010x}]", 0xABCu) == "[0x00000abc]");
  REQUIRE(printed("[{:6}]", "ab") == "[ab    ]");
  REQUIRE(printed("[{:3}]", "abcdef") == "[abcdef]");
}

TEST_CASE("Text, characters, truth values, enumerators and pointers print as what they are") {
  const char* const nothing = nullptr;
  REQUIRE(printed("{} {} {}", "abc", std::string_view{"defg"}.substr(1, 2), 'x') == "abc ef x");
  REQUIRE(printed("{} {}", true, false) == "true false");
  REQUIRE(printed("{} {:x}", Level::Low, Level::High) == "3 f0");
  REQUIRE(printed("{}", nothing) == "(null)");
  REQUIRE(printed("{}", reinterpret_cast<const void*>(0x1234)) == "0x1234");
}

TEST_CASE("Braces are doubled to stand for themselves") {
  REQUIRE(printed("{{}} {{{}}}", 1) == "{} {1}");
}

TEST_CASE("A wrong pattern prints something harmless") {
  REQUIRE(printed("{} {}", 1) == "1 {?}");
  REQUIRE(printed("none", 1, 2) == "none");
  REQUIRE(printed("{", 7) == "7");
  REQUIRE(printed("a{:x", 7) == "a7");
  REQUIRE(printed("}") == "}");
  REQUIRE(printed("{:999}", 1) == std::string(63, ' ') + "1");
  REQUIRE(printed("") == "");
}

TEST_CASE("What does not fit is cut, and the buffer always ends with a zero byte") {
  char buffer[8] = {'#', '#', '#', '#', '#', '#', '#', '#'};
  REQUIRE(rt::print({buffer, 4}, "{}", "abcdef") == "abc");
  REQUIRE(buffer[3] == 0);
  REQUIRE(buffer[4] == '#');
  REQUIRE(rt::print({buffer, 1}, "abc") == "");
  REQUIRE(buffer[0] == 0);
  REQUIRE(rt::print({buffer, 0}, "abc") == "");
}
