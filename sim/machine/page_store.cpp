#include "sim/machine/page_store.h"

#include <cstring>

namespace machine {
namespace {

constexpr std::array<uint8_t, abi::page_size> zeros{};

}  // namespace

/// The slot for a page with these bytes: the old one if they are the same.
uint32_t PageStore::changed_page(uint32_t old, const uint8_t* bytes) {
  const uint8_t* const before = old == 0 ? zeros.data() : pages_[old]->data();
  if (std::memcmp(before, bytes, abi::page_size) == 0) {
    pages_.retain(old);
    return old;
  }
  if (std::memcmp(zeros.data(), bytes, abi::page_size) == 0) return 0;
  const uint32_t page = pages_.allocate();
  if (pages_[page] == nullptr) pages_[page] = std::make_unique<Bytes>();
  std::memcpy(pages_[page]->data(), bytes, abi::page_size);
  return page;
}

uint32_t PageStore::changed_group(uint32_t old, uint64_t first_page, std::span<const uint64_t> pages,
                                  const mmu::PhysicalMemory& memory) {
  Group group{};
  if (old != 0) group = tables_[old];
  for (const uint32_t page : group) pages_.retain(page);
  for (const uint64_t page : pages) {
    uint32_t& slot = group[page - first_page];
    const uint32_t next = changed_page(slot, memory.data() + page * abi::page_size);
    release_page(slot);
    slot = next;
  }
  const uint32_t table = tables_.allocate();
  tables_[table] = group;
  return table;
}

PageStore::Version PageStore::capture(Version base, std::span<const uint64_t> pages,
                                      const mmu::PhysicalMemory& memory) {
  const Version version = versions_.allocate();
  std::vector<uint32_t>& tables = versions_[version];
  if (base == 0) tables.assign(groups_, 0);
  else tables = versions_[base];
  for (const uint32_t table : tables) tables_.retain(table);
  while (!pages.empty()) {
    const uint64_t number = pages.front() / group_pages;
    size_t count = 1;
    while (count < pages.size() && pages[count] / group_pages == number) ++count;
    const uint32_t old = tables[number];
    tables[number] = changed_group(old, number * group_pages, pages.first(count), memory);
    release_group(old);
    pages = pages.subspan(count);
  }
  return version;
}

void PageStore::release_page(uint32_t page) { (void)pages_.release(page); }

void PageStore::release_group(uint32_t group) {
  if (!tables_.release(group)) return;
  for (const uint32_t page : tables_[group]) release_page(page);
}

void PageStore::release(Version version) {
  if (!versions_.release(version)) return;
  for (const uint32_t table : versions_[version]) release_group(table);
}

const uint8_t* PageStore::page(Version version, uint64_t page) const {
  const uint32_t table = versions_[version][page / group_pages];
  const uint32_t slot = table == 0 ? 0 : tables_[table][page % group_pages];
  return slot == 0 ? nullptr : pages_[slot]->data();
}

void PageStore::differences(Version a, Version b, std::vector<uint64_t>& pages) const {
  pages.clear();
  if (a == b) return;
  static constexpr Group empty{};
  for (size_t i = 0; i < groups_; ++i) {
    const uint32_t in_a = versions_[a][i], in_b = versions_[b][i];
    if (in_a == in_b) continue;
    const Group& group_a = in_a == 0 ? empty : tables_[in_a];
    const Group& group_b = in_b == 0 ? empty : tables_[in_b];
    for (size_t j = 0; j < group_pages; ++j) {
      if (group_a[j] != group_b[j]) pages.push_back(i * group_pages + j);
    }
  }
}

size_t PageStore::bytes() const {
  return pages_.used() * abi::page_size + tables_.used() * sizeof(Group) + versions_.used() * groups_ * sizeof(uint32_t);
}

}  // namespace machine
