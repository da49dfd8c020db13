#pragma once
// A firmware image of a few instructions, for machines that need no more.
#include <cstdint>
#include <span>
#include <vector>

namespace test {

/// Where its code begins in the guest: the processor starts there in 64-bit mode, ring 0, without interrupts.
inline constexpr uint64_t tiny_code = 0x101000;

/// A PE image whose entry is the first byte of `code`, which may have 4096 bytes and is writable.
[[nodiscard]] std::vector<uint8_t> tiny_firmware(std::span<const uint8_t> code);

}  // namespace test
