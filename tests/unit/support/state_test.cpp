// The one mechanism by which state is saved, restored, hashed and compared.
#include "tests/support/catch.h"

#include <algorithm>
#include <memory>

#include "sim/support/prng.h"
#include "sim/support/state.h"

namespace {

using support::NamedState;
using support::StateReader;

enum class Colour : uint8_t { Red, Green };
struct Flags {
  uint32_t raw{};
};

struct Inner {
  uint16_t number{};
  bool flag{};
  STATE_FIELDS(number, flag)
};

struct Word {
  uint64_t low{}, high{};
  static constexpr bool state_is_plain = true;
  STATE_FIELDS(low, high)
};

/// One member of every kind.
struct Everything {
  int* host{};
  uint64_t integer{};
  Colour colour{};
  Flags flags;
  abi::Gpa address;
  support::Instant instant;
  std::array<uint32_t, 3> words{};
  std::array<Inner, 2> inners{};
  std::vector<uint8_t> bytes;
  std::vector<Inner> list;
  std::vector<Word> plain;
  std::string text;
  std::optional<Inner> maybe;
  std::unique_ptr<Inner> part;

  template <class Visitor, class Self>
  static void visit_state(Visitor& visit, Self& self) {
    auto& [host, integer, colour, flags, address, instant, words, inners, bytes, list, plain, text, maybe, part] = self;
    visit.host(host)("integer", integer)("colour", colour)("flags", flags)("address", address)("instant", instant);
    visit("words", words)("inners", inners)("bytes", bytes)("list", list)("plain", plain)("text", text);
    visit("maybe", maybe).object("part", part, [] { return std::make_unique<Inner>(); }, [](Inner&) {});
    visit.require(text != "forbidden", "a forbidden text");
  }
};

Everything filled() {
  Everything all;
  all.integer = 0x1122334455667788;
  all.colour = Colour::Green;
  all.flags.raw = 7;
  all.address = abi::Gpa{0x5000};
  all.instant = {99};
  all.words = {1, 2, 3};
  all.inners[1] = {5, true};
  all.bytes = {9, 8, 7};
  all.list = {{1, true}, {2, false}};
  all.plain = {{3, 4}};
  all.text = "hello";
  all.maybe = Inner{6, false};
  all.part = std::make_unique<Inner>(Inner{10, true});
  return all;
}

template <class T>
std::vector<uint8_t> written(const T& value) {
  std::vector<uint8_t> bytes;
  support::StateWriter{bytes}.visit(value);
  return bytes;
}

std::vector<NamedState> named(const Everything& value) {
  support::StateNames names;
  names.visit(value);
  return names.fields();
}

template <class T>
std::string error_of(std::span<const uint8_t> bytes, T& into) {
  StateReader reader{bytes};
  reader.visit(into);
  const support::Status status = reader.finish();
  return status.ok() ? std::string{} : status.error().message;
}

}  // namespace

TEST_CASE("what was written is read back, in every kind of member") {
  const Everything all = filled();
  const std::vector<uint8_t> bytes = written(all);
  int host = 0;
  Everything other;
  other.host = &host;
  other.list.resize(9);
  other.bytes.resize(9);
  EXPECT(error_of(bytes, other).empty());
  EXPECT(written(other) == bytes);
  EXPECT(support::hash_of(other) == support::hash_of(all));
  EXPECT(support::compare(named(all), named(other)).empty());
  EXPECT(other.host == &host);
  EXPECT(other.part->number == 10);
  // Parts that the state has not go away.
  Everything empty;
  EXPECT(error_of(written(empty), other).empty());
  EXPECT(other.part == nullptr);
  EXPECT(!other.maybe);
  EXPECT(other.list.empty());
}

TEST_CASE("every truncation is refused, and says where the bytes end") {
  const std::vector<uint8_t> bytes = written(filled());
  for (size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    Everything other;
    EXPECT(!error_of(std::span{bytes}.first(size), other).empty());
  }
  Everything other;
  EXPECT(error_of(std::span{bytes}.first(4), other) == "state: integer: the bytes end here (byte 0 of 4)");
  std::vector<uint8_t> longer = bytes;
  longer.push_back(0);
  EXPECT(error_of(longer, other) == "state: 1 bytes follow the last field");
}

