#include "mmu/physical_memory.h"

#include <array>
#include <bit>

namespace mmu {
namespace {

template <class Visit>
void for_each_bit(const std::vector<uint64_t>& map, Visit visit) {
  for (uint64_t word = 0; word < map.size(); ++word)
    for (uint64_t bits = map[word]; bits != 0; bits &= bits - 1)
      visit(word * 64 + static_cast<uint64_t>(std::countr_zero(bits)));
}

uint64_t checked(uint64_t size) {
  CHECK_MSG(size != 0 && size % abi::page_size == 0, "RAM is a whole number of pages");
  return size;
}

}  // namespace

PhysicalMemory::PhysicalMemory(uint64_t size)
    : size_{checked(size)},
      ram_{size},
      bytes_{static_cast<uint8_t*>(ram_.data())},
      code_pages_((page_count() + 63) / 64),
      fresh_(code_pages_.size()),
      dirty_(code_pages_.size()),
      unhashed_(code_pages_.size()),
      page_hashes_{page_count() * sizeof(support::StateHash)} {}

bool PhysicalMemory::read(Spa address, std::span<uint8_t> bytes) const {
  if (!contains(address, bytes.size())) return false;
  if (!bytes.empty()) std::memcpy(bytes.data(), bytes_ + address.value(), bytes.size());
  return true;
}

bool PhysicalMemory::write(Spa address, std::span<const uint8_t> bytes) {
  if (!contains(address, bytes.size())) return false;
  if (bytes.empty()) return true;
  before_write(address, bytes.size());
  std::memcpy(bytes_ + address.value(), bytes.data(), bytes.size());
  return true;
}

bool PhysicalMemory::fill(Spa address, uint64_t bytes, uint8_t value) {
  if (!contains(address, bytes)) return false;
  if (bytes == 0) return true;
  before_write(address, bytes);
  std::memset(bytes_ + address.value(), value, bytes);
  return true;
}

bool PhysicalMemory::make_code(uint64_t page) {
  CHECK(page < page_count());
  if (test(code_pages_, page)) return false;
  set(code_pages_, page);
  announce(page, PageState::Code);
  return true;
}

bool PhysicalMemory::make_data(uint64_t page) {
  CHECK(page < page_count());
  if (!test(code_pages_, page)) return false;
  clear(code_pages_, page);
  announce(page, PageState::Data);
  return true;
}

void PhysicalMemory::announce(uint64_t page, PageState state) {
  ++code_epoch_;
  for (Pending& pending : consumers_) {
    if (!pending.active) continue;
    if (!test(pending.became_data, page) && !test(pending.became_code, page)) {
      pending.pages.push_back(page);
    }
    set(state == PageState::Data ? pending.became_data : pending.became_code, page);
  }
}

PhysicalMemory::CodeConsumer PhysicalMemory::add_code_consumer() {
  CodeConsumer consumer = 0;
  while (consumer < consumers_.size() && consumers_[consumer].active)
    ++consumer;
  if (consumer == consumers_.size()) consumers_.emplace_back();
  consumers_[consumer] = {true, {}, Bitmap(code_pages_.size()), Bitmap(code_pages_.size())};
  return consumer;
}

void PhysicalMemory::remove_code_consumer(CodeConsumer consumer) {
  CHECK(consumer < consumers_.size() && consumers_[consumer].active);
  consumers_[consumer] = {};
}

void PhysicalMemory::drain_code_invalidations(CodeConsumer consumer,
                                              std::vector<PageStateChange>& changes) {
  CHECK(consumer < consumers_.size() && consumers_[consumer].active);
  Pending& pending = consumers_[consumer];
  for (const uint64_t page : pending.pages) {
    changes.push_back({page, test(pending.became_data, page), test(pending.became_code, page)});
    clear(pending.became_data, page);
    clear(pending.became_code, page);
  }
  pending.pages.clear();
}

std::vector<uint64_t> PhysicalMemory::dirty_pages() const {
  Bitmap all = dirty_;
  for (size_t word = 0; word < all.size(); ++word)
    all[word] |= fresh_[word];
  std::vector<uint64_t> pages;
  for_each_bit(all, [&](uint64_t page) { pages.push_back(page); });
  return pages;
}

// Hands the fresh pages to all who keep account of them. Grants of W made before are forgotten: the
// next write to such a page must announce itself again. False if there was none.
bool PhysicalMemory::collect_dirty() {
  if (fresh_pages_.empty()) return false;
  for (const uint64_t page : fresh_pages_) {
    set(dirty_, page);
    set(unhashed_, page);
    for (DirtyLog& log : dirty_consumers_) {
      if (log.active) set(log.pages, page);
    }
    clear(fresh_, page);
  }
  fresh_pages_.clear();
  ++dirty_epoch_;
  return true;
}

void PhysicalMemory::clear_dirty() {
  (void)collect_dirty();
  dirty_.assign(dirty_.size(), 0);
}

PhysicalMemory::DirtyConsumer PhysicalMemory::add_dirty_consumer() {
  (void)collect_dirty();
  DirtyConsumer consumer = 0;
  while (consumer < dirty_consumers_.size() && dirty_consumers_[consumer].active)
    ++consumer;
  if (consumer == dirty_consumers_.size()) dirty_consumers_.emplace_back();
  dirty_consumers_[consumer] = {true, Bitmap(fresh_.size())};
  return consumer;
}

void PhysicalMemory::remove_dirty_consumer(DirtyConsumer consumer) {
  CHECK(consumer < dirty_consumers_.size() && dirty_consumers_[consumer].active);
  dirty_consumers_[consumer] = {};
}

void PhysicalMemory::drain_dirty(DirtyConsumer consumer, std::vector<uint64_t>& pages) {
  CHECK(consumer < dirty_consumers_.size() && dirty_consumers_[consumer].active);
  (void)collect_dirty();
  Bitmap& log = dirty_consumers_[consumer].pages;
  pages.clear();
  for_each_bit(log, [&](uint64_t page) { pages.push_back(page); });
  for (const uint64_t page : pages)
    log[page / 64] = 0;
}

std::vector<uint64_t> PhysicalMemory::pages_in_use() {
  (void)hash();  // a page of zeros hashes to zero
  const auto* const hashes = static_cast<const support::StateHash*>(page_hashes_.data());
  std::vector<uint64_t> pages;
  for (uint64_t page = 0; page < page_count(); ++page) {
    if (hashes[page] != support::StateHash{}) pages.push_back(page);
  }
  return pages;
}

void PhysicalMemory::restore_page(uint64_t page, const uint8_t* bytes) {
  CHECK(page < page_count());
  static constexpr std::array<uint8_t, abi::page_size> zeros{};
  if (bytes == nullptr) bytes = zeros.data();
  uint8_t* const to = bytes_ + page * abi::page_size;
  if (test(code_pages_, page)) {
    if (std::memcmp(to, bytes, abi::page_size) == 0) return;  // what was translated still holds
    make_data(page);
  }
  set_fresh(page);
  std::memcpy(to, bytes, abi::page_size);
}

support::StateHash PhysicalMemory::hash() {
  (void)collect_dirty();
  auto* const hashes = static_cast<support::StateHash*>(page_hashes_.data());
  for_each_bit(unhashed_, [&](uint64_t page) {
    const support::StateHash now = support::hash_page(page, bytes_ + page * abi::page_size);
    hash_ -= hashes[page];
    hash_ += now;
    hashes[page] = now;
  });
  unhashed_.assign(unhashed_.size(), 0);
  return hash_;
}

}  // namespace mmu
