// Types of a stream made here: how they are found, described and refused.
#include <fmt/format.h>

#include <algorithm>

#include "sim/symbols/structures.h"
#include "sim/symbols/type_table.h"
#include "tests/support/catch.h"
#include "type_stream.h"

using namespace symbols;
using Catch::Matchers::ContainsSubstring;
using test::Bytes;
using test::TypeStream;

namespace {

TypeTable parsed(const TypeStream& stream) {
  auto table = TypeTable::parse(stream.bytes());
  INFO((table ? std::string{} : table.error().message));
  REQUIRE(table.ok());
  return std::move(table.value());
}
std::string refusal(std::vector<uint8_t> stream) {
  const auto table = TypeTable::parse(std::move(stream));
  return table ? "accepted" : table.error().message;
}

}  // namespace

TEST_CASE("Members, arrays, bit fields, bases and enumerators are read as they were declared") {
  TypeStream s;
  const auto forward = s.structure(0, 0, "sk::Node", true);
  const auto pointer = s.add(0x1002, Bytes{}.u32(forward).u32(0x1000c));
  const auto array = s.add(0x1503, Bytes{}.u32(test::type_u32).u32(test::type_u64).u16(48).text(""));
  const auto matrix = s.add(0x1503, Bytes{}.u32(array).u32(test::type_u64).u16(96).text(""));
  const auto bits = s.add(0x1205, Bytes{}.u32(test::type_u32).put<uint8_t>(5).put<uint8_t>(3).u16(0));
  const auto values = s.field_list({Bytes{}.u16(0x1502).u16(3).u16(7).text("Seven"),
                                    Bytes{}.u16(0x1502).u16(3).u16(0x8003).put<int32_t>(-2).text("MinusTwo")});
  const auto enumeration = s.add(0x1507, Bytes{}.u16(2).u16(0).u32(test::type_i32).u32(values).text("sk::Kind"));
  const auto base_fields = s.field_list({TypeStream::member(test::type_u64, 0, "inherited")});
  const auto base = s.structure(base_fields, 8, "sk::Base");
  const auto fields = s.field_list({Bytes{}.u16(0x1400).u16(3).u32(base).u16(0), TypeStream::member(pointer, 8, "next"),
                                    TypeStream::member(matrix, 16, "matrix"), TypeStream::member(bits, 112, "flags"),
                                    TypeStream::member(enumeration, 116, "kind")});
  const auto node = s.structure(fields, 120, "sk::Node");
  const auto constant = s.add(0x1001, Bytes{}.u32(forward).u16(1).u16(0));
  const TypeTable table = parsed(s);

  EXPECT(table.find("sk::Node") == node);
  EXPECT(table.find("Node") == node);
  EXPECT(table.find("_Node") == node);
  CHECK_FALSE(table.find("node").has_value());
  EXPECT(table.resolve(constant) == node);
  EXPECT(table.size(constant) == 120);
  EXPECT(table.text(constant) == "const sk::Node");
  EXPECT(table.text(pointer) == "sk::Node*");
  EXPECT(table.text(matrix) == "uint32_t[2][12]");
  const auto members = table.members(node);
  REQUIRE(members.size() == 5);
  EXPECT((members[0].is_base && members[0].name == "sk::Base"));
  EXPECT(
      (members[3].name == "flags" && members[3].bits == 5 && members[3].bit == 3 && members[3].type == test::type_u32));
  EXPECT(table.enumerator(enumeration, 7) == "Seven");
  EXPECT(table.enumerator(enumeration, 0xfffffffe) == "MinusTwo");
  EXPECT(table.is_signed(enumeration));
  EXPECT(table.match("*::n?DE", 10).types == std::vector<TypeIndex>{node});
  EXPECT(table.match("*", 2).more);

  const auto part = table.part(node, "matrix[1][2]");
  REQUIRE(part.ok());
  EXPECT((part.value().offset == 16 + 48 + 8 && part.value().type == test::type_u32));
  EXPECT(table.part(node, "inherited").value().offset == 0);
  CHECK_THAT(table.part(node, "matrix[2]").error().message, ContainsSubstring("uint32_t[2][12] has no element 2"));
  CHECK_THAT(table.part(node, "next.kind").error().message, ContainsSubstring("sk::Node* has no member \"kind\""));
}

TEST_CASE("Functions and pointers to them are written as C writes them") {
  TypeStream s;
  const auto list = s.add(0x1201, Bytes{}.u32(2).u32(test::type_pointer_u64).u32(0x30));
  const auto function = s.add(0x1008, Bytes{}.u32(3).put<uint8_t>(0).put<uint8_t>(0).u16(2).u32(list));
  const auto pointer = s.add(0x1002, Bytes{}.u32(function).u32(0x1000c));
  const TypeTable table = parsed(s);
  EXPECT(table.text(function) == "void (uint64_t*, bool)");
  EXPECT(table.text(pointer) == "void(*)(uint64_t*, bool)");
  EXPECT(table.kind(function) == TypeKind::Function);
}

