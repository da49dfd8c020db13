#pragma once
// Memory as one world sees it, byte by byte, without any effect on the machine.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mmu/translator.h"

namespace machine {

/// Bytes of [address, address + count) as `space` may read them (supervisor rights); a byte that it may not read is absent.
[[nodiscard]] std::vector<std::optional<uint8_t>> view_memory(const mmu::Translator& translator,
                                                              const mmu::AddressSpace& space, mmu::Gva address,
                                                              size_t count);

/// The bytes as the kernel debugger's `dc` prints them: an address, four doublewords and their characters a line, a
/// question mark for each half byte that cannot be read (S24, figure 4 of the first seed).
[[nodiscard]] std::string format_dc(mmu::Gva address, const std::vector<std::optional<uint8_t>>& bytes);

}  // namespace machine
