#pragma once
// Pool of the secure kernel and its modules (S62: SKCI and CNG get their memory here).
#include "ke/base.h"

namespace sk {

extern "C" {
/// Zeroed memory, 16-byte aligned (page aligned from 2,049 bytes on); null when none is left. `tag` names the user.
void* SkAllocatePool(uint32_t type, size_t bytes, uint32_t tag);
/// Wipes and frees. Null is allowed.
void SkFreePool(void* block);
}

constexpr uint32_t pool_tag(const char (&text)[5]) {
  return static_cast<uint32_t>(text[0]) | static_cast<uint32_t>(text[1]) << 8 | static_cast<uint32_t>(text[2]) << 16 |
         static_cast<uint32_t>(text[3]) << 24;
}

/// A pool block that is freed when its owner leaves.
class PoolBuffer {
 public:
  PoolBuffer() = default;
  PoolBuffer(size_t bytes, uint32_t tag) : data_{static_cast<uint8_t*>(SkAllocatePool(0, bytes, tag))} {}
  PoolBuffer(const PoolBuffer&) = delete;
  PoolBuffer& operator=(const PoolBuffer&) = delete;
  ~PoolBuffer() { SkFreePool(data_); }
  uint8_t* data() const { return data_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  uint8_t* data_ = nullptr;
};

}  // namespace sk
