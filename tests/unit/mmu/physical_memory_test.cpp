#include "mmu/physical_memory.h"

#include <array>
#include <numeric>
#include <vector>

#include "sim/support/prng.h"
#include "tests/support/catch.h"

using abi::Spa;
using mmu::PageState;
using mmu::PageStateChange;
using mmu::PhysicalMemory;

namespace {

constexpr uint64_t page_bytes = 4096;

std::vector<PageStateChange> drain(PhysicalMemory& memory, PhysicalMemory::CodeConsumer consumer) {
  std::vector<PageStateChange> changes;
  memory.drain_code_invalidations(consumer, changes);
  return changes;
}

}  // namespace

TEST_CASE("memory is zero, and what is outside of it is refused without overflow") {
  PhysicalMemory memory{16 * page_bytes};
  EXPECT(memory.size() == 16 * page_bytes);
  EXPECT(memory.page_count() == 16);
  EXPECT(memory.read<uint64_t>(Spa{0x8ff8}) == 0);
  EXPECT(memory.contains(Spa{0}, memory.size()));
  EXPECT(memory.contains(Spa{memory.size() - 1}, 1));
  EXPECT(!memory.contains(Spa{memory.size()}, 0));
  EXPECT(!memory.contains(Spa{memory.size() - 1}, 2));
  EXPECT(!memory.contains(Spa{~uint64_t{0}}, 2));
  EXPECT(!memory.contains(Spa{8}, ~uint64_t{0}));
  EXPECT(memory.page_pointer(Spa{memory.size()}) == nullptr);
  EXPECT(memory.page_pointer(Spa{0x1234}) == memory.data() + 0x1000);
}

TEST_CASE("a copy that leaves RAM copies nothing") {
  PhysicalMemory memory{2 * page_bytes};
  std::array<uint8_t, 16> bytes{};
  bytes.fill(0xaa);
  EXPECT(!memory.write(Spa{2 * page_bytes - 8}, std::span<const uint8_t>{bytes}));
  EXPECT(memory.read<uint64_t>(Spa{2 * page_bytes - 8}) == 0);
  EXPECT(memory.dirty_pages().empty());
  EXPECT(!memory.read(Spa{2 * page_bytes - 8}, bytes));
  EXPECT(bytes[0] == 0xaa);
  EXPECT(!memory.fill(Spa{1}, 2 * page_bytes, 1));
  EXPECT(memory.write(Spa{page_bytes - 8}, std::span<const uint8_t>{bytes}));
  EXPECT(memory.dirty_pages() == std::vector<uint64_t>{0, 1});
}

TEST_CASE("writes of every kind mark their pages dirty, reads do not") {
  PhysicalMemory memory{300 * page_bytes};
  memory.write<uint32_t>(Spa{5 * page_bytes - 2}, 1);  // pages 4 and 5
  EXPECT(memory.fill(Spa{70 * page_bytes}, 2 * page_bytes, 3));
  memory.mark_dirty(299);
  (void)memory.read<uint64_t>(Spa{100 * page_bytes});
  EXPECT(memory.dirty_pages() == std::vector<uint64_t>{4, 5, 70, 71, 299});
  const uint64_t epoch = memory.dirty_epoch();
  memory.clear_dirty();
  EXPECT(memory.dirty_pages().empty());
  EXPECT(memory.dirty_epoch() != epoch);
}

