#pragma once
// Which rule of the specification a test shows: CONFORMANCE(call, rule, source) in a test case. When AIRLOCK_CONFORMANCE
// names a file, a line of JSON per rule is added to it when the case ends; tools/conformance makes the table of them.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <catch2/catch_all.hpp>

namespace test {

struct ConformanceRule {
  std::string call, rule, source;
  friend bool operator==(const ConformanceRule&, const ConformanceRule&) = default;
};

/// The rules that the running test case named, each once.
inline std::vector<ConformanceRule>& conformance_rules() {
  static std::vector<ConformanceRule> rules;
  return rules;
}

inline void note_conformance(const char* call, const char* rule, const char* source) {
  const ConformanceRule wanted{call, rule, source};
  for (const ConformanceRule& known : conformance_rules()) {
    if (known == wanted) return;
  }
  conformance_rules().push_back(wanted);
}

inline std::string json_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

/// A rule holds if every assertion of its test case does, in all its sections.
class ConformanceListener : public Catch::EventListenerBase {
 public:
  using Catch::EventListenerBase::EventListenerBase;
  void testCaseStarting(const Catch::TestCaseInfo&) override { conformance_rules().clear(); }
  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    const char* const path = std::getenv("AIRLOCK_CONFORMANCE");
    if (path == nullptr || conformance_rules().empty()) return;
    std::FILE* const file = std::fopen(path, "a");
    if (file == nullptr) return;
    const bool passed = stats.totals.testCases.passed == 1 && stats.totals.assertions.passed != 0;
    for (const ConformanceRule& rule : conformance_rules()) {
      const std::string line = "{\"call\": " + json_text(rule.call) + ", \"rule\": " + json_text(rule.rule) +
                               ", \"source\": " + json_text(rule.source) +
                               ", \"test\": " + json_text(stats.testInfo->name) +
                               ", \"result\": " + (passed ? "\"pass\"" : "\"fail\"") + "}\n";
      std::fwrite(line.data(), 1, line.size(), file);
    }
    std::fclose(file);
  }
};

inline const Catch::ListenerRegistrar<ConformanceListener> conformance_registrar{"conformance"};

}  // namespace test

/// `call` as in hypercalls.def with HvCall before it, or the name of a register or an MSR; `rule` what must hold, as
/// "VTL 0 -> INVALID_PARAMETER"; `source` the section of the specification, or another's test.
#define CONFORMANCE(call, rule, source) ::test::note_conformance(call, rule, source)
