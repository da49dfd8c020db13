#pragma once
// An Api that lets nothing through that the table does not say: what every test of a face or handler should use.
#include <nlohmann/json.hpp>

#include "sim/rpc/api.h"
#include "sim/rpc/types.h"
#include "tests/support/catch.h"

namespace test {

class CheckedApi final : public rpc::Api {
 public:
  explicit CheckedApi(rpc::Api& api) : api_{api} {}

  rpc::Answer call(std::string_view method, const rpc::Json& parameters) override {
    rpc::Answer answer = api_.call(method, parameters);
    const rpc::Method* row = rpc::find_method(method);
    if (!answer) {
      INFO(method << " " << parameters.dump());
      EXPECT(!answer.error().message.empty());
      EXPECT(answer.error().code != rpc::Code::Internal);
      return answer;
    }
    REQUIRE(row != nullptr);
    const auto bad = rpc::mismatch(answer.value(), row->results);
    INFO(method << " " << parameters.dump() << " answered " << answer.value().dump().substr(0, 2000) << ": " << bad.value_or(""));
    EXPECT(!bad);
    return answer;
  }
  /// The result; a refusal fails the test.
  rpc::Json result(std::string_view method, const rpc::Json& parameters = rpc::Json::object()) {
    rpc::Answer answer = call(method, parameters);
    INFO(method << " " << parameters.dump() << ": " << (answer ? "" : answer.error().message));
    REQUIRE(answer.ok());
    return std::move(answer.value());
  }
  /// Why it was refused; a result fails the test.
  rpc::Refusal refusal(std::string_view method, const rpc::Json& parameters = rpc::Json::object()) {
    rpc::Answer answer = call(method, parameters);
    INFO(method << " " << parameters.dump() << " answered " << (answer ? answer.value().dump().substr(0, 500) : ""));
    REQUIRE(!answer.ok());
    return answer.error();
  }
  void interrupt() override { api_.interrupt(); }
  /// Notifications are checked too: "moved" against Stop, "breakpoints" against what breakpoint.list answers.
  size_t listen(Listener listener) override {
    return api_.listen([listener = std::move(listener)](std::string_view name, const rpc::Json& parameters) {
      std::optional<std::string> bad;
      if (name == "moved") bad = rpc::mismatch(parameters, rpc::find_record("Stop")->fields);
      if (name == "breakpoints") bad = rpc::mismatch(parameters, rpc::find_method("breakpoint.list")->results);
      INFO(name << ": " << bad.value_or(""));
      EXPECT(!bad);
      listener(name, parameters);
    });
  }
  void forget(size_t listener) override { api_.forget(listener); }

 private:
  rpc::Api& api_;
};

}  // namespace test
