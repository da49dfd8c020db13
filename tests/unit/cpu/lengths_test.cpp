// Counting by blocks is right only if decoder and engine agree where instructions end.
#include "sim/cpu/instruction.h"
#include "tests/unit/cpu/world.h"

using namespace cpu_test;

namespace {

struct Candidate {
  unsigned map, opcode, prefix, form, reg;
};

/// Goes elsewhere, or waits, or changes the machine too much to try one after the other.
bool is_left_out(const Candidate& c, bool code_64) {
  const unsigned op = c.opcode;
  if (c.map == 1) return (op >= 0x80 && op < 0x90) || op == 0x05 || op == 0x07 || op == 0x34 || op == 0x35 || op == 0x38 || op == 0x3a;
  if (c.map != 0) return false;
  if (op == 0x0f || (code_64 && (op & 0xf0) == 0x40)) return true;
  switch (op) {
    case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65: case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3:
    case 0x6c: case 0x6d: case 0x6e: case 0x6f: case 0x9a: case 0xea: case 0xf4: case 0xc4: case 0xc5: case 0xe8: case 0xe9:
    case 0xeb: case 0xc2: case 0xc3: case 0xca: case 0xcb: case 0xcf:
      return true;
    case 0xff: return c.reg >= 2 && c.reg <= 5;
    default: return (op >= 0x70 && op < 0x80) || (op >= 0xe0 && op <= 0xe3);
  }
}

std::vector<uint8_t> bytes_of(const Candidate& c) {
  static constexpr uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2};
  std::vector<uint8_t> bytes;
  if (c.prefix != 0) bytes.push_back(prefixes[c.prefix]);
  if (c.map != 0) bytes.push_back(0x0f);
  if (c.map == 2) bytes.push_back(0x38);
  if (c.map == 3) bytes.push_back(0x3a);
  bytes.push_back(static_cast<uint8_t>(c.opcode));
  static constexpr uint8_t forms[] = {0x03, 0x84, 0xc1};  // [rbx]; SIB and 32-bit displacement; rcx
  bytes.push_back(static_cast<uint8_t>(forms[c.form] | c.reg << 3));
  if (c.form == 1) bytes.insert(bytes.end(), {0x23, 0, 0, 0, 0});
  bytes.insert(bytes.end(), 8, 0x01);
  bytes.insert(bytes.end(), {0xf4, 0xf4});  // ends the block that the engine translates
  return bytes;
}

class LengthWorld : public World {
 public:
  explicit LengthWorld(bool code_64) : World{cpu::Gear::Fast}, code_64_{code_64} {
    put(handlers, {0xf4});
    for (unsigned vector = 0; vector < 32; ++vector) gate(vector, handlers);
  }
  /// How far RIP moved if the instruction executed, or 0.
  uint64_t execute(const std::vector<uint8_t>& bytes) {
    vp.contexts[vtl::Vtl::Vtl0] = {};
    vp.shared = {};
    reset_registers();
    if (!code_64_) context().segments[vtl::Cs].attributes = 0xc09b;
    vp.shared.gpr.fill(kernel_data);
    vp.shared.gpr[vtl::Rcx] = 0;
    put(kernel_code, bytes);
    const uint64_t before = now.ticks;
    const vtl::Exit exit = run(1);
    const bool executed = exit.reason == vtl::ExitReason::Deadline && now.ticks == before + 1 && context().rip != handlers;
    return executed ? context().rip - kernel_code : 0;
  }

 private:
  bool code_64_;
};

}  // namespace

TEST_CASE("the engine and the decoder agree on the length of every instruction that executes") {
  const bool code_64 = GENERATE(true, false);
  LengthWorld world{code_64};
  unsigned executed = 0;
  for (unsigned i = 0; i < 4 * 256 * 4 * 3 * 8; ++i) {
    const Candidate c{i / (256 * 4 * 3 * 8), i / (4 * 3 * 8) % 256, i / (3 * 8) % 4, i / 8 % 3, i % 8};
    if (is_left_out(c, code_64)) continue;
    const std::vector<uint8_t> bytes = bytes_of(c);
    const uint64_t length = world.execute(bytes);
    if (length == 0) continue;
    ++executed;
    const cpu::Instruction in = cpu::decode(bytes, code_64 ? cpu::CodeSize::Bits64 : cpu::CodeSize::Bits32);
    INFO("map " << c.map << " opcode " << c.opcode << " prefix " << c.prefix << " form " << c.form << " reg " << c.reg);
    if (in.status != cpu::DecodeStatus::Ok || in.length != length) REQUIRE(uint64_t{in.length} == length);
  }
  EXPECT(executed > 20'000);
}
