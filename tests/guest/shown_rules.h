#pragma once
// Rules of the specification that a micro-kernel shows: each has its line in the kernel's report.
#include <string>

namespace test {

/// `call`, `rule` and `source` as CONFORMANCE (tests/support/conformance.h) has them.
struct ShownRule {
  const char* line;  ///< the name of the kernel's test
  const char* call;
  const char* rule;
  const char* source;

  /// Whether `report`, one line for each test, says that it passed.
  [[nodiscard]] bool passed(const std::string& report) const {
    return ("\n" + report).find(std::string{"\npass "} + line + '\n') != std::string::npos;
  }
};

}  // namespace test
