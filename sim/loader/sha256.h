#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>

#include "sim/loader/byte_view.h"

namespace loader {

using Sha256 = std::array<uint8_t, 32>;

/// SHA-256 of the parts one after the other.
[[nodiscard]] Sha256 sha256(std::initializer_list<Bytes> parts);

}  // namespace loader
