// Values against the table's types.
#include "sim/rpc/types.h"

#include "tests/support/catch.h"

namespace {

using rpc::Field;
using rpc::Json;

struct Row {
  const char* type;
  const char* json;
  bool good;
  const char* text{""};
};

}  // namespace

TEST_CASE("a value is what its type says, or the refusal names it", "[rpc]") {
  const Row row = GENERATE(values<Row>({
      {"boolean", "true", true},
      {"boolean", "1", false},
      {"boolean", "null", false},
      {"text", "\"\"", true},
      {"text", "5", false},
      {"integer", "0", true},
      {"integer", "9007199254740991", true},
      {"integer", "9007199254740992", false},
      {"integer", "18446744073709551615", false},
      {"integer", "99999999999999999999999", false},
      {"integer", "-1", false},
      {"integer", "1.5", false},
      {"integer", "\"1\"", false},
      {"signed", "-9007199254740991", true},
      {"signed", "-9007199254740992", false},
      {"hex", "\"0x0\"", true},
      {"hex", "\"0xFFFFFFFFFFFFFFFFffffffffffffffff\"", true},
      {"hex", "\"0x1FFFFFFFFFFFFFFFFffffffffffffffff\"", false},
      {"hex", "\"0x\"", false},
      {"hex", "\"12\"", false},
      {"hex", "\"0xg\"", false},
      {"hex", "12", false},
      {"bytes", "\"\"", true},
      {"bytes", "\"00fF\"", true},
      {"bytes", "\"0\"", false},
      {"bytes", "\"0x\"", false},
      {"into|over|out", "\"over\"", true},
      {"into|over|out", "\"ove\"", false},
      {"into|over|out", "\"into|over\"", false},
      {"into|over|out", "\"\"", false},
      {"text[]", "[]", true},
      {"text[]", "[\"a\", \"b\"]", true},
      {"text[]", "[\"a\", 1]", false},
      {"text[]", "\"a\"", false},
      {"Focus", R"({"at": 1, "vp": 0, "vtl": 1})", true},
      {"Focus", R"({"at": 1, "vp": 0, "vtl": 1, "frame": 2, "address": "0x1"})", true},
      {"Focus", R"({"at": 1, "vp": 0})", false},
      {"Focus", R"({"at": 1, "vp": 0, "vtl": -1})", false},
      {"Focus", R"({"at": 1, "vp": 0, "vtl": 1, "more": 1})", false},
      {"Focus", "[]", false},
      {"Focus[]", R"([{"at": 1, "vp": 0, "vtl": 1}])", true},
      {"Focus[]", R"([{"at": 1, "vp": 0, "vtl": "1"}])", false},
      {"integer", "64", true, "1 to 64"},
      {"integer", "0", false, "1 to 64"},
      {"integer", "65", false, "1 to 64, as many as there are"},
      {"integer", "10000", true, "100 if absent; at most 10000"},
      {"integer", "10001", false, "100 if absent; at most 10000"},
      {"bytes", "\"0011\"", true, "1 to 2"},
      {"bytes", "\"\"", false, "1 to 2"},
      {"bytes", "\"001122\"", false, "1 to 2"},
  }));
  INFO(row.type << " " << row.json << " (" << row.text << ")");
  const Field field{"value", row.type, row.text};
  const Json object{{"value", Json::parse(row.json)}};
  const auto bad = rpc::mismatch(object, {&field, 1});
  INFO(bad.value_or("accepted"));
  EXPECT(bad.has_value() == !row.good);
  EXPECT((!bad || bad->find("value") != std::string::npos));
}

TEST_CASE("what may be absent may be absent, but never null", "[rpc]") {
  const Field fields[] = {{"a", "integer", ""}, {"b", "text?", ""}};
  EXPECT(!rpc::mismatch(Json{{"a", 1}}, fields));
  EXPECT(rpc::mismatch(Json{{"b", "x"}}, fields).value_or("") == "a is missing");
  EXPECT(rpc::mismatch(Json{{"a", 1}, {"b", nullptr}}, fields).has_value());
}

TEST_CASE("an unknown name is refused with the one that was meant", "[rpc]") {
  const Field fields[] = {{"maximum", "integer?", ""}, {"pattern", "text?", ""}};
  EXPECT(rpc::mismatch(Json{{"maximun", 1}}, fields).value_or("").find("did you mean \"maximum\"") != std::string::npos);
  EXPECT(rpc::mismatch(Json{{"zzz", 1}}, fields).value_or("").find("known: maximum, pattern") != std::string::npos);
  EXPECT(rpc::mismatch(Json{{"zzz", 1}}, {}).value_or("").find("there are none") != std::string::npos);
  EXPECT(rpc::mismatch(Json{{std::string(100'000, 'x'), 1}}, fields).value_or("").size() < 200);
}

TEST_CASE("the nearest name is one that somebody could have meant", "[rpc]") {
  const std::string_view names[] = {"step", "stack", "status", "run"};
  EXPECT(rpc::nearest("stpe", names) == "");
  EXPECT(rpc::nearest("stepp", names) == "step");
  EXPECT(rpc::nearest("statu", names) == "status");
  EXPECT(rpc::nearest("rnu2", names) == "");
  EXPECT(rpc::nearest("registers", names) == "");
}

TEST_CASE("hexadecimal numbers and bytes are read whole or not at all", "[rpc]") {
  EXPECT(rpc::hex_number("0xffffffffffffffff") == ~uint64_t{0});
  EXPECT(rpc::hex_number("0x00000000000000001") == 1);
  EXPECT(!rpc::hex_number("0x10000000000000000"));
  EXPECT(!rpc::hex_number("ff"));
  EXPECT(rpc::bytes_of("00ff7F") == std::vector<uint8_t>{0, 0xff, 0x7f});
  EXPECT(!rpc::bytes_of("0"));
}
