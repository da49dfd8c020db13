#pragma once
// Events as people name them: "vtl-call", "hypercall=ModifyVtlProtectionMask", "msr=0x40000000".
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/support/events.h"
#include "sim/support/result.h"

namespace debugger {

/// A kind of event that can be named.
struct EventKindRow {
  std::string_view name;   ///< "hypercall"
  std::string_view detail; ///< what may follow `=`: "NAME or CODE"; empty: nothing
  std::string_view text;   ///< what it means
};
[[nodiscard]] std::span<const EventKindRow> event_kinds();

class EventPattern {
 public:
  /// KIND, or KIND=DETAIL (or KIND:DETAIL). Names compare without case and match as a part; with * or ? as a whole pattern.
  /// Errors name what is known.
  [[nodiscard]] static support::Result<EventPattern> parse(std::string_view text);

  [[nodiscard]] bool matches(const support::Event& event) const;
  /// "a hypercall ModifyVtlProtectionMask".
  [[nodiscard]] std::string text() const;
  /// Where machines announce nothing (control registers, MSRs of the processor itself): the register to watch instead, which
  /// is met when its value changes, by whatever; empty: it is an event.
  [[nodiscard]] std::string_view watched_register() const { return watched_register_; }

 private:
  size_t row_{};
  std::string detail_;
  std::optional<uint64_t> number_;
  std::string watched_register_;
};

/// The name of what an event is about without allocating: of the hypercall, secure or normal service, system call,
/// exception, image or process; empty where the kind says all. Lives as long as the event.
[[nodiscard]] std::string_view event_name(const support::Event& event);
/// Its number: of a hypercall, service or system call; nothing for other kinds.
[[nodiscard]] std::optional<uint64_t> event_code(const support::Event& event);
/// A field of its parameter block or frame by the name that the tables of vtl/abi give it.
[[nodiscard]] std::optional<uint64_t> event_argument(const support::Event& event, std::string_view name);
/// The status that it ended with: of a hypercall, or of a secure service that has finished.
[[nodiscard]] std::optional<uint64_t> event_status(const support::Event& event);

/// Both without case. A pattern has * and ?, and is for the whole text.
[[nodiscard]] bool contains_text(std::string_view text, std::string_view part);
[[nodiscard]] bool matches_pattern(std::string_view text, std::string_view pattern);
/// `text` contains `part`, or matches it as a whole where it has * or ?. Without case.
[[nodiscard]] bool matches_name(std::string_view text, std::string_view pattern);

}  // namespace debugger