TEST_CASE("Types that refer to each other in circles end") {
  TypeStream s;
  const uint32_t first = TypeStream::first;
  s.add(0x1001, Bytes{}.u32(first + 1).u16(1).u16(0));                                       // const of the next
  s.add(0x1001, Bytes{}.u32(first).u16(2).u16(0));                                           // volatile of the first
  s.add(0x1002, Bytes{}.u32(first + 2).u32(0x1000c));                                        // a pointer to itself
  s.add(0x1503, Bytes{}.u32(first + 3).u32(test::type_u64).u16(8).text(""));                 // an array of itself
  s.field_list({Bytes{}.u16(0x1400).u16(3).u32(first + 5).u16(0), Bytes{}.u16(0x1404).u16(0).u32(first + 4)});
  s.structure(first + 4, 8, "Own::Base");
  s.add(0x1201, Bytes{}.u32(40).u32(first + 7));
  s.add(0x1008, Bytes{}.u32(first + 7).u32(0).u32(first + 6));                               // returns and takes itself
  s.add(0x1205, Bytes{}.u32(first + 8).put<uint8_t>(1).put<uint8_t>(0).u16(0));
  const TypeTable table = parsed(s);
  for (TypeIndex type = first; type < first + 12; ++type) {
    EXPECT(table.text(type).size() < 100'000);
    static_cast<void>(table.size(type));
    static_cast<void>(table.members(type));
    CHECK_FALSE(table.part(type, "absent").ok());
    // Their values, too: an array of itself, a class that is its own base.
    const std::vector<uint8_t> bytes(8, 1);
    static_cast<void>(format_value(table, type, bytes));
    const ReadMemory read = [](uint64_t, std::span<uint8_t> to) {
      return std::fill(to.begin(), to.end(), uint8_t{1}), Reach::Read;
    };
    EXPECT(fields_of(table, type, 0, read).size() <= 65536);
  }
}

TEST_CASE("Values are written by their types, and say why where memory cannot be read") {
  TypeStream s;
  const auto text = s.add(0x1503, Bytes{}.u32(0x70).u32(test::type_u64).u16(8).text(""));
  const auto numbers = s.add(0x1503, Bytes{}.u32(0x11).u32(test::type_u64).u16(4).text(""));
  const auto bits = s.add(0x1205, Bytes{}.u32(test::type_i32).put<uint8_t>(4).put<uint8_t>(2).u16(0));
  const auto fields = s.field_list({TypeStream::member(text, 0, "text"), TypeStream::member(numbers, 8, "numbers"),
                                    TypeStream::member(bits, 12, "bits"), TypeStream::member(0x30, 16, "flag"),
                                    TypeStream::member(test::type_pointer_u64, 24, "pointer")});
  const auto type = s.structure(fields, 32, "S");
  const TypeTable table = parsed(s);
  std::vector<uint8_t> memory(32);
  std::copy_n("ab\0cdefg", 8, memory.begin());
  memory[8] = 0xfe;  // -2
  memory[9] = 0xff;
  memory[10] = 7;
  memory[12] = 0x3c;  // bits 5:2 are all set
  memory[16] = 1;
  memory[25] = 0x20;
  const ReadMemory read = [&](uint64_t address, std::span<uint8_t> to) {
    std::copy_n(memory.begin() + static_cast<ptrdiff_t>(address - 0x100), to.size(), to.begin());
    return Reach::Read;
  };
  const auto values = fields_of(table, type, 0x100, read);
  REQUIRE(values.size() == 5);
  EXPECT(values[0].value == "\"ab\"");
  EXPECT(values[1].value == "{-2, 0x7}");
  EXPECT(values[1].count == 2);
  EXPECT(values[2].value == "-1");
  EXPECT((values[2].bit == 2 && values[2].bits == 4));
  EXPECT(values[3].value == "true");
  EXPECT((values[4].value == "0x2000" && values[4].is_pointer && values[4].number == 0x2000));
  const Object object{table, type, 0x100, read};
  EXPECT(object.number("numbers[0]") == ~uint64_t{1});
  EXPECT(object.number("bits") == ~uint64_t{0});
  EXPECT(object.text("text") == "ab");
  CHECK_FALSE(object.number("text").has_value());
  CHECK_FALSE(object.number("absent").has_value());
  EXPECT(object.follow("pointer")->address() == 0x2000);
  CHECK_FALSE(fields_of(table, type, std::nullopt, read)[0].value.has_value());
}

TEST_CASE("Damaged type streams are refused with the place of the damage") {
  CHECK_THAT(refusal({}), ContainsSubstring("shorter than its header"));
  TypeStream good;
  good.structure(good.field_list({TypeStream::member(test::type_u8, 0, "a")}), 1, "A");
  auto bytes = good.bytes();
  const auto with = [&](size_t at, uint8_t value) {
    auto changed = bytes;
    changed[at] = value;
    return changed;
  };
  CHECK_THAT(refusal(with(16, 0xff)), ContainsSubstring("which is not possible"));
  CHECK_THAT(refusal(with(57, 0xff)), ContainsSubstring("type record 0x1000 at 0x38 is cut short"));
  CHECK_THAT(refusal(with(60, 0x77)),
             ContainsSubstring("type record 0x1000 at 0x3a has a part that is cut short or of an unknown kind"));
  EXPECT(refusal(bytes) == "accepted");
  size_t refused = 0;
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<uint8_t> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    refused += refusal(cut) == "accepted" ? 0 : 1;
  }
  EXPECT(refused == bytes.size());
}

TEST_CASE("Patterns match without case") {
  struct Row {
    const char *text, *pattern;
    bool matches;
  };
  for (const Row& row : {Row{"KiSystemCall64", "ki*call??", true}, Row{"KiSystemCall64", "ki*call?", false},
                         Row{"", "*", true}, Row{"", "?", false}, Row{"abc", "a*b*c*", true}, Row{"abab", "*ab", true},
                         Row{"aXbXc", "a*x", false}}) {
    INFO(row.text << " " << row.pattern);
    EXPECT(matches_pattern(row.text, row.pattern) == row.matches);
  }
}
