// Coverage of blocks as the engine runs them: the slow way by a call, and code outside of the library's for those that count
// themselves.
#include <sys/mman.h>

#include "sim/cpu/unicorn_engine.h"

namespace cpu {
namespace {

constexpr size_t most_blocks = 1u << 17;  // numbers of counting blocks

}  // namespace

void UnmapCode::operator()(uint8_t* at) const { (void)munmap(at, size); }

void UnicornEngine::cover(BlockCoverage* coverage) {
  if (coverage_ == coverage) return;
  coverage_ = coverage;
  discard_blocks_ = true;  // what is translated counts for the one before
}

/// `block` was entered and will be executed, at least in part: settle() knows whether it ended.
void UnicornEngine::cover_block(const Block& block) {
  if (coverage_ == nullptr) return;
  coverage_->arrive(processor->number, static_cast<uint8_t>(processor->active), block.address);
  if (block.facts.ends_in_transfer) coverage_->leave(processor->number, block.address + block.facts.last_offset);
}

uint8_t* UnicornEngine::count_and_cover(std::span<uint8_t, longest_hook_call + behind_hook_call> code,
                                        const HookCall& call, const Block& block, uint32_t number) {
  if (!coverage_->reachable()) return nullptr;
  if (outside_ == nullptr) {
    constexpr size_t size = most_blocks * longest_outside;
    constexpr int rights = PROT_READ | PROT_WRITE | PROT_EXEC;
    // Below the library's code, if there is room; count_outside() sees whether it is near enough.
    void* const wish = translations_.data() - (translations_.size() + size);
    void* const at = mmap(wish, size, rights, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return nullptr;
    outside_ = {static_cast<uint8_t*>(at), UnmapCode{size}};
  }
  const GuestBlock guest{block.address, static_cast<uint8_t>(processor->active)};
  const uint64_t last = block.address + block.facts.last_offset;
  const CoverageOfBlock coverage{
      .previous = coverage_->previous(processor->number),
      .edges = coverage_->edges_at(),
      .block = coverage_->blocks_at() + coverage_->number_of(guest),
      .target = BlockCoverage::target_of(guest),
      .next = block.facts.ends_in_transfer ? BlockCoverage::source_of(last) : BlockCoverage::nothing,
      .nothing = BlockCoverage::nothing};
  uint8_t* const outside = outside_.get() + size_t{number - 1} * longest_outside;
  return cpu::count_outside(code, call, block.facts.count, number, coverage,
                            std::span<uint8_t, longest_outside>{outside, longest_outside});
}

}  // namespace cpu
