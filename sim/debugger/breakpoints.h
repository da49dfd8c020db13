#pragma once
// Breakpoints and watchpoints of a session: what the user asked for, what it means now, and how often it was met.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/debugger/condition.h"
#include "sim/debugger/event_pattern.h"
#include "sim/debugger/expression.h"

namespace debugger {

enum class BreakpointKind : uint8_t { Code, Event, Write, Register, Access, Vtl };
/// "code", "event" ... as the interface names them.
[[nodiscard]] std::string_view word(BreakpointKind kind);
[[nodiscard]] std::optional<BreakpointKind> breakpoint_kind(std::string_view word);

struct BreakpointRequest {
  BreakpointKind kind{};
  /// Code: an address expression. Event: as EventPattern has it. Write, Access: [gva:|gpa:|spa:]ADDRESS[+BYTES], the address
  /// an expression, the length hexadecimal (8 if absent). Register: a name. Vtl: 0 or 1.
  std::string what{};
  std::optional<Vtl> vtl{};
  std::optional<uint32_t> vp{};
  std::string process{};     ///< only in its address space; empty: in all
  std::string condition{};   ///< an expression; empty: none
  uint64_t ignore{};       ///< hits to pass over first
  bool temporary{};        ///< goes with its first stop
};

struct Breakpoint {
  uint32_t id{};           ///< from 1, never used twice in a session
  BreakpointRequest request;
  std::string text;        ///< what it means now
  uint64_t ignore{}, hits{};
  bool enabled{true};
  bool resolved{};         ///< false: waits for an image, a process or a mapping
};

/// What Timeline looks for.
struct Armed {
  Conditions conditions;
  std::vector<uint32_t> ids;   ///< whose each condition is
  bool names_matter{};         ///< something may resolve otherwise when images or processes come or go
};

class Breakpoints {
 public:
  /// What is needed to give a request its meaning.
  struct Context {
    const machine::Machine& machine;
    Names& names;                ///< conditions that use names move them to where they look
    const TypeSource* types{};
    Focus focus;
  };

  /// Errors: the request makes no sense; a symbol that is not known yet is none.
  [[nodiscard]] support::Result<uint32_t> set(BreakpointRequest request, const Context& context);
  [[nodiscard]] const std::vector<Breakpoint>& list() const { return list_; }
  [[nodiscard]] const Breakpoint* find(uint32_t id) const;
  [[nodiscard]] support::Status enable(uint32_t id, bool enabled);
  /// Empty: none.
  [[nodiscard]] support::Status set_condition(uint32_t id, const std::string& text, const Context& context);
  [[nodiscard]] support::Status set_ignore(uint32_t id, uint64_t ignore);
  [[nodiscard]] support::Status remove(uint32_t id);

  /// What addresses and names mean now, for those that are enabled.
  [[nodiscard]] Armed arm(const Context& context);
  /// The condition of a breakpoint; null: none.
  [[nodiscard]] const Expression* condition(uint32_t id) const;
  /// Counts a hit of `id`; true if the motion ends there, false if it is to be passed over. Temporary ones go with it.
  bool met(uint32_t id);
  /// Those of code that are at this instruction now, with their filters but without conditions. For views.
  [[nodiscard]] std::vector<uint32_t> at(uint64_t address, Vtl vtl, uint64_t cr3) const;

 private:
  struct Compiled {
    std::optional<Expression> condition;
    std::optional<EventPattern> pattern;
    std::string address;             ///< an expression
    std::optional<uint64_t> fixed;   ///< its value, where that cannot change with names
    uint64_t bytes{8};
    char space{'v'};                 ///< of Write and Access: v, p or s for GVA, GPA, SPA
    uint64_t cr3{};                  ///< of addresses of user mode: the tables when it was set
    RegisterId register_id{};
    Vtl vtl{};                       ///< whose memory or register
    std::vector<AddressBreak> code;  ///< where it was armed last
  };
  [[nodiscard]] static support::Result<Compiled> compile(const BreakpointRequest& request, const Context& context);
  [[nodiscard]] static support::Status compile_address(std::string_view text, Compiled& compiled, const Context& context);
  [[nodiscard]] static support::Status compile_memory(std::string_view text, Compiled& compiled, const Context& context);
  [[nodiscard]] static support::Status compile_condition(const std::string& text, BreakpointKind kind, Compiled& compiled,
                                                         const Context& context);
  void arm_code(size_t index, const Context& context, Conditions& conditions);
  void arm_memory(size_t index, const Context& context, Conditions& conditions);
  void arm_register(size_t index, RegisterId id, std::optional<Vtl> vtl, const Context& context, Conditions& conditions);
  void arm_event(size_t index, const Context& context, Conditions& conditions);
  [[nodiscard]] Check check_for(size_t index, const Context& context, bool of_event) const;
  [[nodiscard]] std::optional<size_t> index_of(uint32_t id) const;

  std::vector<Breakpoint> list_;
  std::vector<Compiled> compiled_;  ///< beside list_
  uint32_t next_id_{1};
};

}  // namespace debugger
