#pragma once
// Which virtual processors a call means: a mask of 64, or an HV_VP_SET (TLFS 7.8.7.3; section 2.10).
#include <bit>
#include <cstdint>
#include <span>

#include "abi/hv/status.h"
#include "abi/hv/structs.h"

namespace vtl {

class ProcessorSet {
 public:
  /// Bit n is VP n.
  explicit ProcessorSet(uint64_t mask) : valid_{1}, first_{mask} {}
  /// `banks` must outlive the set; the control word of the call says how many there are.
  ProcessorSet(const abi::hv::VpSet& set, std::span<const uint64_t> banks) : banks_{banks} {
    switch (set.format) {
      case abi::hv::vp_set_sparse_4k:
        valid_ = set.valid_banks;
        if (static_cast<size_t>(std::popcount(valid_)) != banks.size())
          status_ = abi::hv::HvStatus::InvalidHypercallInput;
        break;
      case abi::hv::vp_set_all:
        all_ = true;
        break;
      default:
        status_ = abi::hv::HvStatus::InvalidParameter;
    }
  }

  [[nodiscard]] abi::hv::HvStatus status() const { return status_; }
  [[nodiscard]] bool all() const { return all_; }
  [[nodiscard]] bool empty() const {
    if (all_ || first_ != 0) return false;
    for (const uint64_t bank : banks_) {
      if (bank != 0) return false;
    }
    return true;
  }
  [[nodiscard]] bool has(uint32_t vp) const {
    if (all_) return true;
    const uint32_t number = vp / 64;
    if (number >= 64 || ((valid_ >> number) & 1) == 0) return false;
    uint64_t bank = first_;
    if (!banks_.empty()) {
      const uint64_t below = valid_ & ((uint64_t{1} << number) - 1);
      bank = banks_[static_cast<size_t>(std::popcount(below))];
    }
    return ((bank >> (vp % 64)) & 1) != 0;
  }

 private:
  abi::hv::HvStatus status_{abi::hv::HvStatus::Success};
  uint64_t valid_{}, first_{};
  std::span<const uint64_t> banks_;
  bool all_{};
};

}  // namespace vtl
