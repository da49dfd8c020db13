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
  bool reads_descriptors{};  ///< may read descriptor tables: at CPL 3 only in single steps
  bool must_step{};        ///< contains what may only run in single steps, decoded one by one
  bool ends_repeated{};    ///< the last instruction is a string instruction with a REP prefix
  uint8_t repeat_address_size{};  ///< bytes of its counter
  bool has_bit_test{};
  bool ends_in_transfer{};  ///< the last instruction is a control transfer
  bool leaves_undefined{};  ///< flags are undefined when it ends: a bit test wrote them last
};

/// Needs nothing but counting, each time it is entered.
[[nodiscard]] constexpr bool is_plain(const BlockFacts& facts) {
  return !facts.must_step && !facts.ends_repeated && !facts.leaves_undefined && !facts.reads_descriptors;
}

/// What besides the engine's own faults forbids running an instruction in a block.
struct BlockRules {
  bool locked_in_steps{};  ///< somebody wants to know of each locked instruction
};

/// Decodes all of `bytes`. What does not decode raises an exception there and so ends the block: it counts as one.
[[nodiscard]] BlockFacts examine_block(std::span<const uint8_t> bytes, CodeSize code_size,
                                       const BlockRules& rules = {});

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
  uint64_t
      tag{};  ///< generation, size and mode; another value if the block needs a second look at each entry
  BlockFacts facts;
  uint32_t size{};
  CodeSize code_size{};
  const uint8_t* bytes{};  ///< in RAM; null if the block crosses a page
};

/// Two direct-mapped levels. Content never influences results, only the time that they take.
class BlockCache {
 public:
  BlockCache(uint64_t ram_pages, const BlockRules& rules);

  /// For the hot path: where a block of this address would be, and the tag that it has if it is there, is `size` bytes
  /// long, and needs nothing but counting.
  [[nodiscard]] const Block& slot(uint64_t address) const { return linear_[index(address)]; }
  /// `mode`: 16 bits that tell code sizes apart, none of them in the place of another's.
  [[nodiscard]] uint64_t tag(uint32_t size, uint32_t mode) const {
    return generation_ | size << 16 | mode;
  }

  [[nodiscard]] const Block* find(uint64_t address, uint32_t size, uint32_t mode) const {
    const Block& block = slot(address);
    return has(block, address, tag(size, mode)) ? &block : nullptr;
  }
  /// The slot holds the block of this address and tag, whatever it needs.
  [[nodiscard]] static bool has(const Block& block, uint64_t address, uint64_t tag) {
    return block.address == address && (block.tag | second_look) == (tag | second_look);
  }
  /// `bytes` is the block, contiguous; `in_ram` where it lies if inside one page of RAM (then `spa` is its address).
  /// `watched`: it needs a second look whatever its facts say.
  const Block& insert(uint64_t address, std::span<const uint8_t> bytes, CodeSize code_size,
                      uint32_t mode, const uint8_t* in_ram, uint64_t spa, bool watched);
  /// Linear addresses may mean something else from now on.
  void forget_linear() { generation_ = (generation_ + one_generation) & ~second_look; }
  /// The code of a RAM page changed.
  void forget_page(uint64_t page) { ++versions_[page]; }

 private:
  static constexpr uint32_t slots = 8192;
  static constexpr uint64_t second_look = uint64_t{1} << 63, one_generation = uint64_t{1} << 32;
  static uint32_t index(uint64_t address) {
    return static_cast<uint32_t>(address ^ address >> 12) & (slots - 1);
  }
  struct Physical {
    uint64_t spa{~uint64_t{0}};
    uint32_t size{}, version{};
    CodeSize code_size{};
    BlockFacts facts;
  };
  const BlockFacts& facts_of(uint64_t spa, std::span<const uint8_t> bytes, CodeSize code_size);

  BlockRules rules_;
  uint64_t generation_{one_generation};
  std::unique_ptr<Block[]> linear_;
  std::unique_ptr<Physical[]> physical_;
  std::vector<uint32_t> versions_;  ///< per RAM page
};

}  // namespace cpu
