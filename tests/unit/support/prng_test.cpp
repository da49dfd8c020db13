#include "sim/support/prng.h"
#include "sim/support/state.h"

#include <array>
#include <vector>

#include "tests/support/catch.h"

using support::Prng;

namespace {

std::vector<uint64_t> draw(Prng prng, size_t count) {
  std::vector<uint64_t> values;
  for (size_t i = 0; i < count; ++i)
    values.push_back(prng.next());
  return values;
}

}  // namespace

TEST_CASE(
    "a generator gives the same numbers for the same seed and stream, and others for others") {
  const auto first = draw(Prng{7, "disk"}, 16);
  EXPECT(first == draw(Prng{7, "disk"}, 16));
  EXPECT(first != draw(Prng{8, "disk"}, 16));
  EXPECT(first != draw(Prng{7, "rdrand"}, 16));

  std::array<uint8_t, 32> seed{};
  const auto by_bytes = draw(Prng{std::span<const uint8_t, 32>{seed}, "disk"}, 16);
  seed[31] = 1;
  EXPECT(by_bytes != draw(Prng{std::span<const uint8_t, 32>{seed}, "disk"}, 16));
}

TEST_CASE("the numbers of a seed never change between versions of this program") {
  Prng prng{1, "golden"};
  const std::array<uint64_t, 3> now{prng.next(), prng.next(), prng.next()};
  CAPTURE(now);
  EXPECT(now ==
         std::array<uint64_t, 3>{0xabc6c7adb1d6c262, 0xf69eabcef20676d1, 0xfaa5acda09e7cbb7});
}

TEST_CASE("a generator restored from its state goes on where it was") {
  Prng prng{3, "x"};
  prng.next();
  std::vector<uint8_t> bytes;
  support::StateWriter{bytes}.visit(prng);
  Prng other{99};
  support::StateReader reader{bytes};
  reader.visit(other);
  REQUIRE(reader.finish().ok());
  EXPECT(draw(prng, 8) == draw(other, 8));
}

TEST_CASE("below and between stay in their ranges and reach every value") {
  Prng prng{5};
  std::array<unsigned, 10> seen{};
  for (int i = 0; i < 10'000; ++i)
    ++seen.at(prng.below(10));
  for (const unsigned count : seen) {
    EXPECT(count > 800);
    EXPECT(count < 1200);
  }
  for (int i = 0; i < 1000; ++i) {
    const uint64_t value = prng.between(~uint64_t{0} - 2, ~uint64_t{0});
    EXPECT(value >= ~uint64_t{0} - 2);
  }
  EXPECT(prng.below(1) == 0);
  EXPECT(prng.between(4, 4) == 4);
  EXPECT(prng.between(0, ~uint64_t{0}) != prng.between(0, ~uint64_t{0}));
}

TEST_CASE("fill writes every byte, also of a length that is no multiple of eight") {
  for (size_t size = 0; size < 40; ++size) {
    std::array<unsigned, 40> changed{};
    for (unsigned seed = 0; seed < 8; ++seed) {
      std::vector<uint8_t> bytes(40, 0);
      Prng{seed}.fill(std::span{bytes}.first(size));
      for (size_t i = 0; i < bytes.size(); ++i)
        changed.at(i) += bytes[i] != 0;
    }
    for (size_t i = 0; i < changed.size(); ++i)
      EXPECT((changed.at(i) != 0) == (i < size));
  }
}
