#pragma once
// A command line taken apart: commands between semicolons, arguments between spaces, numbers as the kernel debugger reads them.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/support/result.h"

namespace faces::console {

/// The commands of a line. A semicolon in quotes or brackets separates nothing; a line that begins with `*` or `$$` is a
/// remark, as is a command that begins with `$$`.
[[nodiscard]] std::vector<std::string> split_commands(std::string_view line);

/// An expression of the console as the language of `evaluate` has it: numbers without a prefix are hexadecimal, 0n is
/// decimal, 0y binary, ` separates digits, @ marks a register, `.` is the instruction pointer; poi, by, wo, dwo, qwo and $ip
/// have their meaning; mod is %. Quoted text is left alone.
[[nodiscard]] std::string translate(std::string_view expression);

/// The number that `text` is without asking anybody; nothing if it is more than a number.
[[nodiscard]] std::optional<uint64_t> literal(std::string_view text);
/// A count of instants or instructions: decimal, with _ between digits.
[[nodiscard]] std::optional<uint64_t> decimal(std::string_view text);

/// The arguments of one command. An expression with operators stays together although there are spaces around these.
class Words {
 public:
  explicit Words(std::string_view text);

  [[nodiscard]] bool empty() const { return next_ >= words_.size(); }
  [[nodiscard]] size_t size() const { return words_.size() - next_; }
  [[nodiscard]] std::string_view peek() const { return empty() ? std::string_view{} : words_[next_].text; }
  std::string next() { return empty() ? std::string{} : words_[next_++].text; }
  /// What stands from the next word on, as it was written.
  std::string rest();
  /// Takes the next word if it is this one.
  bool take(std::string_view word);
  /// From `if` or `/w` on: a condition as it was written, without quotes around it. Taken out wherever it stands.
  [[nodiscard]] const std::optional<std::string>& condition() const { return condition_; }
  /// For commands with conditions: looks for one.
  void find_condition();

 private:
  struct Word {
    std::string text;
    size_t at;  ///< where it begins in text_
  };
  void cut();

  std::string text_;
  std::vector<Word> words_;
  size_t next_{};
  std::optional<std::string> condition_;
};

}  // namespace faces::console
