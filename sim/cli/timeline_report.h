#pragma once
// Prints where a timeline stands and what it was asked.
#include <string>

#include "sim/cli/standard_output.h"
#include "sim/debugger/target.h"
#include "sim/trace/json_text.h"

namespace cli {

class TimelineReport {
 public:
  /// `timeline` and `out` must outlive this.
  TimelineReport(debugger::Timeline& timeline, StandardOutput& out, std::string process, bool json);

  /// Moves back to the last time that `target` was met. Errors: it never was; it names nothing here.
  support::Status go_back(const debugger::Target& target);
  /// Registers, the instructions around, the events around.
  void position();
  /// The answer to "who wrote it last". Errors: the question makes no sense here.
  support::Status who_wrote(const debugger::Target& target);

 private:
  [[nodiscard]] debugger::TargetContext context() const;
  [[nodiscard]] std::string name(uint64_t rip, uint64_t cr3) const;
  [[nodiscard]] std::string instruction_here();
  void print_registers() const;
  void print_answer(const debugger::Answer& answer, const std::string& change);

  debugger::Timeline& timeline_;
  StandardOutput& out_;
  std::string process_;
  bool json_;
  debugger::Names names_;
  trace::Disassembler disassembler_;
};

}  // namespace cli
