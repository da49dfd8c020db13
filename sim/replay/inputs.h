#pragma once
// What reaches a machine from outside while it runs. A run without any is a function of its configuration alone.
#include <cstdint>
#include <string>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/support/instant.h"
#include "sim/support/result.h"

namespace replay {

/// Numbers of the file; never renumbered.
enum class InputKind : uint8_t {
  ConsoleBytes = 1,  ///< target: the I/O port of the serial line; bytes: what arrives
  Interrupt = 2,     ///< target: VP; bytes: VTL, vector
  MemoryPoke = 3,    ///< target: SPA; bytes: what a debugger writes there
  RegisterPoke = 4,  ///< target: VP; bytes: VTL, HV_REGISTER_NAME (4 bytes), value (8 or 16 bytes)
};

/// Applied before the instruction that executes at `at`.
struct Input {
  support::Instant at;
  InputKind kind{};
  uint64_t target{};
  std::vector<uint8_t> bytes;
  friend bool operator==(const Input&, const Input&) = default;
};

/// The payload of an INPT chunk; instants may not decrease.
[[nodiscard]] std::vector<uint8_t> encode(const std::vector<Input>& inputs);
[[nodiscard]] support::Result<std::vector<Input>> decode_inputs(loader::Bytes payload, uint32_t count);

}  // namespace replay
