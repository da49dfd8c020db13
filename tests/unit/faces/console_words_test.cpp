// How the console takes a line apart.
#include "sim/faces/console/words.h"

#include "tests/support/catch.h"

using namespace faces::console;

namespace {

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> all;
  for (Words words{text}; !words.empty();) all.push_back(words.next());
  return all;
}

using List = std::vector<std::string>;

}  // namespace

TEST_CASE("numbers are read as the kernel debugger reads them", "[console]") {
  struct Row {
    std::string_view text;
    std::optional<uint64_t> value;
  };
  const Row row = GENERATE(values<Row>({{"10", 0x10},
                                        {"0x10", 0x10},
                                        {"0n10", 10},
                                        {"0y101", 5},
                                        {"10h", 0x10},
                                        {"fffff801`00001da0", 0xfffff80100001da0},
                                        {"dead", 0xdead},
                                        {"ffffffffffffffff", UINT64_MAX},
                                        {"1ffffffffffffffff", std::nullopt},
                                        {"rax", std::nullopt},
                                        {"0n1f", std::nullopt},
                                        {"`", std::nullopt},
                                        {"", std::nullopt},
                                        {"nt!Foo", std::nullopt}}));
  INFO(row.text);
  EXPECT(literal(row.text) == row.value);
}

TEST_CASE("expressions become those of the interface's language", "[console]") {
  struct Row {
    std::string_view kd, ours;
  };
  const Row row = GENERATE(values<Row>({{"10", "0x10"},
                                        {"rax+8", "rax+0x8"},
                                        {"@rax + 0n10", "rax + 0xa"},
                                        {"nt!KeBugCheckEx+1f", "nt!KeBugCheckEx+0x1f"},
                                        {"poi(rsp+28)", "u64(rsp+0x28)"},
                                        {"dwo(gs:20)", "u32(gs:0x20)"},
                                        {".", "rip"},
                                        {". + 5", "rip + 0x5"},
                                        {"@$ip", "$ip"},
                                        {"$ip", "rip"},
                                        {"vtl1.rip", "vtl1.rip"},
                                        {"nt!_EPROCESS(fff0).UniqueProcessId", "nt!_EPROCESS(0xfff0).UniqueProcessId"},
                                        {"nt!_X(10).abc", "nt!_X(0x10).abc"},
                                        {"securekernel!Skmm::Map", "securekernel!Skmm::Map"},
                                        {"name == \"10 abc\"", "name == \"10 abc\""},
                                        {"7 mod 4", "0x7 % 0x4"},
                                        {"\"open", "\"open"}}));
  EXPECT(translate(row.kd) == row.ours);
}

TEST_CASE("arguments end at spaces, except around operators, in brackets and in quotes", "[console]") {
  EXPECT(words_of("") == List{});
  EXPECT(words_of("  a   b ") == List{"a", "b"});
  EXPECT(words_of("rax + 8 L10") == List{"rax + 8", "L10"});
  EXPECT(words_of("rax +8 L10") == List{"rax +8", "L10"});
  EXPECT(words_of("rax=5 rbx = 6") == List{"rax=5", "rbx = 6"});
  EXPECT(words_of("poi(rax + 8) \"a b\"") == List{"poi(rax + 8)", "\"a b\""});
  EXPECT(words_of("nt!* more") == List{"nt!*", "more"});
  EXPECT(words_of("/1 /p lsaiso.exe nt!Foo") == List{"/1", "/p", "lsaiso.exe", "nt!Foo"});
  EXPECT(words_of("a - 1 b") == List{"a - 1", "b"});
  EXPECT(words_of("0-3 5") == List{"0-3", "5"});
  EXPECT(words_of("\"never closed ; (") == List{"\"never closed ; ("});
}

TEST_CASE("a semicolon separates commands unless it stands in quotes or brackets", "[console]") {
  EXPECT(split_commands("r;u; ;k") == List{"r", "u", "k"});
  EXPECT(split_commands("s 0 L10 \"a;b\"; r") == List{"s 0 L10 \"a;b\"", "r"});
  EXPECT(split_commands("* r; u") == List{});
  EXPECT(split_commands("r ; $$ what that is") == List{"r"});
  EXPECT(split_commands("") == List{});
}

TEST_CASE("a condition is found wherever it stands, and is left as it was written", "[console]") {
  struct Row {
    std::string_view text, condition;
    List rest;
  };
  const Row row = GENERATE(values<Row>({{"nt!Foo if rax == 10", "rax == 10", {"nt!Foo"}},
                                        {"/w \"rax == 10\" nt!Foo 2", "rax == 10", {"nt!Foo", "2"}},
                                        {"nt!Foo 2 if name == \"a\" and b == \"c\"", "name == \"a\" and b == \"c\"", {"nt!Foo", "2"}},
                                        {"nt!Foo if \"rax == 5\"", "rax == 5", {"nt!Foo"}}}));
  INFO(row.text);
  Words words{row.text};
  words.find_condition();
  REQUIRE(words.condition());
  EXPECT(*words.condition() == row.condition);
  List rest;
  while (!words.empty()) rest.push_back(words.next());
  EXPECT(rest == row.rest);
  Words none{"nt!Elif 2"};
  none.find_condition();
  EXPECT(!none.condition());
}
