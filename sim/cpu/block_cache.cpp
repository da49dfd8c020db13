#include "sim/cpu/block_cache.h"

#include <algorithm>

#include "abi/layout/address.h"

namespace cpu {
namespace {

bool only_in_steps(const Instruction& in) {
  return is_port_io(in) || is_locked_register_bit_test(in) || is_register_compare_exchange_32(in);
}

/// Follows the flags that bit tests leave undefined through a block.
class FlagTracker {
 public:
  /// False: the instruction needs canonical flags while they are not.
  bool pass(const Instruction& in) {
    if (is_bit_test(in)) {
      undefined_ = true;
      return true;
    }
    if (!undefined_) return true;
    const FlagUse use = undefined_flag_use(in);
    if (use == FlagUse::WritesAll) undefined_ = false;
    return use != FlagUse::Other;
  }
  [[nodiscard]] bool undefined() const { return undefined_; }

 private:
  bool undefined_{};
};

Instruction decode_at(std::span<const uint8_t> bytes, size_t offset, CodeSize code_size) {
  return decode(bytes.subspan(offset, std::min(max_instruction_length, bytes.size() - offset)),
                code_size);
}

}  // namespace

BlockFacts examine_block(std::span<const uint8_t> bytes, CodeSize code_size) {
  BlockFacts facts;
  FlagTracker flags;
  for (size_t offset = 0; offset < bytes.size();) {
    const Instruction in = decode_at(bytes, offset, code_size);
    facts.last_offset = static_cast<uint16_t>(offset);
    ++facts.count;
    if (in.status != DecodeStatus::Ok) break;
    facts.ends_repeated = is_repeated_string(in);
    facts.repeat_address_size = in.address_size;
    facts.must_step |= only_in_steps(in);
    facts.has_bit_test |= is_bit_test(in);
    facts.must_step |= !flags.pass(in);
    offset += in.length;
  }
  facts.leaves_undefined = flags.undefined();
  return facts;
}

BlockPoint point_in_block(std::span<const uint8_t> bytes, CodeSize code_size, uint64_t offset) {
  BlockPoint point;
  FlagTracker flags;
  for (size_t at = 0; at < offset && at < bytes.size();) {
    const Instruction in = decode_at(bytes, at, code_size);
    ++point.count;
    if (in.status != DecodeStatus::Ok) break;
    (void)flags.pass(in);
    at += in.length;
  }
  point.flags_undefined = flags.undefined();
  return point;
}

BlockCache::BlockCache(uint64_t ram_pages)
    : linear_{std::make_unique<Block[]>(slots)},
      physical_{std::make_unique<Physical[]>(slots)},
      versions_(ram_pages) {}

const BlockFacts& BlockCache::facts_of(uint64_t spa, std::span<const uint8_t> bytes, CodeSize code_size) {
  const auto size = static_cast<uint32_t>(bytes.size());
  Physical& entry = physical_[index(spa)];
  const uint32_t version = versions_[spa / abi::page_size];
  if (entry.spa != spa || entry.size != size || entry.version != version || entry.code_size != code_size)
    entry = {spa, size, version, code_size, examine_block(bytes, code_size)};
  return entry.facts;
}

const Block& BlockCache::insert(uint64_t address, std::span<const uint8_t> bytes, CodeSize code_size,
                                uint32_t mode, const uint8_t* in_ram, uint64_t spa) {
  const auto size = static_cast<uint32_t>(bytes.size());
  Block& block = linear_[index(address)];
  block.address = address;
  block.facts = in_ram != nullptr ? facts_of(spa, bytes, code_size) : examine_block(bytes, code_size);
  const bool plain = !block.facts.must_step && !block.facts.ends_repeated && !block.facts.leaves_undefined;
  block.tag = tag(size, mode) | (plain ? 0 : second_look);
  block.size = size;
  block.code_size = code_size;
  block.bytes = in_ram;
  return block;
}

}  // namespace cpu
