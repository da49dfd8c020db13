#pragma once
// Versions of memory that share the pages which are equal in them.
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "mmu/physical_memory.h"

namespace machine {

/// Numbered slots that are used again when nobody refers to them any more. Number 0 is never given out.
template <class Item>
class SharedSlots {
 public:
  /// A slot with one user; its content is what the last one left.
  uint32_t allocate() {
    if (free_.empty()) {
      items_.emplace_back();
      users_.push_back(1);
      return static_cast<uint32_t>(items_.size());
    }
    const uint32_t number = free_.back();
    free_.pop_back();
    users_[number - 1] = 1;
    return number;
  }
  void retain(uint32_t number) {
    if (number != 0) ++users_[number - 1];
  }
  /// True if that was the last user: the caller then releases what the item refers to.
  bool release(uint32_t number) {
    if (number == 0 || --users_[number - 1] != 0) return false;
    free_.push_back(number);
    return true;
  }
  [[nodiscard]] Item& operator[](uint32_t number) { return items_[number - 1]; }
  [[nodiscard]] const Item& operator[](uint32_t number) const { return items_[number - 1]; }
  [[nodiscard]] size_t used() const { return items_.size() - free_.size(); }

 private:
  std::vector<Item> items_;
  std::vector<uint32_t> users_, free_;
};

/// Memory at several instants. A version is a table of tables of pages; versions share tables and pages, so that one
/// more costs what was written since the one before it.
class PageStore {
 public:
  using Version = uint32_t;  ///< 0: none
  explicit PageStore(uint64_t page_count) : groups_{(page_count + group_pages - 1) / group_pages} {}

  /// Memory as it is now; `pages`, ascending, are those that may differ from `base` (0: from all zeros).
  [[nodiscard]] Version capture(Version base, std::span<const uint64_t> pages, const mmu::PhysicalMemory& memory);
  void retain(Version version) { versions_.retain(version); }
  void release(Version version);

  /// The bytes of a page, or null if it is all zeros.
  [[nodiscard]] const uint8_t* page(Version version, uint64_t page) const;
  /// Replaces `pages` by the ascending numbers of those that are not the same page in both.
  void differences(Version a, Version b, std::vector<uint64_t>& pages) const;
  /// Held by versions that are in use.
  [[nodiscard]] size_t bytes() const;

 private:
  static constexpr uint64_t group_pages = 64;
  struct alignas(64) Bytes : std::array<uint8_t, abi::page_size> {};  ///< aligned, because copying it is what a jump costs
  using Page = std::unique_ptr<Bytes>;
  using Group = std::array<uint32_t, group_pages>;

  [[nodiscard]] uint32_t changed_group(uint32_t old, uint64_t first_page, std::span<const uint64_t> pages,
                                       const mmu::PhysicalMemory& memory);
  [[nodiscard]] uint32_t changed_page(uint32_t old, const uint8_t* bytes);
  void release_group(uint32_t group);
  void release_page(uint32_t page);

  size_t groups_;
  SharedSlots<Page> pages_;
  SharedSlots<Group> tables_;
  SharedSlots<std::vector<uint32_t>> versions_;
};

}  // namespace machine
