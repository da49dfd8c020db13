#pragma once
// What the machine does about an exit, as the hypervisor decided.
#include <cstdint>

#include "vtl/virtual_processor.h"

namespace vtl {

enum class OutcomeKind : uint8_t {
  Retire,          ///< the instruction is complete: Cpu::retire by `length`
  Resume,          ///< RIP is right already: run on, perhaps in another VTL, or execute it again
  Inject,          ///< deliver `exception` in the active VTL; nothing of the instruction happened
  NotMine,         ///< the hypervisor has no opinion: devices and the run loop decide
  Halt,            ///< HLT is complete (retire by `length`); VirtualProcessor::halted is set
  Reset,           ///< the guest asked for a reset
  Hang,            ///< the guest left itself no way to go on; `detail` says why
  MachineFailure,  ///< the run cannot go on, which no guest can cause; `detail` says why
};

struct Outcome {
  OutcomeKind kind{OutcomeKind::Resume};
  uint8_t length{};  ///< Retire, Halt: bytes
  /// Resume: ticks to add to the time (a VTL switch is one instruction; a refused try takes one).
  uint8_t ticks{};
  bool vtl_changed{};  ///< VirtualProcessor::active is another VTL than before
  bool yields{};       ///< the VP waits for others (HvCallNotifyLongSpinWait): another may run first
  PendingException exception{};
  const char* detail{""};  ///< a string literal

  static Outcome retire(uint8_t bytes) { return {.kind = OutcomeKind::Retire, .length = bytes}; }
  static Outcome resume(uint8_t ticks = 0) { return {.kind = OutcomeKind::Resume, .ticks = ticks}; }
  static Outcome switched() {
    return {.kind = OutcomeKind::Resume, .ticks = 1, .vtl_changed = true};
  }
  static Outcome not_mine() { return {.kind = OutcomeKind::NotMine}; }
  static Outcome hang(const char* why) { return {.kind = OutcomeKind::Hang, .detail = why}; }
  static Outcome failure(const char* why) {
    return {.kind = OutcomeKind::MachineFailure, .detail = why};
  }
  /// #UD.
  static Outcome invalid_opcode() {
    return {.kind = OutcomeKind::Inject, .exception = {.vector = 6}};
  }
  /// #GP(0).
  static Outcome general_protection() {
    return {.kind = OutcomeKind::Inject, .exception = {.vector = 13, .has_error_code = true}};
  }
};

}  // namespace vtl
