#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "sim/support/result.h"
#include "sim/support/state_hash.h"

namespace machine {

/// The bytes of a disk, read once at start. The file itself is never written.
class DiskImage {
 public:
  static constexpr uint32_t sector_size = 512;

  /// Reads a file of 1 sector to 1 GiB; a size that is no multiple of 512 is refused with the reason.
  static support::Result<DiskImage> open(const std::string& path);
  /// A disk of the bytes given, rounded up to whole sectors.
  explicit DiskImage(std::vector<uint8_t> bytes);

  /// What the disk is called: it is part of the configuration that a state fits.
  [[nodiscard]] support::StateHash hash() const;
  [[nodiscard]] uint64_t sectors() const { return bytes_.size() / sector_size; }
  /// The bytes of `count` sectors from `first`; empty when they are not all on the disk.
  [[nodiscard]] std::span<const uint8_t> read(uint64_t first, uint32_t count) const;

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace machine
