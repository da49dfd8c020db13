#pragma once
// What questions about the past are answered with, in words.
#include <cstdint>
#include <string>
#include <vector>

#include "mmu/slat.h"

namespace debugger {

/// A little-endian value of a register's or an entry's size as a number, longer ones as bytes.
[[nodiscard]] std::string value_text(const std::vector<uint8_t>& bytes);
/// "rwxu" as far as permitted, "no rights", or "nothing mapped".
[[nodiscard]] std::string rights_text(const mmu::SlatMapping& mapping);

}  // namespace debugger
