#pragma once
// A PE image as it lies in memory.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sim/loader/pe_image.h"

namespace loader {

/// Pages of the mapped image with equal protection: the headers (read only) or one section.
struct MappedRange {
  uint32_t rva{};
  uint32_t size{};  ///< whole pages
  bool writable{}, executable{};
  std::string name;
};

struct MappedImage {
  uint64_t base{};
  uint64_t entry{};                 ///< address of the entry point; 0 if the image has none
  std::vector<uint8_t> bytes;       ///< SizeOfImage rounded up to whole pages
  std::vector<MappedRange> ranges;  ///< ascending
};

/// Lays headers and sections out by page and rebases the image to `base` (a multiple of 64 KiB).
/// Refuses sections that share a page, a base without relocations other than the preferred one, and
/// malformed relocations.
[[nodiscard]] support::Result<MappedImage> map_image(const PeImage& image, uint64_t base);

}  // namespace loader
