#pragma once
// Colours of a terminal. They repeat what the text says and never say it alone.
#include <cstdint>
#include <string>
#include <string_view>

namespace faces::console {

/// Wraps text in escape sequences, or leaves it alone.
class Style {
 public:
  explicit Style(bool colours) : colours_{colours} {}

  [[nodiscard]] std::string address(std::string_view text) const { return in("2", text); }
  [[nodiscard]] std::string symbol(std::string_view text) const { return in("36", text); }
  [[nodiscard]] std::string changed(std::string_view text) const { return in("1;35", text); }
  [[nodiscard]] std::string strong(std::string_view text) const { return in("1", text); }
  [[nodiscard]] std::string error(std::string_view text) const { return in("31", text); }
  [[nodiscard]] std::string note(std::string_view text) const { return in("33", text); }
  [[nodiscard]] std::string denied(std::string_view text) const { return in("31", text); }
  /// Blue and orange can be told apart by everybody who sees colours at all.
  [[nodiscard]] std::string vtl(uint64_t vtl, std::string_view text) const { return in(vtl == 0 ? "38;5;75" : "38;5;208", text); }
  [[nodiscard]] bool colours() const { return colours_; }

 private:
  [[nodiscard]] std::string in(std::string_view code, std::string_view text) const {
    if (!colours_) return std::string{text};
    std::string whole{"\x1b["};
    whole += code;
    whole += 'm';
    whole += text;
    whole += "\x1b[0m";
    return whole;
  }

  bool colours_;
};

}  // namespace faces::console