TEST_CASE("each consumer of dirty pages has its own account, whoever else looks") {
  PhysicalMemory memory{300 * page_bytes};
  memory.write<uint8_t>(Spa{7 * page_bytes}, 1);
  const auto first = memory.add_dirty_consumer();
  std::vector<uint64_t> pages{99};
  memory.drain_dirty(first, pages);
  EXPECT(pages.empty());  // it was not there yet
  memory.mark_dirty(299);
  const auto second = memory.add_dirty_consumer();
  memory.write<uint8_t>(Spa{7 * page_bytes}, 2);
  (void)memory.hash();
  memory.clear_dirty();
  memory.drain_dirty(second, pages);
  EXPECT(pages == std::vector<uint64_t>{7});
  memory.drain_dirty(first, pages);
  EXPECT(pages == std::vector<uint64_t>{7, 299});
  memory.drain_dirty(first, pages);
  EXPECT(pages.empty());
  const uint64_t epoch = memory.dirty_epoch();
  memory.drain_dirty(second, pages);
  EXPECT(memory.dirty_epoch() == epoch);  // nothing new: no grant of W is forgotten
  memory.mark_dirty(8);
  memory.drain_dirty(second, pages);
  EXPECT(memory.dirty_epoch() != epoch);
  memory.remove_dirty_consumer(first);
  EXPECT(memory.add_dirty_consumer() == first);  // with a clean account
  memory.drain_dirty(first, pages);
  EXPECT(pages.empty());
}

TEST_CASE("a restored page is a write: it is dirty, and code is discarded only if it changes") {
  PhysicalMemory memory{8 * page_bytes};
  const auto engine = memory.add_code_consumer();
  const auto dirty = memory.add_dirty_consumer();
  memory.write<uint64_t>(Spa{2 * page_bytes}, 5);
  memory.make_code(2);
  std::array<uint8_t, page_bytes> content{};
  content[0] = 5;
  std::vector<mmu::PageStateChange> changes;
  memory.drain_code_invalidations(engine, changes);
  changes.clear();
  memory.restore_page(2, content.data());
  EXPECT(memory.state(2) == mmu::PageState::Code);
  content[1] = 6;
  memory.restore_page(2, content.data());
  EXPECT(memory.state(2) == mmu::PageState::Data);
  memory.drain_code_invalidations(engine, changes);
  REQUIRE(changes.size() == 1);
  EXPECT(changes[0].became_data);
  EXPECT(memory.read<uint16_t>(Spa{2 * page_bytes}) == 0x605);
  EXPECT(memory.pages_in_use() == std::vector<uint64_t>{2});
  memory.restore_page(2, nullptr);
  EXPECT(memory.pages_in_use().empty());
  EXPECT(memory.hash() == support::StateHash{});
  std::vector<uint64_t> pages;
  memory.drain_dirty(dirty, pages);
  EXPECT(pages == std::vector<uint64_t>{2});
}

TEST_CASE("a write of no bytes changes nothing") {
  PhysicalMemory memory{page_bytes};
  EXPECT(memory.write(Spa{0}, std::span<const uint8_t>{}));
  EXPECT(memory.fill(Spa{0}, 0, 1));
  EXPECT(memory.dirty_pages().empty());
}

TEST_CASE("the hash is a function of content alone, however it came about") {
  PhysicalMemory a{64 * page_bytes};
  PhysicalMemory b{64 * page_bytes};
  EXPECT(a.hash() == support::StateHash{});
  a.write<uint64_t>(Spa{0x3000}, 7);
  a.write<uint64_t>(Spa{0x9000}, 8);
  (void)a.hash();
  a.write<uint64_t>(Spa{0x3000}, 9);
  b.write<uint64_t>(Spa{0x9000}, 8);
  b.write<uint64_t>(Spa{0x20000}, 1);
  b.write<uint64_t>(Spa{0x3000}, 9);
  EXPECT(a.hash() != b.hash());
  b.write<uint64_t>(Spa{0x20000}, 0);
  EXPECT(a.hash() == b.hash());
}

TEST_CASE("equal pages in other places give other hashes") {
  PhysicalMemory a{64 * page_bytes};
  PhysicalMemory b{64 * page_bytes};
  a.write<uint64_t>(Spa{0x3000}, 7);
  b.write<uint64_t>(Spa{0x4000}, 7);
  EXPECT(a.hash() != b.hash());
}

