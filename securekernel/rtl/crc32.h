#pragma once
#include <stddef.h>
#include <stdint.h>

namespace sk {
/// CRC-32 (IEEE 802.3): the checksum of the VSM loader block.
uint32_t RtlCrc32(const void* data, size_t size);
}  // namespace sk
