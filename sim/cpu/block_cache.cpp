#include "sim/cpu/block_cache.h"

#include <algorithm>

#include "abi/layout/address.h"

namespace cpu {
namespace {

/// RCL and RCR of memory: if the access faults, the engine has already mixed the flags.
bool rotates_memory_through_carry(const Instruction& in) {
  const bool shift =
      in.opcode == 0xc0 || in.opcode == 0xc1 || (in.opcode >= 0xd0 && in.opcode <= 0xd3);
  return in.map == OpcodeMap::One && shift && in.mod() != 3 &&
         (in.reg_field() == 2 || in.reg_field() == 3);
}

bool is_set_memory(const Instruction& in) {
  return in.map == OpcodeMap::Two0F && !in.vex && (in.opcode & 0xf0) == 0x90 && in.mod() != 3;
}

/// CMP and SUB, after which the engine evaluates relations without computing RFLAGS.
bool is_compare(const Instruction& in) {
  if (in.map != OpcodeMap::One) return false;
  if (in.opcode >= 0x28 && in.opcode < 0x2e) return true;
  if (in.opcode >= 0x38 && in.opcode < 0x3e) return true;
  return in.opcode >= 0x80 && in.opcode < 0x84 && (in.reg_field() == 5 || in.reg_field() == 7);
}

/// LOOPE and LOOPNE: when they end by their count the engine forgets which instruction wrote the flags.
bool is_conditional_loop(const Instruction& in) {
  return in.is(OpcodeMap::One, 0xe0) || in.is(OpcodeMap::One, 0xe1);
}

/// Far JMP and CALL anywhere; IRET outside 64-bit code, and IRETD in it, which the engine lets into virtual-8086 mode.
bool may_switch_tasks(const Instruction& in) {
  return is_far_transfer(in) || (in.is(OpcodeMap::One, 0xcf) &&
                                   (in.code_size != CodeSize::Bits64 || in.operand_size == 4));
}

/// CMPXCHG8B and CMPXCHG16B: inside a block the engine evaluates the flags by a stale record of who wrote them, and what
/// comes out reaches all of RFLAGS, VM and IOPL included.
bool is_wide_compare_exchange(const Instruction& in) {
  return in.is(OpcodeMap::Two0F, 0xc7) && in.mod() != 3 && in.reg_field() == 1;
}

bool only_in_steps(const Instruction& in) {
  return is_port_io(in) || is_locked_register_bit_test(in) || is_register_compare_exchange_32(in) ||
         rotates_memory_through_carry(in) || is_conditional_loop(in) ||
         is_missing_memory_form(in) || is_system_entry(in) || may_switch_tasks(in) || is_lock_refused(in) ||
         is_wide_compare_exchange(in) || is_corrected(in) || is_missing_group_member(in) ||
         is_not_offered(in);
}

/// Follows the flags through a block: those that bit tests leave undefined, and what the engine knows of their writer.
class FlagTracker {
 public:
  /// False: the instruction must not run in this block.
  bool pass(const Instruction& in) {
    const bool exact = !is_set_memory(in) || stores_condition_exactly(in);
    const bool bit_test = is_bit_test(in);
    const FlagUse use = bit_test ? FlagUse::Other : undefined_flag_use(in);
    const bool sees_canonical = !undefined_ || bit_test || use != FlagUse::Other;
    if (bit_test) undefined_ = true;
    if (use == FlagUse::WritesAll) {
      undefined_ = false;
      writer_ = is_compare(in) ? Writer::Compare : Writer::Known;
    } else if (use == FlagUse::Other) {
      writer_ = Writer::Unknown;
    }
    return exact && sees_canonical;
  }
  [[nodiscard]] bool undefined() const { return undefined_; }

 private:
  enum class Writer : uint8_t { Unknown, Known, Compare };

  /// SETcc to memory: for some conditions the engine replaces its record of the flags by their value before it stores. If
  /// the store then faults, the flags are wrong.
  [[nodiscard]] bool stores_condition_exactly(const Instruction& in) const {
    switch ((in.opcode >> 1) & 7) {
      case 1:
        return true;  // B
      case 2:
      case 4:
        return writer_ != Writer::Unknown;  // Z, S
      case 3:
      case 6:
      case 7:
        return writer_ == Writer::Compare;  // BE, L, LE
      default:
        return false;  // O, P
    }
  }
  bool undefined_{};
  Writer writer_{};
};

Instruction decode_at(std::span<const uint8_t> bytes, size_t offset, CodeSize code_size) {
  return decode(bytes.subspan(offset, std::min(max_instruction_length, bytes.size() - offset)),
                code_size);
}

}  // namespace

BlockFacts examine_block(std::span<const uint8_t> bytes, CodeSize code_size,
                         const BlockRules& rules) {
  BlockFacts facts;
  FlagTracker flags;
  for (size_t offset = 0; offset < bytes.size();) {
    const Instruction in = decode_at(bytes, offset, code_size);
    facts.last_offset = static_cast<uint16_t>(offset);
    ++facts.count;
    if (in.status != DecodeStatus::Ok) break;
    facts.ends_in_transfer = is_control_transfer(in);
    facts.ends_repeated = is_repeated_string(in);
    facts.repeat_address_size = in.address_size;
    facts.must_step |= only_in_steps(in) || (rules.locked_in_steps && is_locked(in));
    facts.has_bit_test |= is_bit_test(in);
    facts.reads_descriptors |= reads_descriptors(in);
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

BlockCache::BlockCache(uint64_t ram_pages, const BlockRules& rules)
    : rules_{rules},
      linear_{std::make_unique<Block[]>(slots)},
      physical_{std::make_unique<Physical[]>(slots)},
      versions_(ram_pages) {}

const BlockFacts& BlockCache::facts_of(uint64_t spa, std::span<const uint8_t> bytes,
                                       CodeSize code_size) {
  const auto size = static_cast<uint32_t>(bytes.size());
  Physical& entry = physical_[index(spa)];
  const uint32_t version = versions_[spa / abi::page_size];
  if (entry.spa != spa || entry.size != size || entry.version != version ||
      entry.code_size != code_size)
    entry = {spa, size, version, code_size, examine_block(bytes, code_size, rules_)};
  return entry.facts;
}

const Block& BlockCache::insert(uint64_t address, std::span<const uint8_t> bytes,
                                CodeSize code_size, uint32_t mode, const uint8_t* in_ram,
                                uint64_t spa, bool watched) {
  const auto size = static_cast<uint32_t>(bytes.size());
  Block& block = linear_[index(address)];
  block.address = address;
  block.facts =
      in_ram != nullptr ? facts_of(spa, bytes, code_size) : examine_block(bytes, code_size, rules_);
  block.tag = tag(size, mode) | (is_plain(block.facts) && !watched ? 0 : second_look);
  block.size = size;
  block.code_size = code_size;
  block.bytes = in_ram;
  return block;
}

}  // namespace cpu
