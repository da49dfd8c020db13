#pragma once
// What a state is called: 128 bits that are equal exactly when the state is, for all that a run can
// tell. Against accidents, not adversaries. Equal on every host and build; defined by order of
// words, never by addresses.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "sim/support/state_fields.h"

namespace support {

struct StateHash {
  uint64_t low{}, high{};
  STATE_FIELDS(low, high)
  friend constexpr bool operator==(const StateHash&, const StateHash&) = default;
  friend constexpr auto operator<=>(const StateHash&, const StateHash&) = default;

  /// The hash of a set is the sum of the hashes of its keyed members, so that one member can be
  /// exchanged.
  constexpr StateHash& operator+=(const StateHash& other) {
    low += other.low;
    high += other.high;
    return *this;
  }
  constexpr StateHash& operator-=(const StateHash& other) {
    low -= other.low;
    high -= other.high;
    return *this;
  }
  /// 32 hexadecimal digits, high half first.
  [[nodiscard]] std::string to_string() const;
};

/// Hash of a sequence of fields. Order and boundaries count: add("ab") differs from add("a"),
/// add("b").
class StateHasher {
 public:
  StateHasher& add(uint64_t value);
  StateHasher& add(std::span<const uint8_t> bytes);
  StateHasher& add(std::string_view text);
  StateHasher& add(const StateHash& hash) { return add(hash.low).add(hash.high); }
  /// May be called at any time; adding goes on afterwards.
  [[nodiscard]] StateHash finish() const;

 private:
  uint64_t a_{0x243f6a8885a308d3}, b_{0x13198a2e03707344};
  uint64_t words_{};
};

/// Hash of one 4096-byte page as the member `page_number` of memory. A page of zeros hashes to zero
/// wherever it is: a page that was never touched and one that was cleared are the same.
[[nodiscard]] StateHash hash_page(uint64_t page_number, const uint8_t* page);

}  // namespace support
