// States that nobody vouches for, put into a machine that runs. The first byte chooses how the rest is taken:
//   0  a state as a file has it
//   1  all fields of a state that fits
//   2  an honest state with places overwritten: offset (3 bytes), length (1 byte, 1 to 8), bytes, and so on
// What is refused leaves the machine as it was; what is accepted can be looked at, run and left again.
#include <cstdlib>
#include <cstring>

#include "sim/machine/machine.h"
#include "tests/support/tiny_firmware.h"

namespace {

using machine::Machine;
using machine::State;

/// Counts, faults into nowhere never, and asks the hypervisor something in each round.
constexpr uint8_t code[] = {
    0x48, 0xff, 0xc0,              // again: inc rax
    0x48, 0x89, 0x04, 0x25, 0x00, 0x70, 0x00, 0x00,  // mov [7000h], rax
    0xb9, 0x1b, 0x00, 0x00, 0x00,  // mov ecx, 1bh
    0x0f, 0x32,                    // rdmsr                 ; APIC base
    0xeb, 0xec};                   // jmp again

Machine& the_machine() {
  static const std::unique_ptr<Machine> machine = [] {
    loader::MachineConfig config;
    config.memory_bytes = loader::minimum_memory;
    config.processors = 2;
    machine::MachineParts parts;
    parts.firmware = test::tiny_firmware(code);
    auto made = Machine::create(config, std::move(parts), nullptr);
    if (!made.ok()) std::abort();
    (void)made.value()->run({5'000});
    return std::move(made.value());
  }();
  return *machine;
}

void overwrite(State& state, std::span<const uint8_t> patches) {
  while (patches.size() > 4) {
    const size_t at = (patches[0] | size_t{patches[1]} << 8 | size_t{patches[2]} << 16) % state.fields.size();
    const size_t length = std::min({size_t{patches[3]} % 8 + 1, patches.size() - 4, state.fields.size() - at});
    std::memcpy(state.fields.data() + at, patches.data() + 4, length);
    patches = patches.subspan(4 + length);
  }
  if (state.fields.size() >= 8) std::memcpy(&state.at.ticks, state.fields.data(), 8);  // the head follows the fields
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  Machine& machine = the_machine();
  static const State honest = machine.save();
  static const support::StateHash expected = machine.fingerprint();
  const std::span<const uint8_t> rest{data + 1, size - 1};
  State state = honest;
  if (data[0] == 0) {
    auto parsed = machine::state_from_bytes(rest);
    if (!parsed) return 0;
    state = std::move(parsed.value());
  } else if (data[0] == 1) {
    state.fields.assign(rest.begin(), rest.end());
    if (state.fields.size() >= 8) std::memcpy(&state.at.ticks, state.fields.data(), 8);
  } else {
    overwrite(state, rest);
  }
  if (!machine.restore(state).ok()) {
    if (machine.fingerprint() != expected) std::abort();
    return 0;
  }
  static_cast<void>(machine.fingerprint());
  static_cast<void>(machine.names());
  (void)machine.run(machine.now() + 300);
  if (!machine.restore(honest).ok() || machine.fingerprint() != expected) std::abort();
  return 0;
}
