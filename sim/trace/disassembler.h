#pragma once
// Instructions as text, and which memory they touch. 
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/trace/record.h"

namespace trace {

/// One explicit or stack operand in memory. REP forms name their first element.
struct MemoryAccess {
  uint64_t address{};  ///< GVA
  uint16_t size{};     ///< bytes
  bool read{}, write{};
};

struct Instruction {
  std::string mnemonic, operands;
  uint8_t length{};  ///< 0: not an instruction
  /// The constant that an operand names: a branch target or a RIP-relative address. For symbols.
  std::optional<uint64_t> target;
  std::vector<MemoryAccess> accesses;
};

class Disassembler {
 public:
  Disassembler();
  ~Disassembler();
  Disassembler(const Disassembler&) = delete;
  Disassembler& operator=(const Disassembler&) = delete;

  /// Decodes the record's bytes; addresses are computed from its registers, if it has them (segments other than FS
  /// and GS have base 0, as in 64-bit mode).
  [[nodiscard]] Instruction decode(const InstructionRecord& record);
  /// Text only, for bytes without a record.
  [[nodiscard]] Instruction decode(uint8_t code_bits, uint64_t rip, loader::Bytes bytes);
  /// The length of the instruction at the start of `bytes`; 0 if there is none.
  [[nodiscard]] uint8_t length(uint8_t code_bits, loader::Bytes bytes);

 private:
  struct Engines;
  std::unique_ptr<Engines> engines_;
};

}  // namespace trace
