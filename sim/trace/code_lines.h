#pragma once
// What a chunk has shown of the code so far, and where its instructions led. Writer and reader keep the same.
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

#include "sim/trace/micro_op.h"

namespace trace {

/// An instruction of the code.
struct CodeLine {
  uint64_t rip{};
  uint64_t chunk{};  ///< the last one that showed it; others must not use it
  uint8_t length{};  ///< 0: the bytes could not be read
  uint8_t code_bits{};
  bool diverged{};   ///< in this chunk, something else than the instruction behind it once followed
  bool decoded{};    ///< `op` belongs to these bytes
  std::array<uint8_t, longest_instruction> bytes{};
  uint64_t target{};  ///< what followed last, when that was not the instruction behind it
  MicroOp op;

  [[nodiscard]] bool is_return() const { return length != 0 && (bytes[0] == 0xc3 || bytes[0] == 0xc2); }
  [[nodiscard]] bool is_call() const { return length == 5 && bytes[0] == 0xe8; }
};

class CodeLines {
 public:
  CodeLines() : lines_{std::make_unique<CodeLine[]>(count)} {}
  CodeLine& slot(uint64_t rip) { return lines_[(rip ^ rip >> 14 ^ rip >> 40) % count]; }

 private:
  static constexpr size_t count = 1u << 15;
  std::unique_ptr<CodeLine[]> lines_;
};

/// Guesses where an instruction leads, from where it led before. For compact traces, which know no registers: what they
/// store of control flow is where this is wrong.
class FlowPredictor {
 public:
  FlowPredictor() : paths_{std::make_unique<Path[]>(count)} {}
  void clear() {
    std::memset(paths_.get(), 0, count * sizeof(Path));
    returns_ = {};
    top_ = 0;
    history_ = 0;
  }

  [[nodiscard]] uint64_t guess(const CodeLine& line) const {
    const uint64_t behind = line.rip + line.length;
    if (!line.diverged) return behind;
    if (line.is_return()) return returns_[top_ % depth];
    const Path& path = paths_[slot(line.rip)];
    return path.key == key(line.rip) ? path.next : line.target;
  }
  /// `next` followed `line`.
  void learn(CodeLine& line, uint64_t next) {
    const uint64_t behind = line.rip + line.length;
    if (line.is_call()) returns_[++top_ % depth] = behind;
    if (!line.diverged) {
      if (next == behind) return;
      line.diverged = true;
    }
    if (line.is_return()) {
      --top_;
    } else {
      paths_[slot(line.rip)] = {key(line.rip), next};
      line.target = next;
    }
    history_ = history_ << 5 ^ (next ^ next >> 7);
  }

 private:
  struct Path {
    uint64_t key, next;
  };
  static constexpr size_t count = 1u << 15;
  static constexpr uint32_t depth = 64;
  /// Never 0, which an empty path has.
  [[nodiscard]] uint64_t key(uint64_t rip) const { return (rip * 0x9e3779b97f4a7c15 ^ history_) | 1; }
  [[nodiscard]] size_t slot(uint64_t rip) const {
    return static_cast<size_t>(((rip ^ history_) * 0x9e3779b97f4a7c15) >> 49);
  }
  std::unique_ptr<Path[]> paths_;
  std::array<uint64_t, depth> returns_{};
  uint32_t top_{};
  uint64_t history_{};
};

}  // namespace trace
