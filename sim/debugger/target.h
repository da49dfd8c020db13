#pragma once
// What a user of `airlock seek` names: places in memory, registers, permissions, events.
#include <optional>
#include <string>
#include <string_view>

#include "sim/debugger/names.h"
#include "sim/debugger/questions.h"
#include "sim/debugger/stop_condition.h"

namespace debugger {

/// "KIND:VALUE[+BYTES][@VTL][#VP][/LEVEL]", numbers hexadecimal, or an event as `--until` has them.
///   gva: gpa: spa:   memory          reg:   a register
///   rip:             an instruction, by address or as module!name
///   vtl: cr3:        entering one    pte: slat:   an entry by the address that it maps
struct Target {
  enum class Kind : uint8_t { Event, GuestVirtual, GuestPhysical, SystemPhysical, Register, Rip, Level, Cr3, Pte, Slat };
  Kind kind{};
  StopCondition event;
  std::string text;  ///< of the value
  uint64_t value{}, bytes{8};
  std::optional<abi::hv::Vtl> vtl;
  std::optional<uint32_t> vp;  ///< VirtualProcessor::number, of reg:
  uint8_t level{1};

  static support::Result<Target> parse(std::string_view text);
};

/// Where a target is looked at from: whose addresses, which names.
struct TargetContext {
  const machine::Machine& machine;
  const Names& names;
  std::string process;  ///< whose tables; empty: the running ones
};

/// The conditions that meet a target; Pte and Slat have none.
[[nodiscard]] support::Result<Conditions> conditions_of(const Target& target, const TargetContext& context);
/// The VTL that a target means, and the root of its tables if it is not the running one.
[[nodiscard]] abi::hv::Vtl vtl_of(const Target& target, const TargetContext& context);
[[nodiscard]] support::Result<std::optional<uint64_t>> root_of(const Target& target, const TargetContext& context);

}  // namespace debugger
