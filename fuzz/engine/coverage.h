#pragma once
// What was covered, in words of images: for reports, drcov files and annotated listings.
#include <span>
#include <string>
#include <vector>

#include "sim/cpu/block_coverage.h"
#include "sim/machine/machine.h"
#include "sim/support/events.h"

namespace fuzzing {

/// An image where a VTL has it.
struct LoadedImage {
  std::string name;
  abi::hv::Vtl vtl{};
  uint64_t base{}, size{};
  uint64_t cr3{};  ///< of who loaded it
};

/// The images of a machine, as it tells of them.
class ImageMap {
 public:
  void on(const support::Event& event);
  /// Null: no image of that VTL is there. Of several (trustlets have their own address spaces) the first that was loaded.
  [[nodiscard]] const LoadedImage* find(abi::hv::Vtl vtl, uint64_t address) const;
  [[nodiscard]] const std::vector<LoadedImage>& all() const { return images_; }

 private:
  std::vector<LoadedImage> images_;
};

/// A block of an image, or, without a name, of whatever is at a linear address.
struct CoveredBlock {
  std::string image;
  abi::hv::Vtl vtl{};
  uint64_t offset{};  ///< RVA, or the linear address where no image is
  uint32_t size{};    ///< up to the end of the next control transfer, or another covered block; 0: not readable now
  friend auto operator<=>(const CoveredBlock&, const CoveredBlock&) = default;
};

/// In the order of `entered`. The code must still be where it was: between two executions.
[[nodiscard]] std::vector<CoveredBlock> resolve(const machine::Machine& machine, const ImageMap& images,
                                                std::span<const cpu::GuestBlock> entered);

}  // namespace fuzzing
