#pragma once
// The debugger's interface without a debugger: answers are given by the test. What is asked, and what is answered, must be what
// the table of methods says, or the test fails.
#include <cstdio>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "sim/rpc/api.h"
#include "sim/rpc/schema.h"
#include "sim/rpc/types.h"
#include "tests/support/catch.h"

namespace test {

class FakeApi final : public rpc::Api {
 public:
  using Json = rpc::Json;
  using Answerer = std::function<rpc::Answer(const Json& parameters)>;

  void answer(const std::string& method, Json result) {
    answers_[method] = [result = std::move(result)](const Json&) -> rpc::Answer { return result; };
  }
  void answer_with(const std::string& method, Answerer answerer) { answers_[method] = std::move(answerer); }
  void refuse(const std::string& method, std::string message) {
    answers_[method] = [message = std::move(message)](const Json&) -> rpc::Answer { return rpc::Refusal{rpc::Code::Refused, message}; };
  }

  rpc::Answer call(std::string_view name, const Json& parameters) override {
    const rpc::Method* row = rpc::find_method(name);
    INFO("method " << name << " " << parameters.dump());
    REQUIRE(row != nullptr);
    const Json object = parameters.is_null() ? Json::object() : parameters;
    EXPECT(rpc::mismatch(object, row->parameters).value_or("") == "");
    calls.push_back(std::string{name} + " " + object.dump());
    const auto found = answers_.find(std::string{name});
    if (found == answers_.end()) return rpc::Refusal{rpc::Code::NotImplemented, std::string{name} + " is not implemented"};
    rpc::Answer answer = found->second(object);
    if (answer) EXPECT(rpc::mismatch(answer.value(), row->results).value_or("") == "");
    return answer;
  }
  void interrupt() override { ++interrupts; }
  size_t listen(Listener listener) override {
    listeners_[++next_] = std::move(listener);
    return next_;
  }
  void forget(size_t listener) override { listeners_.erase(listener); }
  void notify(std::string_view notification, const Json& parameters) {
    for (const auto& [number, listener] : listeners_) listener(notification, parameters);
  }

  std::vector<std::string> calls;  ///< "method {parameters}"
  int interrupts{};

 private:
  std::map<std::string, Answerer> answers_;
  std::map<size_t, Listener> listeners_;
  size_t next_{};
};

inline rpc::Json place(uint64_t address, const std::string& module = {}, const std::string& symbol = {}, uint64_t displacement = 0) {
  rpc::Json place = rpc::Json::object();
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
  place["address"] = text;
  place["text"] = text;
  if (symbol.empty()) return place;
  place["module"] = module;
  place["symbol"] = symbol;
  place["displacement"] = displacement;
  std::string whole = module + "!" + symbol;
  if (displacement != 0) {
    std::snprintf(text, sizeof text, "+0x%llx", static_cast<unsigned long long>(displacement));
    whole += text;
  }
  place["text"] = whole;
  return place;
}

inline rpc::Json stop(const std::string& reason, uint64_t at, uint64_t vtl, const std::string& text = {}) {
  return {{"reason", reason},
          {"focus", {{"at", at}, {"vp", 0}, {"vtl", vtl}}},
          {"place", place(0xfffff80100001da0, "securekernel", "SkiStartInVtl1")},
          {"instruction", at},
          {"ring", 0},
          {"waits", false},
          {"breakpoints", rpc::Json::array()},
          {"text", text}};
}

/// A machine that stands at instant 4014436 in VTL 1, before `push r15`.
inline void stand_still(FakeApi& api) {
  api.answer("status", {{"focus", {{"at", 4014436}, {"vp", 0}, {"vtl", 1}}},
                        {"beginning", 0},
                        {"end", 9000000},
                        {"events", 897},
                        {"instructions", 4014436},
                        {"complaints", rpc::Json::array()},
                        {"fingerprint", "c5bc"}});
  api.answer("disassemble", {{"lines", {{{"place", place(0xfffff80100001da0, "securekernel", "SkiStartInVtl1")},
                                         {"bytes", "4157"},
                                         {"text", "push r15"},
                                         {"current", true},
                                         {"breakpoints", rpc::Json::array()}}}}});
}

}  // namespace test
