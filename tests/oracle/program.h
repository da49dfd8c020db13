#pragma once
// A random program: instructions, where they jump, and which flags the SDM leaves undefined before each of them.
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/support/prng.h"
#include "tests/oracle/instructions.h"

namespace oracle {

enum class Mode : uint8_t { User64, Kernel64, User32, Kernel32, Protected32, Real16, count };
const char* name_of(Mode mode);
[[nodiscard]] constexpr bool is_64(Mode mode) {
  return mode == Mode::User64 || mode == Mode::Kernel64;
}
[[nodiscard]] constexpr bool is_user(Mode mode) {
  return mode == Mode::User64 || mode == Mode::User32;
}

/// One instruction as generated. `skip`: with a relative branch, how many of the following ones it jumps over.
struct Op {
  std::array<uint8_t, 15> bytes{};
  uint8_t length{};
  uint8_t branch_bytes{};  ///< 1, 2 or 4 at the end hold a displacement
  uint8_t skip{};
  uint16_t reads{}, writes{}, undefined{};
  const char* name{""};
};

struct Program {
  Mode mode{};
  std::vector<Op> ops;
};

/// What is undefined before each op, and after the last: may-analysis over the forward branches. `valid`: no op reads an
/// undefined flag.
struct Undefined {
  bool valid{};
  std::vector<uint16_t> before;
};
Undefined analyse(const Program& program);

/// The bytes, with branches resolved; `offsets` of each op and of the end.
std::vector<uint8_t> layout(const Program& program, std::vector<uint32_t>& offsets);

struct Mixture {
  bool integer{true}, control{true}, sse{true}, x87{true}, random_bytes{true};
  bool filtered{true};  ///< without what is known to differ, or not comparable
  bool native{};        ///< the other machine executes all privilege levels on the processor
};

Program generate(Mode mode, support::Prng& random, const Mixture& mixture, unsigned most);

/// As an assembler would write it, one instruction per line.
std::string disassemble(const Program& program, uint64_t address);

}  // namespace oracle
