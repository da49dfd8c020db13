// Bytes of clients: what is a request, and what is refused how.
#include "sim/rpc/json_rpc.h"

#include "sim/rpc/dispatcher.h"
#include "tests/support/catch.h"

namespace {

using rpc::Code;
using rpc::Json;

struct Bad {
  std::string text;
  Code code;
  Json id{};
};

std::string deep(size_t levels) {
  return R"({"jsonrpc": "2.0", "id": 1, "method": "status", "params": )" + std::string(levels, '[') + std::string(levels, ']') + "}";
}

std::string wide(size_t members) {
  std::string text = R"({"jsonrpc": "2.0", "id": 1, "method": "status", "params": {)";
  for (size_t i = 0; i < members; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
  return text + "}}";
}

}  // namespace

TEST_CASE("what is no request is refused with the reason and the id, if it has one", "[rpc]") {
  const Bad bad = GENERATE(values<Bad>({
      {"", Code::ParseError},
      {"{", Code::ParseError},
      {"{} {}", Code::ParseError},
      {"\xff", Code::ParseError},
      {"\"\xff\"", Code::ParseError},
      {std::string(1, '\0'), Code::ParseError},
      {"1", Code::InvalidRequest},
      {"null", Code::InvalidRequest},
      {"[]", Code::InvalidRequest},
      {R"([{"jsonrpc": "2.0", "id": 1, "method": "status"}])", Code::InvalidRequest},
      {"{}", Code::InvalidRequest},
      {R"({"id": 3, "method": "status"})", Code::InvalidRequest, 3},
      {R"({"jsonrpc": 2.0, "id": 3, "method": "status"})", Code::InvalidRequest, 3},
      {R"({"jsonrpc": "2.0", "id": 3})", Code::InvalidRequest, 3},
      {R"({"jsonrpc": "2.0", "id": "a", "method": 1})", Code::InvalidRequest, "a"},
      {R"({"jsonrpc": "2.0", "id": {}, "method": "status"})", Code::InvalidRequest},
      {R"({"jsonrpc": "2.0", "id": 1.5, "method": "status"})", Code::InvalidRequest},
      {R"({"jsonrpc": "2.0", "id": 3, "method": "status", "extra": 1})", Code::InvalidRequest, 3},
      {R"({"jsonrpc": "2.0", "id": 3, "method": "nothing"})", Code::MethodNotFound, 3},
      {R"({"jsonrpc": "2.0", "id": 3, "method": "status", "params": [1]})", Code::InvalidParameters, 3},
      {R"({"jsonrpc": "2.0", "id": 3, "method": "status", "params": {"a": 1}})", Code::InvalidParameters, 3},
      {R"({"jsonrpc": "2.0", "id": null, "method": "status", "params": {}})", Code::NotImplemented},
      {deep(20), Code::InvalidRequest},
      {deep(100'000), Code::InvalidRequest},
      {wide(100'000), Code::InvalidRequest},
      {std::string(rpc::maximum_message + 1, ' '), Code::InvalidRequest},
  }));
  INFO(bad.text.substr(0, 200));
  rpc::Dispatcher dispatcher{[] {}};
  const auto answer = rpc::respond(dispatcher, bad.text);
  REQUIRE(answer);
  INFO(answer->substr(0, 400));
  const Json json = Json::parse(*answer);
  EXPECT(json["jsonrpc"] == "2.0");
  EXPECT(json["id"] == bad.id);
  EXPECT(json["error"]["code"] == static_cast<int>(bad.code));
  EXPECT(!json["error"]["message"].get<std::string>().empty());
  EXPECT(!json.contains("result"));
}

TEST_CASE("a request has an answer with its id, a notification has none", "[rpc]") {
  rpc::Dispatcher dispatcher{[] {}};
  int calls = 0;
  dispatcher.serve("status", [&](const rpc::Parameters&) -> rpc::Answer {
    ++calls;
    return Json{{"text", "a\xff" "b\n"}};
  });
  const auto answer = rpc::respond(dispatcher, R"({"jsonrpc":"2.0","id":"x","method":"status"})");
  REQUIRE(answer);
  EXPECT(*answer == "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"result\":{\"text\":\"a\xef\xbf\xbd" "b\\n\"}}");
  EXPECT(!rpc::respond(dispatcher, R"({"jsonrpc":"2.0","method":"status"})"));
  EXPECT(!rpc::respond(dispatcher, R"({"jsonrpc":"2.0","method":"status", "params": null})"));
  EXPECT(calls == 3);
}

TEST_CASE("a notification of ours has no id", "[rpc]") {
  EXPECT(rpc::notification("moved", {{"a", 1}}) == R"({"jsonrpc":"2.0","method":"moved","params":{"a":1}})");
}
