#pragma once
// Which blocks of the guest were entered, and by which transfers of control (docs/decisions/0049-coverage-without-a-call.md).
//
// A block begins where a control transfer of the guest leads, taken or not, and at the first instruction of a handler. An
// edge is a transfer (the address of its instruction, or the vector of the event) and the block it led to. What the engine
// calls a block plays no part: a refused instruction that is tried again, the rest of a block after an exit or a single
// step begin none.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace cpu {

/// A block by its first instruction.
struct GuestBlock {
  uint64_t address{};  ///< linear
  uint8_t vtl{};
  friend auto operator<=>(const GuestBlock&, const GuestBlock&) = default;
};

/// Counters that translated code of the host adds to by itself, and the way there for everybody else. Belongs to one
/// machine, outlives its use there. Counters are bytes which go from 255 to 1, so that what happened stays visible.
class BlockCoverage {
 public:
  /// One for each edge by a hash of both ends, the same in every process.
  static constexpr uint32_t edge_counters = 1u << 16;
  /// Blocks that are told apart; all others count as the last one.
  static constexpr uint32_t maximum_blocks = 1u << 16;
  static constexpr uint32_t maximum_processors = 64;  ///< VirtualProcessor::number is below

  BlockCoverage();
  ~BlockCoverage();
  BlockCoverage(const BlockCoverage&) = delete;
  BlockCoverage& operator=(const BlockCoverage&) = delete;

  /// All counters are zero, and no transfer is under way.
  void clear();
  [[nodiscard]] std::span<uint8_t, edge_counters> edges();
  /// Entered since clear(), ascending.
  [[nodiscard]] std::vector<GuestBlock> entered() const;

  // --- For who executes.
  /// An instruction is about to execute: if a transfer led here, block and edge are counted, and it is over.
  void arrive(uint32_t processor, uint8_t vtl, uint64_t address);
  /// The instruction at `address` transferred control.
  void leave(uint32_t processor, uint64_t address) { *previous(processor) = source_of(address); }
  /// An event was delivered through the IDT.
  void deliver(uint32_t processor, uint8_t vector) { leave(processor, event_source + vector); }
  /// What comes next continues what was interrupted.
  void go_on(uint32_t processor) { *previous(processor) = nothing; }

  // --- For translated code. All of it lies below 2 GiB; null if the host has no memory there.
  /// What a block adds when it was reached: edges_at()[*previous ^ target] and blocks_at()[number + (*previous & nothing)];
  /// afterwards *previous is what its last instruction makes it.
  [[nodiscard]] bool reachable() const { return low_; }
  [[nodiscard]] uint32_t* previous(uint32_t processor) { return &memory_->previous[processor]; }
  [[nodiscard]] uint8_t* edges_at() { return memory_->edges; }
  [[nodiscard]] uint8_t* blocks_at() { return memory_->blocks; }
  [[nodiscard]] uint32_t number_of(GuestBlock block);
  [[nodiscard]] static uint32_t target_of(GuestBlock block);
  [[nodiscard]] static uint32_t source_of(uint64_t address);
  /// Added to the places of counters: those behind count for nobody.
  static constexpr uint32_t nothing = 1u << 16;
  static_assert(nothing == edge_counters && nothing == maximum_blocks);

 private:
  static constexpr uint64_t event_source = uint64_t{1} << 63 | 0x5eed00;  // no canonical address
  struct Memory {
    uint32_t previous[maximum_processors];
    uint8_t edges[2 * edge_counters];
    uint8_t blocks[2 * maximum_blocks];
  };
  struct Hash {
    size_t operator()(const GuestBlock& block) const { return block.address * 0x9e3779b97f4a7c15 + block.vtl; }
  };
  Memory* memory_{};
  bool low_{};
  std::vector<GuestBlock> blocks_;  ///< by number
  std::unordered_map<GuestBlock, uint32_t, Hash> numbers_;  // tidy: lookup only
};

}  // namespace cpu
