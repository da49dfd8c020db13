#pragma once
// The replacement policy that caches and TLBs share: sets of ways, the least recently used way goes.
#include <cstdint>
#include <vector>

#include "sim/support/check.h"

namespace timing {

/// Entries are found by a key that is unique for what they hold; the caller says which set a key belongs to.
template <class Entry>
class SetAssociative {
 public:
  /// `entries` is a multiple of `ways`; the number of sets need not be a power of two.
  SetAssociative(uint32_t entries, uint32_t ways)
      : ways_{ways}, sets_{ways == 0 ? 0 : entries / ways}, slots_(entries) {
    CHECK(ways != 0 && sets_ != 0 && entries % ways == 0);
  }

  /// The entry that `matches`, now the most recently used one of its set; null if there is none.
  template <class Matches>
  Entry* find(uint64_t index, Matches matches) {
    Slot* const set = slots_.data() + (index % sets_) * ways_;
    for (uint32_t way = 0; way < ways_; ++way) {
      if (set[way].used == 0 || !matches(set[way].entry)) continue;
      set[way].used = ++clock_;
      return &set[way].entry;
    }
    return nullptr;
  }

  /// In place of an empty or the least recently used way.
  void insert(uint64_t index, const Entry& entry) {
    Slot* const set = slots_.data() + (index % sets_) * ways_;
    Slot* victim = set;
    for (uint32_t way = 1; way < ways_; ++way)
      if (set[way].used < victim->used) victim = set + way;
    victim->entry = entry;
    victim->used = ++clock_;
  }

  template <class Predicate>
  void remove_if(Predicate predicate) {
    for (Slot& slot : slots_)
      if (slot.used != 0 && predicate(slot.entry)) slot.used = 0;
  }

 private:
  struct Slot {
    Entry entry{};
    uint64_t used{};  ///< 0: empty
  };
  uint32_t ways_, sets_;
  std::vector<Slot> slots_;
  uint64_t clock_{};
};

}  // namespace timing
