#pragma once
// Records to bytes and back, within one chunk. Both sides keep the same predictions; each chunk
// starts afresh.
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/support/result.h"
#include "sim/trace/record.h"

namespace trace {

/// The length of the instruction at the start of `bytes`; 0 if there is none.
class LengthDecoder {
 public:
  virtual ~LengthDecoder() = default;
  virtual uint8_t length(uint8_t code_bits, loader::Bytes bytes) = 0;
};

class RecordEncoder {
 public:
  explicit RecordEncoder(LengthDecoder& lengths);

  /// `code` holds the bytes at RIP, up to 15; the record's own length and bytes are filled from it.
  void instruction(InstructionRecord& record, loader::Bytes code);
  void event(const support::Event& event);

  [[nodiscard]] const std::vector<uint8_t>& bytes() const { return out_; }
  [[nodiscard]] uint32_t record_count() const { return count_; }
  [[nodiscard]] uint64_t first_tick() const { return first_tick_; }
  [[nodiscard]] uint64_t last_tick() const { return last_tick_; }
  void start_chunk();

 private:
  struct CodeLine {
    uint64_t rip{~uint64_t{0}};
    uint64_t chunk{};
    uint8_t length{}, code_bits{};
    std::array<uint8_t, longest_instruction> bytes{};
  };
  static constexpr size_t code_lines = 16384;

  bool known_code(InstructionRecord& record, loader::Bytes code);
  void note_tick(uint64_t tick);
  void varint(uint64_t value);
  void signed_varint(uint64_t difference);

  LengthDecoder& lengths_;
  std::vector<uint8_t> out_;
  std::unique_ptr<std::array<CodeLine, code_lines>> code_;
  uint64_t chunk_{};
  uint32_t count_{};
  uint64_t first_tick_{}, last_tick_{};
  InstructionRecord last_;  ///< what predictions are made from
  uint64_t next_rip_{}, next_tick_{};
};

class RecordDecoder {
 public:
  explicit RecordDecoder(loader::Bytes chunk) : in_{chunk} {}

  [[nodiscard]] bool at_end() const { return at_ == in_.size(); }
  [[nodiscard]] size_t offset() const { return at_; }
  /// The next record; the message of a refusal names the offset within the chunk.
  support::Result<Record> next();

 private:
  struct Code {
    uint8_t length{};
    std::array<uint8_t, longest_instruction> bytes{};
  };
  support::Result<Record> instruction(uint8_t flags);
  support::Status context();
  support::Status code();
  support::Status registers();
  support::Result<Record> event();
  support::Result<uint8_t> byte();
  support::Result<uint64_t> varint();
  support::Result<uint64_t> signed_varint();
  support::Result<loader::Bytes> take(uint64_t size);

  loader::Bytes in_;
  size_t at_{};
  std::unordered_map<uint64_t, Code> code_;  // by RIP; tidy: lookup only
  InstructionRecord last_;
  uint64_t next_rip_{}, next_tick_{};
};

}  // namespace trace