TEST_CASE("a count that the bytes do not pay for allocates nothing") {
  std::vector<uint8_t> bytes(8, 0xff);
  bytes.resize(64);
  std::vector<Word> words;
  EXPECT(error_of(bytes, words) == "state: the whole: more elements than there are bytes (byte 8 of 64)");
  EXPECT(words.capacity() == 0);
  std::vector<uint8_t> few(8);
  few[0] = 7;  // 7 * 16 bytes, 96 are there
  few.resize(8 + 96);
  EXPECT(!error_of(few, words).empty());
}

TEST_CASE("values that cannot be are refused with the path") {
  Everything all = filled();
  all.text = "forbidden";
  Everything other;
  EXPECT(error_of(written(all), other).find("a forbidden text") != std::string::npos);
  std::vector<uint8_t> bytes = written(filled());
  // integer 8, colour 1, flags 4, address 8, instant 8, words 12, first inner 3: the second one's flag.
  bytes[8 + 1 + 4 + 8 + 8 + 12 + 3 + 2] = 2;
  EXPECT(error_of(bytes, other).starts_with("state: inners[1].flag: neither 0 nor 1"));
  const std::vector<uint8_t> zeros(32);
  support::Prng prng{1};
  EXPECT(error_of(zeros, prng).find("all zeros") != std::string::npos);
}

TEST_CASE("no bytes crash the reader") {
  const std::vector<uint8_t> bytes = written(filled());
  support::Prng prng{7, "hostile state"};
  for (int i = 0; i < 20'000; ++i) {
    std::vector<uint8_t> damaged = bytes;
    for (uint64_t changes = prng.between(1, 4); changes != 0; --changes)
      damaged[prng.below(damaged.size())] = static_cast<uint8_t>(prng.next());
    damaged.resize(prng.one_in(4) ? prng.below(damaged.size()) : damaged.size());
    Everything other;
    (void)error_of(damaged, other);
  }
}

TEST_CASE("a difference is named by its path, in every kind of member") {
  const auto difference = [](auto change) {
    Everything changed = filled();
    change(changed);
    const auto found = support::compare(named(filled()), named(changed));
    EXPECT(support::hash_of(changed) != support::hash_of(filled()));
    REQUIRE(!found.empty());
    return found[0].path + " " + found[0].a + " " + found[0].b;
  };
  EXPECT(difference([](Everything& all) { all.integer = 1; }) == "integer 0x1122334455667788 0x1");
  EXPECT(difference([](Everything& all) { all.colour = Colour::Red; }) == "colour 0x1 0x0");
  EXPECT(difference([](Everything& all) { all.flags.raw = 6; }) == "flags 0x7 0x6");
  EXPECT(difference([](Everything& all) { all.address = abi::Gpa{1}; }) == "address 0x5000 0x1");
  EXPECT(difference([](Everything& all) { all.instant = {98}; }) == "instant 0x63 0x62");
  EXPECT(difference([](Everything& all) { all.words[2] = 9; }) == "words[2] 0x3 0x9");
  EXPECT(difference([](Everything& all) { all.inners[1].number = 4; }) == "inners[1].number 0x5 0x4");
  EXPECT(difference([](Everything& all) { all.bytes[1] = 1; }) == "bytes[0x1] 0x08 0x01");
  EXPECT(difference([](Everything& all) { all.bytes.push_back(1); }) == "bytes.count 0x3 0x4");
  EXPECT(difference([](Everything& all) { all.plain[0].high = 1; }) == "plain[0].high 0x4 0x1");
  EXPECT(difference([](Everything& all) { all.list.pop_back(); }) == "list.count 0x2 0x1");
  EXPECT(difference([](Everything& all) { all.text = "hallo"; }) == "text[0x1] 0x65 0x61");
  EXPECT(difference([](Everything& all) { all.maybe->number = 0; }) == "maybe.number 0x6 0x0");
  EXPECT(difference([](Everything& all) { all.part->flag = false; }) == "part.flag 0x1 0x0");
  EXPECT(difference([](Everything& all) { all.part.reset(); }).starts_with("part 0x1 0x0"));
}
