// The frames of the Debug Adapter Protocol, and what a message may be.
#include "sim/faces/dap/messages.h"

#include "sim/faces/dap/session.h"
#include "tests/support/catch.h"

using namespace faces::dap;
using Catch::Matchers::ContainsSubstring;

namespace {

std::vector<std::string> messages_of(MessageReader& reader) {
  std::vector<std::string> all;
  while (true) {
    auto next = reader.next();
    if (!next || !next.value()) return all;
    all.push_back(*next.value());
  }
}

}  // namespace

TEST_CASE("messages are found however the stream is cut", "[dap]") {
  const std::string stream = "Content-Length: 2\r\n\r\n{}content-length:7\r\nContent-Type: x\r\n\r\n{\"a\":1}";
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    MessageReader reader;
    reader.add(std::string_view{stream}.substr(0, cut));
    std::vector<std::string> all = messages_of(reader);
    reader.add(std::string_view{stream}.substr(cut));
    for (std::string& message : messages_of(reader)) all.push_back(message);
    INFO("cut at " << cut);
    EXPECT(all == std::vector<std::string>{"{}", "{\"a\":1}"});
    EXPECT(reader.waiting() == 0);
  }
}

TEST_CASE("a broken header is refused with its reason, and nothing comes out behind it", "[dap]") {
  struct Row {
    std::string bytes, reason;
  };
  const Row row = GENERATE(values<Row>({{"Content-Length: x\r\n\r\n", "is no number"},
                                        {"Content-Length: -1\r\n\r\n", "is no number"},
                                        {"Content-Length: 99999999999999999999\r\n\r\n", "is no number"},
                                        {"Content-Length: 4194305\r\n\r\n", "at most 4194304"},
                                        {"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "two fields"},
                                        {"Content-Type: x\r\n\r\n", "without Content-Length"},
                                        {"hello\r\n\r\n", "without a colon"},
                                        {std::string(5000, 'x'), "a header of more than"},
                                        {"\r\n\r\n", "without Content-Length"}}));
  MessageReader reader;
  reader.add(row.bytes);
  const auto first = reader.next();
  REQUIRE(!first);
  CHECK_THAT(first.error().message, ContainsSubstring(row.reason));
  reader.add("Content-Length: 2\r\n\r\n{}");
  EXPECT(!reader.next());
  EXPECT(reader.waiting() == 0);
}

TEST_CASE("what is no message is refused with its reason", "[dap]") {
  EXPECT(parse_message("{\"seq\":1}"));
  EXPECT(!parse_message("{"));
  EXPECT(!parse_message("[]"));
  EXPECT(!parse_message("\xff"));
  const auto deep = [](size_t depth) { return "{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}"; };
  EXPECT(parse_message(deep(maximum_depth - 1)));
  const auto refused = parse_message(deep(maximum_depth));
  REQUIRE(!refused);
  CHECK_THAT(refused.error().message, ContainsSubstring("nested more than 32 deep"));
  EXPECT(parse_message("{\"a\":\"" + std::string(100, '[') + "\\\"" + std::string(100, '[') + "\"}"));
}

TEST_CASE("a frame says its length in bytes, and guests' text becomes UTF-8", "[dap]") {
  EXPECT(frame({{"a", "\xc3\xa4"}}) == "Content-Length: 10\r\n\r\n{\"a\":\"\xc3\xa4\"}");
  CHECK_THAT(frame({{"a", "\xff"}}), ContainsSubstring("\xef\xbf\xbd"));
}

TEST_CASE("memory travels as base64", "[dap]") {
  struct Row {
    std::vector<uint8_t> bytes;
    std::string text;
  };
  const Row row = GENERATE(values<Row>({{{}, ""},
                                        {{'f'}, "Zg=="},
                                        {{'f', 'o'}, "Zm8="},
                                        {{'f', 'o', 'o'}, "Zm9v"},
                                        {{'f', 'o', 'o', 'b'}, "Zm9vYg=="},
                                        {{0xff, 0xef, 0xbe}, "/+++"}}));  // RFC 4648 section 10, and the last two digits
  EXPECT(base64(row.bytes) == row.text);
  EXPECT(from_base64(row.text) == row.bytes);
  EXPECT(!from_base64("Zg"));
  EXPECT(!from_base64("Z!=="));
  EXPECT(!from_base64("===="));
}
