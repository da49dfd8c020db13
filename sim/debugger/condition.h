#pragma once
// What a traveller in time looks for.
#include <cstdint>
#include <functional>
#include <optional>
#include <variant>
#include <vector>

#include "sim/debugger/history.h"
#include "sim/debugger/registers.h"
#include "sim/machine/machine.h"

namespace debugger {

using abi::Gpa;
using abi::Gva;
using abi::Spa;
using abi::hv::Vtl;
using support::Instant;

struct Hit;
/// What else must be true of the machine for a condition to be met; empty: nothing. Asked where it would be met: before an
/// instruction or event, after a write. It must not change anything.
using Check = std::function<bool(const machine::Machine& machine, const Hit& hit)>;

/// An instruction is about to execute; a string instruction once, before its first iteration.
struct AddressBreak {
  uint64_t rip{};
  std::optional<Vtl> vtl;
  std::optional<uint64_t> cr3;      ///< as the register holds it
  std::optional<uint32_t> vp{};     ///< VirtualProcessor::number
  std::optional<uint64_t> rsp{};
  Check check{};
};
/// Something is about to happen that machines announce.
struct EventBreak {
  EventFilter filter;
  Check check{};
};
/// A VTL was entered; its first instruction is about to execute.
struct VtlBreak {
  Vtl vtl{};
  Check check{};
};
/// The address space was entered.
struct Cr3Break {
  uint64_t cr3{};
  Check check{};
};
/// Bytes of memory are about to be written, be it by an instruction, a walk that sets A or D, the delivery of an
/// interrupt, a device or the hypervisor. An instruction that writes what was there already counts too.
struct MemoryWatch {
  Spa first;
  uint64_t bytes{1};  ///< 1 to 4096, inside one page
  uint64_t ignore{};  ///< bits of an 8-byte value whose change does not count; then writes of the same value do not either
  Check check{};
};
/// Bytes of memory, inside one page, are about to be read or written by an operand of an instruction. What walks, deliveries,
/// devices and the hypervisor read does not count. Every instruction is looked at for it.
struct AccessWatch {
  Spa first;
  uint64_t bytes{1};
  Check check{};
};
/// The value of a register is about to change.
struct RegisterWatch {
  RegisterId id{};
  Vtl vtl{};  ///< whose register, when VTLs do not share it
  uint32_t vp{};  ///< VirtualProcessor::number
  Check check{};
};

using Condition = std::variant<AddressBreak, EventBreak, VtlBreak, Cr3Break, MemoryWatch, RegisterWatch, AccessWatch>;
using Conditions = std::vector<Condition>;

[[nodiscard]] inline bool is_watch(const Condition& condition) {
  return std::holds_alternative<MemoryWatch>(condition) || std::holds_alternative<RegisterWatch>(condition);
}
[[nodiscard]] const Check& check_of(const Condition& condition);

/// Where a condition was met.
struct Hit {
  /// The position to look at: the machine stopped there is about to do it.
  Instant at;
  size_t condition{};  ///< which one, of those given
  std::vector<size_t> also;  ///< others that were met with it
  uint32_t vp{};
  Vtl vtl{};
  uint8_t cpl{};
  uint64_t rip{}, cr3{};
  /// It happened between two instructions (an interrupt was delivered): `rip` is the one that had to wait.
  bool between{};
  Instant seen;                                ///< of watches: when the change was there
  std::vector<uint8_t> before, after;          ///< of watches: the value, little-endian
  std::optional<trace::EventRecord> event;     ///< of EventBreak
};

/// Where a run forwards stops for it: after what was watched, before everything else.
[[nodiscard]] Instant position_after(const Hit& hit, const Conditions& conditions);

/// The present value of what is watched; empty for breakpoints.
[[nodiscard]] std::vector<uint8_t> watched_value(const machine::Machine& machine, const Condition& condition);
/// Differs, in bits that count.
[[nodiscard]] bool differs(const Condition& condition, const std::vector<uint8_t>& a, const std::vector<uint8_t>& b);

}  // namespace debugger
