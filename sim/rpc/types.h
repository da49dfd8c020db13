#pragma once
// Whether a JSON value is what the table says.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/rpc/api.h"
#include "sim/rpc/schema.h"

namespace rpc {

/// Of integers: what a double holds exactly.
inline constexpr uint64_t maximum_integer = (uint64_t{1} << 53) - 1;

/// A type of the table, taken apart: "Stop?" is {"Stop", optional}, "text[]?" is {"text", list, optional}.
struct Type {
  std::string_view element;
  bool list{}, optional{};
};
[[nodiscard]] Type parse_type(std::string_view text);

/// The least and greatest value (of `bytes`: number of bytes) that a field's text permits, when it begins with "1 to 64"
/// or says "at most 64".
struct Bounds {
  uint64_t least{}, most{};
};
[[nodiscard]] std::optional<Bounds> bounds_of(const Field& field);

/// What is wrong with an object of these fields, as a sentence that begins with the path; nothing if all is well. Members
/// that are not among the fields are wrong too.
[[nodiscard]] std::optional<std::string> mismatch(const Json& object, std::span<const Field> fields);

/// The name among `names` that is nearest to `name`, if one is near enough to have been meant; else empty.
[[nodiscard]] std::string_view nearest(std::string_view name, std::span<const std::string_view> names);

/// A number of the table's type `hex`, of at most 64 bits; nothing if it is larger or malformed.
[[nodiscard]] std::optional<uint64_t> hex_number(std::string_view text);
/// A value of the table's type `bytes`; nothing if it is none.
[[nodiscard]] std::optional<std::vector<uint8_t>> bytes_of(std::string_view text);

}  // namespace rpc
