#pragma once
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace cli {

/// Text to standard output that may be a full disk or a closed pipe: the first failure is remembered and the rest dropped.
class StandardOutput {
 public:
  void text(std::string_view text) {
    if (error_ != 0 || text.empty()) return;
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) error_ = errno;
  }
  template <class... Values>
  void print(fmt::format_string<Values...> format, Values&&... values) {
    text(fmt::format(format, std::forward<Values>(values)...));
  }
  void line(std::string_view line) {
    text(line);
    text("\n");
  }
  [[nodiscard]] bool failed() const { return error_ != 0; }
  /// Flushes. False when something was lost; why() says the system's reason.
  bool finish() {
    if (error_ == 0 && std::fflush(stdout) != 0) error_ = errno;
    return error_ == 0;
  }
  [[nodiscard]] std::string why() const {
    return fmt::format("cannot write standard output: {}", std::strerror(error_));
  }

 private:
  int error_{};
};

}  // namespace cli
