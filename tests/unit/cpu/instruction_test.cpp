#include <capstone/capstone.h>

#include <array>
#include <cstring>

#include "sim/cpu/block_cache.h"
#include "sim/cpu/instruction.h"
#include "sim/support/prng.h"
#include "tests/support/catch.h"

using cpu::CodeSize;
using cpu::DecodeStatus;
using cpu::Instruction;

namespace {

class Capstone {
 public:
  explicit Capstone(CodeSize size) {
    const cs_mode mode = size == CodeSize::Bits64   ? CS_MODE_64
                         : size == CodeSize::Bits32 ? CS_MODE_32
                                                    : CS_MODE_16;
    REQUIRE(cs_open(CS_ARCH_X86, mode, &handle_) == CS_ERR_OK);
    instruction_ = cs_malloc(handle_);
  }
  ~Capstone() {
    cs_free(instruction_, 1);
    cs_close(&handle_);
  }
  Capstone(const Capstone&) = delete;
  Capstone& operator=(const Capstone&) = delete;
  /// Bytes, or 0 if it knows no such instruction.
  size_t length(const uint8_t* bytes, size_t count) {
    uint64_t address = 0;
    return cs_disasm_iter(handle_, &bytes, &count, &address, instruction_) ? instruction_->size : 0;
  }
  [[nodiscard]] const char* text() const { return instruction_->mnemonic; }

 private:
  csh handle_{};
  cs_insn* instruction_{};
};

/// Where this decoder follows the engine, or the manual, and Capstone another opinion.
bool is_disputed(const Instruction& in) {
  using cpu::OpcodeMap;
  if (in.register_form_only) return true;
  if (in.vex || in.is(OpcodeMap::Two0F, 0xb9)) return true;  // UD1
  if (in.is(OpcodeMap::Two0F, 0x78)) return true;            // EXTRQ of AMD, or VMREAD
  if (in.is(OpcodeMap::One, 0xc2) && in.rex != 0)
    return true;  // RET imm16: Capstone's is longer with REX.W
  const bool branch = (in.map == OpcodeMap::One && (in.opcode == 0xe8 || in.opcode == 0xe9)) ||
                      (in.map == OpcodeMap::Two0F && (in.opcode & 0xf0) == 0x80);
  return branch && in.operand_size_prefix && in.code_size == CodeSize::Bits64;
}

std::string fmt_hex(uint8_t byte) {
  constexpr char digits[] = "0123456789abcdef";
  return {' ', digits[byte >> 4], digits[byte & 15]};
}

Instruction decode(std::initializer_list<uint8_t> bytes, CodeSize size = CodeSize::Bits64) {
  return cpu::decode({bytes.begin(), bytes.size()}, size);
}

}  // namespace

