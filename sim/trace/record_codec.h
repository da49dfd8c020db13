#pragma once
// Records to bytes and back, within one chunk. Both sides make the same guesses about the next instruction, and only what
// was guessed wrong is stored. Each chunk starts afresh.
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "sim/container/varint.h"
#include "sim/loader/byte_view.h"
#include "sim/support/result.h"
#include "sim/trace/code_lines.h"
#include "sim/trace/predictor.h"
#include "sim/trace/record.h"

namespace trace {

/// Memory as the instruction about to execute sees it.
class MemoryView {
 public:
  virtual ~MemoryView() = default;
  /// Fills `out` from a linear address; how many bytes could be read.
  virtual size_t read(uint64_t address, std::span<uint8_t> out) = 0;
};

/// What writer and reader both believe of the next instruction.
class Expectation {
 public:
  explicit Expectation(Detail detail);
  void start_chunk();
  /// `record` executed from `line`: what will come next.
  void advance(const InstructionRecord& record, CodeLine& line);
  /// The line of `rip` if this chunk has shown it, else null.
  [[nodiscard]] CodeLine* shown(uint64_t rip, uint8_t code_bits);
  /// Makes `line` this chunk's line for `rip`.
  void show(CodeLine& line, uint64_t rip, uint8_t code_bits, loader::Bytes bytes);
  [[nodiscard]] CodeLine& slot(uint64_t rip) { return lines_.slot(rip); }
  [[nodiscard]] bool full() const { return detail_ == Detail::Full; }
  /// `rip` follows the last instruction, whatever was expected.
  void went_to(uint64_t rip);
  /// The bytes expected at what `line` reads: `record` gets its address and as many bytes.
  void expect_memory(const CodeLine& line, InstructionRecord& record) const;

  /// Stands for all of next: what a chunk ends with, so that a reader that guesses otherwise than the writer is noticed.
  [[nodiscard]] uint64_t check() const;

  InstructionRecord next;  ///< without bytes and memory

 private:
  Detail detail_;
  CodeLines lines_;
  FlowPredictor flow_;
  MemoryShadow shadow_;
  MicroOpDecoder decoder_;
  CodeLine* last_{};
  uint64_t chunk_{};
};

class RecordEncoder {
 public:
  explicit RecordEncoder(Detail detail);
  ~RecordEncoder();

  /// `code` holds the bytes at RIP, up to 15; the record's length, bytes and memory are filled in. `memory` may be null.
  void instruction(InstructionRecord& record, loader::Bytes code, MemoryView* memory);
  void event(const support::Event& event);

  /// The chunk so far, whole.
  [[nodiscard]] const std::vector<uint8_t>& finish();
  [[nodiscard]] size_t size() const { return out_.size(); }
  [[nodiscard]] uint32_t record_count() const { return count_; }
  [[nodiscard]] uint64_t first_tick() const { return first_tick_; }
  [[nodiscard]] uint64_t last_tick() const { return last_tick_; }
  void start_chunk();

 private:
  struct Lengths;
  CodeLine& line_of(InstructionRecord& record, loader::Bytes code, bool& shown);
  bool look_at_memory(const CodeLine& line, InstructionRecord& record, MemoryView* memory) const;
  void difference(uint8_t flags, const InstructionRecord& record);
  void note_tick(uint64_t tick);
  void end_run();

  Expectation expected_;
  std::unique_ptr<Lengths> lengths_;
  std::vector<uint8_t> out_;
  uint32_t count_{}, run_{};
  uint64_t first_tick_{}, last_tick_{};
};

class RecordDecoder {
 public:
  explicit RecordDecoder(Detail detail);

  /// `chunk` must live until the next call.
  void start(loader::Bytes chunk);
  /// Reads the next record, which is then current(); false at the end of the chunk, which was whole. The message of a
  /// refusal names the offset within the chunk.
  support::Result<bool> advance();
  [[nodiscard]] Record& current() { return current_; }

 private:
  support::Result<bool> step();
  support::Status finish_chunk();
  support::Status difference(uint8_t flags);
  support::Status context(InstructionRecord& next);
  support::Status instruction(uint8_t flags);
  support::Status memory(InstructionRecord& record);
  support::Status event();

  Expectation expected_;
  loader::Bytes chunk_;
  container::ByteReader in_{{}};
  uint64_t run_{};
  bool run_follows_{};
  Record current_;
};

}  // namespace trace
