#pragma once
// Descriptors of the GDT and LDT (SDM vol. 3, 3.4.5).
#include <cstdint>
#include <optional>

#include "sim/cpu/processor_memory.h"
#include "vtl/virtual_processor.h"

namespace cpu {

/// The eight bytes that every descriptor has.
struct Descriptor {
  uint64_t raw{};
  [[nodiscard]] uint32_t base() const {
    return static_cast<uint32_t>(((raw >> 16) & 0xffffff) | ((raw >> 32) & 0xff000000));
  }
  /// In bytes, granularity applied.
  [[nodiscard]] uint32_t limit() const {
    const auto units = static_cast<uint32_t>((raw & 0xffff) | ((raw >> 32) & 0xf0000));
    return (raw >> 55 & 1) != 0 ? units << 12 | 0xfff : units;
  }
  /// As vtl::Segment has them.
  [[nodiscard]] uint16_t attributes() const { return static_cast<uint16_t>((raw >> 40) & 0xf0ff); }
  [[nodiscard]] uint8_t dpl() const { return (raw >> 45) & 3; }
};

/// Address of a selector's descriptor, or nothing if it is beyond its table's limit. `bytes`: 8, or 16 for system
/// descriptors in long mode.
[[nodiscard]] std::optional<uint64_t> descriptor_address(const vtl::VtlContext& context,
                                                         uint16_t selector, uint64_t bytes);

[[nodiscard]] inline vtl::Segment segment_of(const Descriptor& descriptor, uint16_t selector) {
  return {descriptor.base(), descriptor.limit(), selector, descriptor.attributes()};
}

}  // namespace cpu
