#include "fuzz/engine/snapshot.h"

#include <cstring>

namespace fuzzing {

using abi::page_size;

namespace {

/// Not memcmp: in a libFuzzer program that is libFuzzer's, which looks at what is compared and learns from it.
bool same_page(const uint8_t* a, const uint8_t* b) {
  using Vector [[gnu::vector_size(16)]] = uint64_t;
  constexpr size_t vectors = 16;  // between two decisions
  for (size_t at = 0; at < page_size; at += vectors * sizeof(Vector)) {
    Vector difference{};
    for (size_t i = 0; i < vectors; ++i) {
      Vector left, right;
      std::memcpy(&left, a + at + i * sizeof left, sizeof left);
      std::memcpy(&right, b + at + i * sizeof right, sizeof right);
      difference |= left ^ right;
    }
    if ((difference[0] | difference[1]) != 0) return false;
  }
  return true;
}

}  // namespace

Snapshot::Snapshot(machine::Machine& machine)
    : machine_{machine},
      consumer_{machine.memory().add_dirty_consumer()},
      memory_{machine.memory().size()},
      fields_{machine.remember()} {
  mmu::PhysicalMemory& memory = machine_.memory();
  for (const uint64_t page : memory.pages_in_use()) {
    std::memcpy(static_cast<uint8_t*>(memory_.data()) + page * page_size, memory.data() + page * page_size, page_size);
  }
  memory.drain_dirty(consumer_, drained_);
  dirty_epoch_ = memory.dirty_epoch();
}

Snapshot::~Snapshot() { machine_.memory().remove_dirty_consumer(consumer_); }

const uint8_t* Snapshot::original(uint64_t page) const {
  return static_cast<const uint8_t*>(memory_.data()) + page * page_size;
}

/// The pages that engines may write to without saying so are looked at every time, whether they wrote or not: that is
/// cheaper than to take these grants away. Only if somebody did take them away, the log is asked for what was before.
void Snapshot::gather() {
  // Looked at in vain costs a comparison, a grant that is asked for anew a fill and a flush of all others.
  constexpr size_t too_many = 96;
  mmu::PhysicalMemory& memory = machine_.memory();
  pages_ = memory.fresh_pages();
  if (memory.dirty_epoch() == dirty_epoch_ && pages_.size() <= too_many) return;
  memory.drain_dirty(consumer_, drained_);
  pages_ = drained_;
}

uint32_t Snapshot::dirty_pages() {
  gather();
  uint32_t count = 0;
  for (const uint64_t page : pages_) {
    const bool differs = !same_page(machine_.memory().data() + page * page_size, original(page));
    count += differs ? 1 : 0;
    if (differs) machine_.memory().mark_dirty(page);  // the log may have forgotten it just now
  }
  return count;
}

uint32_t Snapshot::restore() {
  mmu::PhysicalMemory& memory = machine_.memory();
  gather();
  uint32_t count = 0;
  for (const uint64_t page : pages_) {
    if (same_page(memory.data() + page * page_size, original(page))) continue;
    memory.restore_page(page, original(page));
    ++count;
  }
  machine_.put_back(fields_);
  dirty_epoch_ = memory.dirty_epoch();
  return count;
}

}  // namespace fuzzing
