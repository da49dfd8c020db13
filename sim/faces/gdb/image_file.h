#pragma once
// PE images as files again, made from memory: what is shown is what is mapped.
#include <cstdint>
#include <optional>
#include <vector>

#include "sim/faces/gdb/target.h"

namespace faces::gdb {

/// Turns an image as it is mapped at `base` into a file whose sections lie where they are in memory. Nothing if it has
/// no headers of a 64-bit image, or sections outside of it.
[[nodiscard]] std::optional<std::vector<uint8_t>> as_file(std::vector<uint8_t> image, uint64_t base);
/// Offset of the first section in memory, from the first page of the image.
[[nodiscard]] std::optional<uint32_t> first_section(const std::vector<uint8_t>& image);

/// The module's file, from its own VTL's view. Parts that this may not read are zeros.
[[nodiscard]] std::optional<std::vector<uint8_t>> read_image(Target& target, const Module& module);
/// Where its first section is; nothing if its headers are not there, or not to be read by its VTL.
[[nodiscard]] std::optional<uint64_t> first_section_address(Target& target, const Module& module);

}  // namespace faces::gdb