TEST_CASE("lengths of random instructions agree with Capstone's") {
  const auto size = GENERATE(CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64);
  Capstone capstone{size};
  support::Prng random{42};
  unsigned compared = 0;
  for (unsigned round = 0; round < 200'000; ++round) {
    std::array<uint8_t, 15> bytes{};
    random.fill(bytes);
    size_t at = 0;
    if (random.one_in(3)) bytes[at++] = 0x66;
    if (random.one_in(6)) bytes[at++] = 0x67;
    if (random.one_in(3)) bytes[at++] = static_cast<uint8_t>(0x40 + random.below(16));
    if (random.one_in(2)) bytes[at++] = 0x0f;
    const size_t expected = capstone.length(bytes.data(), bytes.size());
    const Instruction in = cpu::decode(bytes, size);
    if (expected == 0 || in.status != DecodeStatus::Ok || is_disputed(in)) continue;
    if (capstone.text()[0] == 'v') continue;  // AVX and XOP where the engine has neither
    ++compared;
    if (in.length != expected) {
      std::string text = capstone.text();
      for (const uint8_t byte : bytes)
        text += fmt_hex(byte);
      INFO(text);
      REQUIRE(in.length == expected);
    }
  }
  EXPECT(compared > 50'000);
}

TEST_CASE(
    "what Capstone knows and this decoder calls invalid does not exist in the engine either") {
  Capstone capstone{CodeSize::Bits64};
  for (unsigned map = 0; map < 2; ++map) {
    for (unsigned opcode = 0; opcode < 256; ++opcode) {
      std::array<uint8_t, 15> bytes{};
      if (map == 1) bytes[0] = 0x0f;
      bytes[map] = static_cast<uint8_t>(opcode);
      bytes[map + 1] = 0xc1;
      const Instruction in = cpu::decode(bytes, CodeSize::Bits64);
      if (in.status == DecodeStatus::Ok || capstone.length(bytes.data(), bytes.size()) == 0)
        continue;
      INFO(capstone.text());
      const bool gone = map == 1 && (opcode == 0xff || opcode == 0x37 || opcode == 0xa6 ||
                                     opcode == 0xa7 || opcode == 0x24 || opcode == 0x26);
      EXPECT(gone);
    }
  }
}

TEST_CASE("an instruction cut off by its page is truncated, one longer than 15 bytes is invalid") {
  EXPECT(decode({0x48, 0x8b}).status == DecodeStatus::Truncated);
  EXPECT(decode({0x48, 0xb8, 1, 2, 3}).status == DecodeStatus::Truncated);
  EXPECT(
      decode({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66})
          .status == DecodeStatus::Truncated);
  const Instruction longest = decode(
      {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90});
  EXPECT(longest.status == DecodeStatus::Ok);
  EXPECT(longest.length == 15);
  EXPECT(decode({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                 0x66, 0x90})
             .status == DecodeStatus::Invalid);
}

TEST_CASE("kinds of instructions are told apart") {
  EXPECT(cpu::is_port_io(decode({0xf3, 0x6e})));
  EXPECT(!cpu::is_port_io(decode({0x0f, 0x6e, 0xc0})));
  EXPECT(cpu::is_repeated_string(decode({0xf3, 0x48, 0xab})));
  EXPECT(!cpu::is_repeated_string(decode({0xf3, 0x90})));
  EXPECT(cpu::is_bit_test(decode({0x48, 0x0f, 0xba, 0xe0, 0x05})));
  EXPECT(cpu::is_locked_register_bit_test(decode({0xf0, 0x0f, 0xab, 0xc8})));
  EXPECT(!cpu::is_locked_register_bit_test(decode({0xf0, 0x0f, 0xab, 0x08})));
  EXPECT(cpu::reads_descriptors(decode({0x8e, 0xd8})));
  EXPECT(cpu::reads_descriptors(decode({0x48, 0xcf})));
  EXPECT(cpu::undefined_flag_use(decode({0x48, 0x01, 0xc0})) == cpu::FlagUse::WritesAll);
  EXPECT(cpu::undefined_flag_use(decode({0x7c, 0x00})) == cpu::FlagUse::Other);
  EXPECT(cpu::undefined_flag_use(decode({0x72, 0x00})) == cpu::FlagUse::None);
}

TEST_CASE("a locked bit test on a register is found anywhere in code, and as the beginning of one at its end") {
  using Found = cpu::LockedBitTest;
  std::array<uint8_t, 4096> page{};
  const auto with = [&](size_t at, std::initializer_list<uint8_t> bytes) {
    page.fill(0x90);
    std::copy(bytes.begin(), bytes.end(), page.begin() + static_cast<std::ptrdiff_t>(at));
    return cpu::find_locked_bit_test(page);
  };
  EXPECT(with(100, {0xf0, 0x0f, 0xa3, 0xc0}) == Found::Inside);
  EXPECT(with(101, {0xf0, 0x66, 0x48, 0x0f, 0xbb, 0xff}) == Found::Inside);
  EXPECT(with(7, {0xf0, 0x0f, 0xba, 0xe9, 1}) == Found::Inside);
  EXPECT(with(7, {0xf0, 0x0f, 0xba, 0x29, 1}) == Found::None);
  EXPECT(with(7, {0xf0, 0x0f, 0xb1, 0xc1}) == Found::None);
  EXPECT(with(7, {0xf0, 0x48, 0x0f, 0xab, 0x01}) == Found::None);
  EXPECT(with(4093, {0xf0, 0x0f, 0xa3}) == Found::AtEnd);
  EXPECT(with(4095, {0xf0}) == Found::AtEnd);
  EXPECT(with(4094, {0xf0, 0x01}) == Found::None);
  EXPECT(with(0, {0x0f, 0xa3, 0xc0}) == Found::None);
}

TEST_CASE("a block knows its instructions, what may not run in it, and where flags are undefined") {
  const auto examine = [](std::initializer_list<uint8_t> bytes) {
    return cpu::examine_block({bytes.begin(), bytes.size()}, CodeSize::Bits64);
  };
  const cpu::BlockFacts plain = examine({0x48, 0xff, 0xc0, 0x90, 0xf3, 0xaa});
  EXPECT(plain.count == 3);
  EXPECT(plain.last_offset == 4);
  EXPECT(plain.ends_repeated);
  EXPECT(!plain.must_step);
  EXPECT(examine({0x90, 0xec}).must_step);
  EXPECT(examine({0x0f, 0xa3, 0xc8, 0x90}).leaves_undefined);
  EXPECT(!examine({0x0f, 0xa3, 0xc8, 0x72, 0x00}).must_step);         // bt; jc
  EXPECT(examine({0x0f, 0xa3, 0xc8, 0x7c, 0x00}).must_step);          // bt; jl
  EXPECT(!examine({0x0f, 0xa3, 0xc8, 0x31, 0xc0}).leaves_undefined);  // bt; xor
  EXPECT(!examine({0x39, 0xc8, 0x0f, 0x9c, 0x01}).must_step);         // cmp; setl [rcx]
  EXPECT(examine({0xff, 0xc0, 0x0f, 0x9c, 0x01}).must_step);          // inc; setl [rcx]
  const std::array<uint8_t, 7> bytes{0x90, 0x0f, 0xa3, 0xc8, 0x90, 0x01, 0xc0};
  EXPECT(cpu::point_in_block(bytes, CodeSize::Bits64, 1).count == 1);
  EXPECT(!cpu::point_in_block(bytes, CodeSize::Bits64, 1).flags_undefined);
  EXPECT(cpu::point_in_block(bytes, CodeSize::Bits64, 5).flags_undefined);
  EXPECT(cpu::point_in_block(bytes, CodeSize::Bits64, 5).count == 3);
}