TEST_CASE("the incremental hash equals that of a memory written at once") {
  support::Prng prng{2026, "memory"};
  PhysicalMemory grown{128 * page_bytes};
  for (int i = 0; i < 2000; ++i) {
    grown.write(Spa{8 * prng.below(128 * page_bytes / 8)}, prng.next());
    if (prng.one_in(10)) (void)grown.hash();
  }
  PhysicalMemory copied{128 * page_bytes};
  EXPECT(copied.write(Spa{0}, std::span<const uint8_t>{grown.data(), grown.size()}));
  EXPECT(grown.hash() == copied.hash());
}

TEST_CASE(
    "a direct write that was announced by mark_dirty reaches the hash, and hashing moves the "
    "epoch") {
  PhysicalMemory memory{8 * page_bytes};
  memory.write<uint64_t>(Spa{0}, 1);
  const auto before = memory.hash();
  const uint64_t epoch = memory.dirty_epoch();
  EXPECT(memory.hash() == before);
  EXPECT(memory.dirty_epoch() == epoch);  // nothing was pending: no grant of W is forgotten
  memory.mark_dirty(3);
  memory.data()[3 * page_bytes + 5] = 1;
  EXPECT(memory.hash() != before);
  EXPECT(memory.dirty_epoch() != epoch);
}

TEST_CASE("the dirty pages of checkpoints and of the hash are kept apart") {
  PhysicalMemory memory{8 * page_bytes};
  memory.write<uint64_t>(Spa{0x1000}, 1);
  (void)memory.hash();
  EXPECT(memory.dirty_pages() == std::vector<uint64_t>{1});
  memory.write<uint64_t>(Spa{0x2000}, 1);
  memory.clear_dirty();
  PhysicalMemory same{8 * page_bytes};
  same.write<uint64_t>(Spa{0x1000}, 1);
  same.write<uint64_t>(Spa{0x2000}, 1);
  EXPECT(memory.hash() == same.hash());
}

TEST_CASE("a host write to a code page makes it data and tells every consumer once") {
  PhysicalMemory memory{8 * page_bytes};
  const auto first = memory.add_code_consumer();
  EXPECT(memory.make_code(2));
  EXPECT(!memory.make_code(2));
  const auto second = memory.add_code_consumer();
  const uint64_t epoch = memory.code_epoch();

  memory.write<uint16_t>(Spa{2 * page_bytes - 1}, 0xffff);  // its last byte falls into page 2
  EXPECT(memory.state(2) == PageState::Data);
  EXPECT(memory.code_epoch() != epoch);
  memory.write<uint16_t>(Spa{2 * page_bytes}, 0xffff);

  const auto at_first = drain(memory, first);
  REQUIRE(at_first.size() == 1);
  EXPECT(at_first[0].page == 2);
  EXPECT(at_first[0].became_code);
  EXPECT(at_first[0].became_data);
  const auto at_second = drain(memory, second);  // it came after the page had become code
  REQUIRE(at_second.size() == 1);
  EXPECT(!at_second[0].became_code);
  EXPECT(at_second[0].became_data);
  EXPECT(drain(memory, first).empty());
  EXPECT(drain(memory, second).empty());
}

TEST_CASE("a page that was written and became code again still counts as written") {
  PhysicalMemory memory{8 * page_bytes};
  memory.make_code(3);
  const auto consumer = memory.add_code_consumer();
  memory.make_data(3);
  memory.make_code(3);
  const auto changes = drain(memory, consumer);
  REQUIRE(changes.size() == 1);
  EXPECT(changes[0].became_data);
  EXPECT(changes[0].became_code);
  EXPECT(memory.state(3) == PageState::Code);
}

TEST_CASE("consumers may go and their numbers be used again") {
  PhysicalMemory memory{8 * page_bytes};
  const auto first = memory.add_code_consumer();
  const auto second = memory.add_code_consumer();
  EXPECT(first != second);
  memory.make_code(1);
  memory.remove_code_consumer(first);
  memory.make_code(4);
  const auto third = memory.add_code_consumer();
  EXPECT(third == first);
  EXPECT(drain(memory, third).empty());
  const auto changes = drain(memory, second);
  REQUIRE(changes.size() == 2);
  EXPECT(changes[0].page == 1);
  EXPECT(changes[1].page == 4);
}
