#pragma once
// Addresses that cannot be mixed up. Freestanding: included by the host and by every guest image.
#include <compare>
#include <stdint.h>

namespace abi {

/// Bytes of the smallest page of every translation stage (SDM vol. 3, 4.5).
inline constexpr uint64_t page_size = 4096;
inline constexpr uint64_t large_page_size = 2 * 1024 * 1024;
inline constexpr uint64_t huge_page_size = 1024 * 1024 * 1024;

/// An address in one address space. Two spaces never mix and no conversion exists except by
/// translation; the only arithmetic is address +/- bytes and address - address.
template <class Space>
class Address {
 public:
  constexpr Address() = default;
  constexpr explicit Address(uint64_t value) : value_{value} {}

  [[nodiscard]] constexpr uint64_t value() const { return value_; }
  [[nodiscard]] constexpr uint64_t page_number() const { return value_ / page_size; }
  [[nodiscard]] constexpr uint64_t page_offset() const { return value_ & (page_size - 1); }
  [[nodiscard]] constexpr Address page_base() const { return Address{value_ & ~(page_size - 1)}; }

  friend constexpr bool operator==(Address, Address) = default;
  friend constexpr auto operator<=>(Address a, Address b) = default;
  friend constexpr Address operator+(Address a, uint64_t bytes) { return Address{a.value_ + bytes}; }
  friend constexpr Address operator-(Address a, uint64_t bytes) { return Address{a.value_ - bytes}; }
  friend constexpr uint64_t operator-(Address a, Address b) { return a.value_ - b.value_; }

 private:
  uint64_t value_{};
};

/// Guest virtual address: what an instruction names.
using Gva = Address<struct GvaSpace>;
/// Guest physical address: what stage 1 yields, one space per partition (S8).
using Gpa = Address<struct GpaSpace>;
/// System physical address: what stage 2 yields, one space per machine (S8).
using Spa = Address<struct SpaSpace>;
static_assert(sizeof(Gva) == 8 && sizeof(Gpa) == 8 && sizeof(Spa) == 8);

}  // namespace abi
