#include "sim/support/state_hash.h"

#include <array>
#include <bit>
#include <set>
#include <string_view>
#include <vector>

#include "sim/support/prng.h"
#include "tests/support/catch.h"

using support::hash_page;
using support::StateHash;
using support::StateHasher;

namespace {

using Page = std::array<uint8_t, 4096>;

int distance(const StateHash& a, const StateHash& b) {
  return std::popcount(a.low ^ b.low) + std::popcount(a.high ^ b.high);
}

}  // namespace

TEST_CASE("a hash tells order, boundaries and length of fields apart") {
  using namespace std::string_view_literals;
  std::set<StateHash> hashes;
  hashes.insert(StateHasher{}.finish());
  hashes.insert(StateHasher{}.add(0).finish());
  hashes.insert(StateHasher{}.add(0).add(0).finish());
  hashes.insert(StateHasher{}.add(1).add(2).finish());
  hashes.insert(StateHasher{}.add(2).add(1).finish());
  hashes.insert(StateHasher{}.add("ab"sv).finish());
  hashes.insert(StateHasher{}.add("a"sv).add("b"sv).finish());
  hashes.insert(StateHasher{}.add("ab\0"sv).finish());
  EXPECT(hashes.size() == 8);
  EXPECT(StateHasher{}.add("airlock"sv).finish() == StateHasher{}.add("airlock"sv).finish());
}

TEST_CASE("the hash of a state never changes between versions of this program") {
  EXPECT(StateHasher{}.add(1).add(std::string_view{"vtl"}).finish().to_string() ==
         "3412f3bac1c1f9f63c97f97aa9789263");
  Page page{};
  page[100] = 7;
  EXPECT(hash_page(3, page.data()).to_string() == "5ea61a147bcf82027c12b721f9649c66");
}

TEST_CASE("a page of zeros hashes to zero wherever it is") {
  const Page page{};
  EXPECT(hash_page(0, page.data()) == StateHash{});
  EXPECT(hash_page(12345, page.data()) == StateHash{});
}

TEST_CASE("each bit of a page changes about half of its hash") {
  support::Prng prng{11, "page"};
  Page page{};
  prng.fill(page);
  const StateHash before = hash_page(9, page.data());
  int total = 0;
  int trials = 0;
  for (size_t bit = 0; bit < 8 * page.size(); bit += 37) {
    page.at(bit / 8) ^= static_cast<uint8_t>(1u << (bit % 8));
    const int flipped = distance(before, hash_page(9, page.data()));
    EXPECT(flipped > 24);
    total += flipped;
    ++trials;
    page.at(bit / 8) ^= static_cast<uint8_t>(1u << (bit % 8));
  }
  EXPECT(total > trials * 60);
  EXPECT(total < trials * 68);
  EXPECT(hash_page(9, page.data()) == before);
}

TEST_CASE("pages that differ in one small number or in their place never collide") {
  std::set<StateHash> hashes;
  Page page{};
  for (unsigned value = 1; value < 200; ++value) {
    for (const size_t at : {0u, 8u, 16u, 24u, 64u, 4088u}) {
      page = {};
      page.at(at) = static_cast<uint8_t>(value);
      hashes.insert(hash_page(1, page.data()));
      hashes.insert(hash_page(2, page.data()));
    }
  }
  EXPECT(hashes.size() == 199u * 6 * 2);
}

TEST_CASE("the sum of a set does not depend on the order in which members were exchanged") {
  Page a{};
  Page b{};
  a[1] = 1;
  b[2] = 2;
  StateHash one;
  one += hash_page(1, a.data());
  one += hash_page(2, b.data());
  StateHash other;
  other += hash_page(2, a.data());
  other += hash_page(1, a.data());
  other -= hash_page(2, a.data());
  other += hash_page(2, b.data());
  EXPECT(one == other);
}

TEST_CASE("a hash prints as 32 hexadecimal digits, high half first") {
  EXPECT(StateHash{0xff, 1}.to_string() == "000000000000000100000000000000ff");
}
