#pragma once
// The bytes by SPA, which pages changed, and which pages hold code that some engine has translated.
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "mmu/access.h"
#include "mmu/zeroed_memory.h"
#include "sim/support/check.h"
#include "sim/support/state_hash.h"

namespace mmu {

/// W^X over all engines: a page is writable by guest code, or executable, never both at once.
enum class PageState : uint8_t { Data, Code };

/// What happened to a page since a consumer looked last; both may have.
struct PageStateChange {
  uint64_t page{};
  bool became_data{};  ///< it was written, or is about to be: discard translations of the page
  bool became_code{};  ///< discard grants of W to the page
};

/// One block of RAM, SPA [0, size), zero at first; pages never touched cost nothing, also to hash.
///
/// Engines write to it directly. Their duties, so that nothing escapes:
///  - before granting W to a page: make_data(page), then mark_dirty(page);
///  - before granting X to a page: make_code(page);
///  - before running: if code_epoch() moved, drain_code_invalidations() and discard what it names
///  (translations and the
///    engine's TLB); if dirty_epoch() moved, flush the engine's TLB, because grants of W made
///    before are no longer known.
class PhysicalMemory {
 public:
  /// `size` in bytes: a multiple of 4096, not 0.
  explicit PhysicalMemory(uint64_t size);

  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] uint64_t page_count() const { return size_ / abi::page_size; }
  /// [address, address + bytes) is RAM. Overflow-safe.
  [[nodiscard]] bool contains(Spa address, uint64_t bytes) const {
    return address.value() < size_ && bytes <= size_ - address.value();
  }

  /// The raw block. Who writes through it keeps the duties above.
  [[nodiscard]] uint8_t* data() { return bytes_; }
  [[nodiscard]] const uint8_t* data() const { return bytes_; }
  /// Start of the page that holds `address`, or null if it is not RAM.
  [[nodiscard]] uint8_t* page_pointer(Spa address) {
    return address.value() < size_ ? bytes_ + address.page_base().value() : nullptr;
  }
  [[nodiscard]] const uint8_t* page_pointer(Spa address) const {
    return address.value() < size_ ? bytes_ + address.page_base().value() : nullptr;
  }

  /// Little-endian value; contains(address, sizeof(T)) is the caller's to ensure (CHECK).
  template <class T>
  [[nodiscard]] T read(Spa address) const {
    static_assert(std::is_trivially_copyable_v<T>);
    CHECK(contains(address, sizeof(T)));
    T value;
    std::memcpy(&value, bytes_ + address.value(), sizeof(T));
    return value;
  }
  /// Host or device write: marks the pages dirty and makes them data.
  template <class T>
  void write(Spa address, T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    CHECK(contains(address, sizeof(T)));
    before_write(address, sizeof(T));
    std::memcpy(bytes_ + address.value(), &value, sizeof(T));
  }
  /// False, and nothing copied, if any byte is outside RAM.
  [[nodiscard]] bool read(Spa address, std::span<uint8_t> bytes) const;
  [[nodiscard]] bool write(Spa address, std::span<const uint8_t> bytes);
  [[nodiscard]] bool fill(Spa address, uint64_t bytes, uint8_t value);

  // --- Code pages (ARCHITECTURE section 5). Page numbers are SPA / 4096 and must be RAM (CHECK).
  [[nodiscard]] PageState state(uint64_t page) const {
    return test(code_pages_, page) ? PageState::Code : PageState::Data;
  }
  /// True if the state changed; then every consumer hears of it.
  bool make_code(uint64_t page);
  bool make_data(uint64_t page);

  using CodeConsumer = uint32_t;
  /// Each engine is a consumer; it starts with nothing to drain.
  [[nodiscard]] CodeConsumer add_code_consumer();
  void remove_code_consumer(CodeConsumer consumer);
  /// Moves with every state change.
  [[nodiscard]] uint64_t code_epoch() const { return code_epoch_; }
  /// Appends what changed since this consumer's last call, each page once, in the order of their
  /// first changes.
  void drain_code_invalidations(CodeConsumer consumer, std::vector<PageStateChange>& changes);

  // --- Dirty pages.
  void mark_dirty(uint64_t page) {
    CHECK(page < page_count());
    set_fresh(page);
  }
  /// Ascending numbers of the pages written since the last clear_dirty() (or ever).
  [[nodiscard]] std::vector<uint64_t> dirty_pages() const;
  void clear_dirty();
  using DirtyConsumer = uint32_t;
  /// Who wants to know what changed since it looked last, whoever else looks; it starts with nothing to drain.
  [[nodiscard]] DirtyConsumer add_dirty_consumer();
  void remove_dirty_consumer(DirtyConsumer consumer);
  /// Replaces `pages` by the ascending numbers of those written since this consumer's last call.
  void drain_dirty(DirtyConsumer consumer, std::vector<uint64_t>& pages);
  /// Pages that may have been written since dirty_epoch() moved, in no order: whoever has a grant of W to a page that is not
  /// among them announces itself before it writes.
  [[nodiscard]] const std::vector<uint64_t>& fresh_pages() const { return fresh_pages_; }
  /// Moves when grants of W made before are forgotten: whenever dirty pages are cleared, drained or hashed.
  [[nodiscard]] uint64_t dirty_epoch() const { return dirty_epoch_; }

  // --- Saving and restoring.
  /// Ascending numbers of the pages that are not all zeros.
  [[nodiscard]] std::vector<uint64_t> pages_in_use();
  /// Puts a page back to its 4096 `bytes`, or to zeros if null; as a write, if that changes a page of code.
  void restore_page(uint64_t page, const uint8_t* bytes);

  /// Hash of all of RAM, a function of its content only. Reads the pages dirtied since the last
  /// call.
  [[nodiscard]] support::StateHash hash();

 private:
  using Bitmap = std::vector<uint64_t>;
  static bool test(const Bitmap& map, uint64_t bit) { return (map[bit / 64] >> (bit % 64)) & 1; }
  static void set(Bitmap& map, uint64_t bit) { map[bit / 64] |= uint64_t{1} << (bit % 64); }
  static void clear(Bitmap& map, uint64_t bit) { map[bit / 64] &= ~(uint64_t{1} << (bit % 64)); }
  void set_fresh(uint64_t page) {
    if (test(fresh_, page)) return;
    set(fresh_, page);
    fresh_pages_.push_back(page);
  }
  void before_write(Spa address, uint64_t bytes) {
    const uint64_t last = (address.value() + bytes - 1) / abi::page_size;
    for (uint64_t page = address.page_number(); page <= last; ++page) {
      set_fresh(page);
      if (test(code_pages_, page)) make_data(page);
    }
  }
  void announce(uint64_t page, PageState state);
  bool collect_dirty();

  uint64_t size_{};
  ZeroedMemory ram_;
  uint8_t* bytes_{};
  Bitmap code_pages_;
  Bitmap fresh_;  ///< written since collect_dirty() told all who want to know:
  std::vector<uint64_t> fresh_pages_;  ///< the same as a list
  Bitmap dirty_, unhashed_;
  struct DirtyLog {
    bool active{};
    Bitmap pages;
  };
  std::vector<DirtyLog> dirty_consumers_;
  uint64_t dirty_epoch_{};

  struct Pending {
    bool active{};
    std::vector<uint64_t> pages;
    Bitmap became_data, became_code;
  };
  std::vector<Pending> consumers_;
  uint64_t code_epoch_{};

  ZeroedMemory page_hashes_;  ///< StateHash per page, as of the last hash()
  support::StateHash hash_;
};

}  // namespace mmu
