#pragma once
// A large block of zeros that costs only what is touched.
#include <cstddef>
#include <cstdint>

namespace mmu {

/// Anonymous memory from the host's kernel, page-aligned, released with the object.
class ZeroedMemory {
 public:
  /// `size` > 0 bytes. Stops the run if the host has no address space for it.
  explicit ZeroedMemory(size_t size);
  ~ZeroedMemory();
  ZeroedMemory(const ZeroedMemory&) = delete;
  ZeroedMemory& operator=(const ZeroedMemory&) = delete;

  [[nodiscard]] void* data() const { return data_; }
  [[nodiscard]] size_t size() const { return size_; }

 private:
  void* data_;
  size_t size_;
};

}  // namespace mmu
