#pragma once
// What a motion of a session looks for, and the instruction that a step begins at. For motion's own files.
#include "sim/debugger/session.h"

namespace debugger {

struct Session::Goal {
  enum class Owner : uint8_t { Special, Breakpoint, Names };
  struct Whose {
    Owner owner{};
    uint32_t number{};  ///< of the breakpoint, or which of the special conditions
  };
  Conditions conditions;
  std::vector<Whose> owners;  ///< beside conditions
};

struct Session::Here {
  Instant at;
  uint32_t vp{};
  Vtl vtl{};
  uint8_t ring{};
  uint64_t rip{}, rsp{}, cr3{};
  uint8_t length{};       ///< of the instruction; 0: it cannot be read
  std::string mnemonic;

  [[nodiscard]] uint64_t next() const { return rip + length; }
  /// It comes back behind itself: calls of all kinds, and what repeats.
  [[nodiscard]] bool calls() const;
  /// It goes back to where somebody called or was interrupted.
  [[nodiscard]] bool returns() const;
};

}  // namespace debugger
