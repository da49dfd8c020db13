// Machine: what reaches it from outside.
#include "sim/machine/machine.h"

namespace machine {

support::Status Machine::schedule_input(Input input) {
  if (input.at < now_) return support::Error{"an input cannot arrive in the past"};
  if (input.bytes.empty()) return support::Error{"an input without bytes"};
  switch (input.kind) {
    case InputKind::ConsoleBytes:
      if (input.target != SerialPort::com1) return support::Error{"no serial line has this port"};
      break;
    case InputKind::MemoryPoke:
      if (input.target >= config_.memory_bytes || input.bytes.size() > config_.memory_bytes - input.target)
        return support::Error{"a poke outside of memory"};
      break;
    default: return support::Error{"not implemented: inputs of this kind"};
  }
  if (!inputs_.add(std::move(input))) return support::Error{"a later input was applied already"};
  return support::Unit{};
}

/// Whoever stopped the machine at this instant has seen it without them.
void Machine::apply_inputs() {
  while (const Input* const input = inputs_.take(now_)) {
    if (input->kind == InputKind::ConsoleBytes) {
      for (const uint8_t byte : input->bytes) serial_.receive(byte);
    } else {
      CHECK(memory_.write(mmu::Spa{input->target}, std::span<const uint8_t>{input->bytes}));
    }
  }
}

}  // namespace machine
