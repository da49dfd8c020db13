#pragma once
// A device behind I/O ports, and what it may use of the machine.
#include <cstdint>
#include <span>

#include "mmu/access.h"
#include "sim/support/events.h"
#include "sim/support/instant.h"
#include "sim/support/state_fields.h"
#include "vtl/virtual_processor.h"

namespace machine {

/// Memory as a device sees it: exactly VTL 0's rights (TLFS 15.14), plain memory on a bare machine.
class DmaBus {
 public:
  virtual ~DmaBus() = default;
  /// Copies from guest physical memory; false when a byte is not RAM or VTL 0 may not read it. Nothing is copied then.
  virtual bool dma_read(mmu::Gpa from, std::span<uint8_t> to) = 0;
  /// Copies to guest physical memory; false when a byte is not RAM or VTL 0 may not write it. Nothing is written then.
  virtual bool dma_write(mmu::Gpa to, std::span<const uint8_t> from) = 0;
};

/// Who performs the access, and when.
struct IoContext {
  vtl::VirtualProcessor& vp;
  support::Instant now;
};

/// One device. `size` is 1, 2 or 4 bytes; a device that does not decode a width answers all ones.
class IoDevice {
 public:
  virtual ~IoDevice() = default;
  virtual uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) = 0;
  virtual void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) = 0;
};

/// What an undecoded port or width reads as.
[[nodiscard]] constexpr uint32_t all_ones(uint8_t size) {
  return size >= 4 ? 0xffff'ffffu : (1u << (size * 8)) - 1;
}

}  // namespace machine
