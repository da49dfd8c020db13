#pragma once
// A kernel as `airlock run --kernel` takes it: where its bytes go and where it begins.
#include <cstdint>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/support/result.h"

namespace loader {

/// What a file was taken for.
enum class KernelFormat : uint8_t {
  Elf32,  ///< ELF with a Multiboot header
  Elf64,  ///< the same in 64-bit form; its entry is 32-bit code all the same
  Flat,   ///< Multiboot header with addresses (bit 16 of its flags)
  Raw,    ///< no header that we know: the whole file at 1 MiB
};

/// A piece of the file in memory; what follows its bytes up to `memory_size` is zero.
struct KernelSegment {
  uint32_t address{};
  Bytes bytes;  ///< of the file, which must outlive the image
  uint32_t memory_size{};
  [[nodiscard]] uint64_t end() const { return uint64_t{address} + memory_size; }
};

struct KernelImage {
  KernelFormat format{};
  uint32_t entry{};
  std::vector<KernelSegment> segments;  ///< in the order of the file; none is empty, none overlaps another
  /// The first address above all segments.
  [[nodiscard]] uint64_t end() const;
  [[nodiscard]] bool overlaps(uint64_t begin, uint64_t size) const;
};

inline constexpr uint32_t raw_kernel_address = 0x10'0000;
/// Segments of a kernel: programs headers beyond that many are refused.
inline constexpr size_t maximum_kernel_segments = 64;

}  // namespace loader
