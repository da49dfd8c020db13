#pragma once
// What both sides of a full trace expect of the next instruction. Every guess is compared with what happened and only
// the difference is stored, so that a wrong guess costs bytes, never truth.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>

#include "sim/trace/micro_op.h"
#include "sim/trace/record.h"

namespace trace {

/// What memory was last seen to hold, in a table that forgets. Addresses are linear, told apart by VTL only.
class MemoryShadow {
 public:
  struct Written {
    uint64_t address{};
    uint8_t size{};  ///< 0: nothing
  };
  MemoryShadow() : cells_{std::make_unique<Cell[]>(count)} {}
  void clear() { std::memset(cells_.get(), 0, count * sizeof(Cell)); }

  void read(uint8_t vtl, uint64_t address, std::span<uint8_t> out) const {
    for (size_t done = 0; done < out.size();) {
      const Cell& cell = cells_[slot(vtl, address + done)];
      const size_t offset = (address + done) % 8;
      const size_t part = std::min<size_t>(8 - offset, out.size() - done);
      const uint64_t value = cell.tag == tag(vtl, address + done) ? cell.value >> (8 * offset) : 0;
      std::memcpy(out.data() + done, &value, part);
      done += part;
    }
  }
  void write(uint8_t vtl, uint64_t address, std::span<const uint8_t> bytes) {
    written_ = {address, static_cast<uint8_t>(bytes.size())};
    for (size_t done = 0; done < bytes.size();) {
      Cell& cell = cells_[slot(vtl, address + done)];
      const size_t offset = (address + done) % 8;
      const size_t part = std::min<size_t>(8 - offset, bytes.size() - done);
      if (cell.tag != tag(vtl, address + done)) cell = {tag(vtl, address + done), 0};
      std::memcpy(reinterpret_cast<uint8_t*>(&cell.value) + offset, bytes.data() + done, part);
      done += part;
    }
  }
  /// What was written since the last question, the latest if more than once.
  Written last_write() { return std::exchange(written_, {}); }

 private:
  struct Cell {
    uint64_t tag, value;
  };
  static constexpr size_t count = 1u << 16;
  /// Never 0, which an empty cell has.
  static uint64_t tag(uint8_t vtl, uint64_t address) { return address >> 3 | uint64_t{vtl} << 61 | uint64_t{1} << 63; }
  static size_t slot(uint8_t vtl, uint64_t address) {
    return static_cast<size_t>((address >> 3 ^ address >> 17 ^ uint64_t{vtl} << 12) % count);
  }
  std::unique_ptr<Cell[]> cells_;
  Written written_;
};

/// Executes `op` on `registers`, which become those expected before the next instruction. `memory` holds what it reads,
/// as far as that could be read. Gives the RIP expected next.
uint64_t predict(const MicroOp& op, uint8_t vtl, uint64_t rip, Registers& registers, std::span<const uint8_t> memory,
                 MemoryShadow& shadow);

}  // namespace trace
