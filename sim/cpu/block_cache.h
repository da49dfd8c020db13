#pragma once
// What a block of guest code contains: how many instructions, and what about it forbids running it in one go. Filled by
// decoding, remembered by linear address and, across changes of address space, by physical address.
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "sim/cpu/instruction.h"

namespace cpu {

/// Facts about the instructions in `size` bytes at one place.
struct BlockFacts {
  uint16_t count{};        ///< instructions
  uint16_t last_offset{};  ///< of the last instruction, in bytes from the start
  bool must_step{};        ///< contains what may only run in single steps, decoded one by one
  bool ends_repeated{};    ///< the last instruction is a string instruction with a REP prefix
  uint8_t repeat_address_size{};  ///< bytes of its counter
  bool has_bit_test{};
  bool leaves_undefined{};  ///< flags are undefined when it ends: a bit test wrote them last
};

/// Decodes all of `bytes`. What does not decode raises an exception there and so ends the block: it counts as one.
[[nodiscard]] BlockFacts examine_block(std::span<const uint8_t> bytes, CodeSize code_size);

/// Instructions that begin before `offset`, and whether flags are undefined there.
struct BlockPoint {
  uint16_t count{};
  bool flags_undefined{};
};
[[nodiscard]] BlockPoint point_in_block(std::span<const uint8_t> bytes, CodeSize code_size,
                                        uint64_t offset);

/// A block as the engine runs it now.
struct Block {
  uint64_t address{};
  uint32_t size{};
  CodeSize code_size{};
  uint32_t generation{};   ///< of linear addresses; 0 in an empty slot
  const uint8_t* bytes{};  ///< in RAM; null if the block crosses a page
  BlockFacts facts;
};

/// Two direct-mapped levels. Content never influences results, only the time that they take.
class BlockCache {
 public:
  explicit BlockCache(uint64_t ram_pages);

  [[nodiscard]] const Block* find(uint64_t address, uint32_t size, CodeSize code_size) const {
    const Block& block = linear_[slot(address, size)];
    return block.address == address && block.size == size && block.generation == generation_ &&
                   block.code_size == code_size
               ? &block
               : nullptr;
  }
  /// `bytes` is the block, contiguous; `in_ram` where it lies if inside one page of RAM (then `spa` is its address).
  const Block& insert(uint64_t address, std::span<const uint8_t> bytes, CodeSize code_size,
                      const uint8_t* in_ram, uint64_t spa);
  /// Linear addresses may mean something else from now on.
  void forget_linear() { ++generation_; }
  /// The code of a RAM page changed.
  void forget_page(uint64_t page) { ++versions_[page]; }

 private:
  static constexpr uint32_t slots = 8192;
  static uint32_t slot(uint64_t address, uint32_t size) {
    return static_cast<uint32_t>((address * 0x9e3779b97f4a7c15) >> 40 ^ size) & (slots - 1);
  }
  struct Physical {
    uint64_t spa{~uint64_t{0}};
    uint32_t size{}, version{};
    CodeSize code_size{};
    BlockFacts facts;
  };
  const BlockFacts& facts_of(uint64_t spa, std::span<const uint8_t> bytes, CodeSize code_size);

  uint32_t generation_{1};
  std::unique_ptr<Block[]> linear_;
  std::unique_ptr<Physical[]> physical_;
  std::vector<uint32_t> versions_;  ///< per RAM page
};

}  // namespace cpu
