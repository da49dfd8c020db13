#pragma once
// Whether an instruction carries a secure call or does its work, by the symbols of the images.
#include <cstdint>
#include <vector>

#include "sim/loader/image_catalog.h"
#include "sim/trace/record.h"

namespace timing {

enum class Phase : uint8_t {
  Work,
  Marshalling,
  NewCall,   ///< marshalling, and this instruction is the first of a new call
  Between,   ///< in no image, such as the hypercall page: belongs to what was before it
};

/// `images` must be kept up to date by somebody who hears ImageLoaded events. Answers are kept by address until forget().
class Phases {
 public:
  explicit Phases(const loader::ImageCatalog& images);
  [[nodiscard]] Phase of(const trace::InstructionRecord& record);
  /// After an image was loaded or unloaded.
  void forget();
  /// Some function of phases.def was seen: without symbols none ever is, and everything counts as work.
  [[nodiscard]] bool has_symbols() const { return has_symbols_; }

 private:
  struct Line {
    uint64_t rip{~uint64_t{0}}, cr3{};
    Phase phase{};
  };
  [[nodiscard]] Phase look_up(const trace::InstructionRecord& record);

  const loader::ImageCatalog& images_;
  std::vector<Line> lines_;
  bool has_symbols_{};
};

}  // namespace timing
