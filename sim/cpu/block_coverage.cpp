#include "sim/cpu/block_coverage.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "sim/support/check.h"

namespace cpu {
namespace {

uint64_t mix(uint64_t value) {
  value = (value ^ value >> 32) * 0xd6e8feb86659fd93;
  return (value ^ value >> 32) * 0xd6e8feb86659fd93;
}

}  // namespace

BlockCoverage::BlockCoverage() {
  constexpr int rights = PROT_READ | PROT_WRITE, kind = MAP_PRIVATE | MAP_ANONYMOUS;
  void* at = mmap(nullptr, sizeof(Memory), rights, kind | MAP_32BIT, -1, 0);
  low_ = at != MAP_FAILED;
  if (!low_) at = mmap(nullptr, sizeof(Memory), rights, kind, -1, 0);
  CHECK_MSG(at != MAP_FAILED, "no memory for counters of coverage");
  memory_ = static_cast<Memory*>(at);
  clear();
}

BlockCoverage::~BlockCoverage() { (void)munmap(memory_, sizeof(Memory)); }

void BlockCoverage::clear() {
  std::memset(memory_->edges, 0, edge_counters);
  std::memset(memory_->blocks, 0, blocks_.size());
  for (uint32_t& previous : memory_->previous) previous = nothing;
}

std::span<uint8_t, BlockCoverage::edge_counters> BlockCoverage::edges() {
  return std::span<uint8_t, edge_counters>{memory_->edges, edge_counters};
}

std::vector<GuestBlock> BlockCoverage::entered() const {
  std::vector<GuestBlock> result;
  for (size_t i = 0; i < blocks_.size(); ++i) {
    if (memory_->blocks[i] != 0) result.push_back(blocks_[i]);
  }
  std::sort(result.begin(), result.end());
  return result;
}

uint32_t BlockCoverage::target_of(GuestBlock block) {
  return static_cast<uint32_t>(mix(block.address * 4 + block.vtl) >> 48);
}

uint32_t BlockCoverage::source_of(uint64_t address) { return static_cast<uint32_t>(mix(~address * 8 + 5) >> 48); }

uint32_t BlockCoverage::number_of(GuestBlock block) {
  const auto [found, is_new] = numbers_.try_emplace(block, static_cast<uint32_t>(blocks_.size()));
  if (is_new && blocks_.size() == maximum_blocks) {
    numbers_.erase(found);
    return maximum_blocks - 1;
  }
  if (is_new) blocks_.push_back(block);
  return found->second;
}

void BlockCoverage::arrive(uint32_t processor, uint8_t vtl, uint64_t address) {
  uint32_t& from = *previous(processor);
  if (from == nothing) return;
  uint8_t& edge = memory_->edges[from ^ target_of({address, vtl})];
  edge = edge == 0xff ? uint8_t{1} : static_cast<uint8_t>(edge + 1);
  memory_->blocks[number_of({address, vtl})] = 1;
  from = nothing;
}

}  // namespace cpu
