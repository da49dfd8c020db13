// What reaches a handler, and what does not.
#include "sim/rpc/dispatcher.h"

#include "tests/support/catch.h"

namespace {

using rpc::Answer;
using rpc::Code;
using rpc::Json;

/// A dispatcher whose memory.search answers with what it was given.
struct Desk {
  rpc::Dispatcher dispatcher{[] {}};
  size_t calls{};

  Desk() {
    dispatcher.serve("memory.search", [this](const rpc::Parameters& parameters) -> Answer {
      ++calls;
      return Json{{"found", Json::array({parameters.text("address")})}, {"skipped", "0x0"}};
    });
    dispatcher.serve("dump", [this](const rpc::Parameters&) -> Answer {
      ++calls;
      return Json::object();
    });
    // As the console does: a row that leads to another one.
    dispatcher.serve("console", [this](const rpc::Parameters&) -> Answer {
      return dispatcher.call("dump", {{"kind", "core"}, {"path", "x"}});
    });
  }
  Code refusal(std::string_view method, const Json& parameters) {
    const Answer answer = dispatcher.call(method, parameters);
    REQUIRE(!answer);
    INFO(answer.error().message);
    EXPECT(!answer.error().message.empty());
    return answer.error().code;
  }
};

const Json good{{"space", "gva"}, {"address", "0x1000"}, {"length", "0x10"}, {"pattern", "90"}};

Json changed(const char* name, Json value) {
  Json out = good;
  out[name] = std::move(value);
  return out;
}

}  // namespace

TEST_CASE("what the table permits reaches the handler", "[rpc]") {
  Desk desk;
  const Answer answer = desk.dispatcher.call("memory.search", good);
  REQUIRE(answer);
  EXPECT(answer.value()["found"][0] == "0x1000");
}

TEST_CASE("nothing reaches a handler that the table does not permit", "[rpc]") {
  Desk desk;
  const Json bad = GENERATE(Json::array(), Json("text"), Json(1), Json::object(), changed("space", "xyz"), changed("space", 1),
                            changed("pattern", ""), changed("pattern", "9"), changed("pattern", std::string(514, '0')),
                            changed("length", 16), changed("maximum", -1), changed("maximum", 1.0), changed("speed", 1),
                            changed("focus", Json{{"at", 1}}), changed("process", nullptr));
  INFO(bad.dump());
  EXPECT(desk.refusal("memory.search", bad) == Code::InvalidParameters);
  EXPECT(desk.calls == 0);
}

TEST_CASE("a method that does not exist is told apart from one that nobody serves yet", "[rpc]") {
  Desk desk;
  EXPECT(desk.refusal("memory.serach", good) == Code::MethodNotFound);
  EXPECT(desk.dispatcher.call("memory.serach", good).error().message.find("memory.search") != std::string::npos);
  EXPECT(desk.refusal(std::string(100'000, 'x'), {}) == Code::MethodNotFound);
  EXPECT(desk.refusal("\xff\xfe", {}) == Code::MethodNotFound);
  EXPECT(desk.refusal("status", {}) == Code::NotImplemented);
}

TEST_CASE("strangers may not write files, not even by a detour", "[rpc]") {
  Desk desk;
  const Json dump{{"kind", "core"}, {"path", "x"}};
  EXPECT(desk.dispatcher.call("dump", dump).ok());
  EXPECT(desk.dispatcher.call("console", {{"line", ".dump x"}}).ok());
  REQUIRE(desk.calls == 2);
  rpc::Api& strangers = desk.dispatcher.for_strangers();
  for (const Answer& answer : {strangers.call("dump", dump), strangers.call("console", {{"line", ".dump x"}})}) {
    REQUIRE(!answer);
    EXPECT(answer.error().code == Code::NotPermitted);
  }
  EXPECT(desk.calls == 2);
  EXPECT(strangers.call("memory.search", good).ok());
  EXPECT(desk.dispatcher.call("dump", dump).ok());
}

TEST_CASE("listeners hear until they are forgotten, also when they forget themselves", "[rpc]") {
  Desk desk;
  int heard = 0, once = 0;
  const size_t number = desk.dispatcher.listen([&](std::string_view name, const Json& parameters) {
    heard += name == "moved" && parameters["a"] == 1;
  });
  size_t self = 0;
  self = desk.dispatcher.listen([&](std::string_view, const Json&) {
    ++once;
    desk.dispatcher.forget(self);
  });
  desk.dispatcher.notify("moved", {{"a", 1}});
  desk.dispatcher.notify("moved", {{"a", 1}});
  desk.dispatcher.forget(number);
  desk.dispatcher.notify("moved", {{"a", 1}});
  EXPECT(heard == 2);
  EXPECT(once == 1);
}
