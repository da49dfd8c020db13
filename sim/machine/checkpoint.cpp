#include "sim/machine/checkpoint.h"

#include <algorithm>
#include <iterator>

#include "sim/support/check.h"
#include "sim/support/multiply.h"

namespace machine {

Checkpoints::Checkpoints(Machine& machine, size_t budget)
    : machine_{machine},
      budget_{budget},
      store_{machine.memory().page_count()},
      consumer_{machine.memory().add_dirty_consumer()} {}

Checkpoints::~Checkpoints() { machine_.memory().remove_dirty_consumer(consumer_); }

std::vector<Checkpoints::Checkpoint>::iterator Checkpoints::first_after(support::Instant at) {
  return std::upper_bound(checkpoints_.begin(), checkpoints_.end(), at,
                          [](support::Instant instant, const Checkpoint& checkpoint) { return instant < checkpoint.at; });
}

void Checkpoints::set_base(PageStore::Version version) {
  store_.retain(version);
  if (base_ != 0) store_.release(base_);
  base_ = version;
}

void Checkpoints::take() {
  const support::Instant now = machine_.now();
  const auto place = first_after(now);
  if (place != checkpoints_.begin() && std::prev(place)->at == now) return;
  Checkpoint checkpoint{now, 0, {}};
  if (base_ == 0) {
    const std::vector<uint64_t> all = machine_.memory().pages_in_use();
    checkpoint.memory = store_.capture(0, all, machine_.memory());
    machine_.memory().drain_dirty(consumer_, dirty_);
  } else {
    machine_.memory().drain_dirty(consumer_, dirty_);
    checkpoint.memory = store_.capture(base_, dirty_, machine_.memory());
  }
  set_base(checkpoint.memory);
  machine_.write_fields(checkpoint.fields);
  checkpoint.fields.shrink_to_fit();
  fields_bytes_ += checkpoint.fields.size();
  checkpoints_.insert(place, std::move(checkpoint));
  thin_out();
}

std::optional<support::Instant> Checkpoints::latest(support::Instant at) const {
  const auto after = std::upper_bound(
      checkpoints_.begin(), checkpoints_.end(), at,
      [](support::Instant instant, const Checkpoint& checkpoint) { return instant < checkpoint.at; });
  if (after == checkpoints_.begin()) return std::nullopt;
  return std::prev(after)->at;
}

bool Checkpoints::restore(support::Instant at) {
  const auto after = first_after(at);
  if (after == checkpoints_.begin() || std::prev(after)->at != at) return false;
  const Checkpoint& checkpoint = *std::prev(after);
  mmu::PhysicalMemory& memory = machine_.memory();
  memory.drain_dirty(consumer_, dirty_);
  store_.differences(base_, checkpoint.memory, changed_);
  pages_.clear();
  std::set_union(dirty_.begin(), dirty_.end(), changed_.begin(), changed_.end(), std::back_inserter(pages_));
  for (const uint64_t page : pages_) memory.restore_page(page, store_.page(checkpoint.memory, page));
  CHECK(machine_.read_fields(checkpoint.fields).ok());
  memory.drain_dirty(consumer_, dirty_);  // what was put back is what the checkpoint says
  set_base(checkpoint.memory);
  return true;
}

void Checkpoints::forget_after(support::Instant at) {
  while (!checkpoints_.empty() && checkpoints_.back().at > at) drop(checkpoints_.size() - 1);
}

void Checkpoints::drop(size_t position) {
  const Checkpoint& gone = checkpoints_[position];
  store_.release(gone.memory);
  fields_bytes_ -= gone.fields.size();
  checkpoints_.erase(checkpoints_.begin() + static_cast<ptrdiff_t>(position));
}

/// The one whose absence leaves the smallest gap, measured by its distance from the present. Not the first.
size_t Checkpoints::least_missed() const {
  const support::Instant now = machine_.now();
  size_t best = 1;
  uint64_t best_gap = 0, best_distance = 1;
  for (size_t i = 1; i < checkpoints_.size(); ++i) {
    const support::Instant at = checkpoints_[i].at, before = checkpoints_[i - 1].at;
    const uint64_t gap = i + 1 < checkpoints_.size() ? checkpoints_[i + 1].at - before : 2 * (at - before);
    const uint64_t distance = (at > now ? at - now : now - at) + 1;
    const support::Product mine = support::multiply(gap, best_distance), best_one = support::multiply(best_gap, distance);
    const bool smaller = mine.high != best_one.high ? mine.high < best_one.high : mine.low < best_one.low;
    if (i == 1 || smaller) best = i, best_gap = gap, best_distance = distance;
  }
  return best;
}

void Checkpoints::thin_out() {
  while (bytes() > budget_ && checkpoints_.size() > 1) drop(least_missed());
}

std::vector<support::Instant> Checkpoints::instants() const {
  std::vector<support::Instant> result;
  for (const Checkpoint& checkpoint : checkpoints_) result.push_back(checkpoint.at);
  return result;
}

size_t Checkpoints::bytes() const { return store_.bytes() + fields_bytes_; }

}  // namespace machine
