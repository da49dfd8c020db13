#pragma once
// Intercept messages as the reference lists them, byte for byte: written field by field, never through the structures
// that the hypervisor uses.
#include "tests/unit/vtl/world.h"

namespace test {

/// Little-endian bytes, appended field by field.
class MessageBytes {
 public:
  template <class T>
  MessageBytes& add(T value) {
    const auto* raw = reinterpret_cast<const uint8_t*>(&value);
    bytes_.insert(bytes_.end(), raw, raw + sizeof value);
    return *this;
  }
  MessageBytes& zeros(size_t count) {
    bytes_.insert(bytes_.end(), count, 0);
    return *this;
  }
  /// HV_X64_SEGMENT_REGISTER.
  MessageBytes& segment(uint64_t base, uint32_t limit, uint16_t selector, uint16_t attributes) {
    return add(base).add(limit).add(selector).add(attributes);
  }
  MessageBytes& instruction() {
    for (uint8_t i = 0; i < 16; ++i) add(static_cast<uint8_t>(0x48 + i));
    return *this;
  }
  /// The whole slot.
  [[nodiscard]] std::vector<uint8_t> slot() const {
    std::vector<uint8_t> result = bytes_;
    result.resize(256);
    return result;
  }

 private:
  std::vector<uint8_t> bytes_;
};

/// A processor in a state whose every part shows in a message header: CPL 0, 64-bit mode, CR8 = 2.
inline void distinct_state(VirtualProcessor& vp) {
  vtl::VtlContext& own = vp.context();
  World::in_long_mode(own);
  own.rip = 0xFFFFF80000401234;
  own.rsp = 0xFFFFF80000555550;
  own.rflags = 0x10246;
  own.tpr = 0x2F;
  own.segments[vtl::Cs] = {0, 0xFFFFFFFF, 0x10, 0xA09B};
  own.segments[vtl::Ds] = {0x1111, 0x2222, 0x33, 0xC0F3};
  own.segments[vtl::Es] = {0x4444, 0x5555, 0x66, 0xC0F3};
  own.segments[vtl::Ss] = {0x7777, 0x8888, 0x18, 0xC093};
  for (uint64_t i = 0; i < vtl::gpr_count; ++i) vp.shared.gpr[i] = 0x1111111111111111 * (i + 1);
}

/// Message header and intercept header of a processor in that state.
inline MessageBytes intercept_bytes(uint32_t type, uint8_t payload, uint64_t origin, uint32_t vp, uint8_t length,
                                    uint8_t access, uint16_t vtl = 0) {
  MessageBytes bytes;
  bytes.add(type).add(payload).add(uint8_t{0}).add(uint16_t{0}).add(origin);
  bytes.add(vp).add(static_cast<uint8_t>(length | 0x20)).add(access);
  bytes.add(static_cast<uint16_t>(0x14 | vtl << 7));  // CPL 0, PE, LMA
  bytes.segment(0, 0xFFFFFFFF, 0x10, 0xA09B);
  return bytes.add(uint64_t{0xFFFFF80000401234}).add(uint64_t{0x10246});
}

inline void add_instruction(Exit& exit, uint8_t length) {
  exit.instruction_length = length;
  exit.instruction_byte_count = 16;
  for (uint8_t i = 0; i < 16; ++i) exit.instruction_bytes[i] = static_cast<uint8_t>(0x48 + i);
}

}  // namespace test
