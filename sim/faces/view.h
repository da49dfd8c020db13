#pragma once
// Reading what the interface answers, without exceptions, and writing numbers as the kernel debugger does.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/rpc/api.h"

namespace faces {

using rpc::Json;

/// The member, or null if there is none or `object` is none.
[[nodiscard]] const Json* member(const Json& object, std::string_view name);
/// A text; empty if it is not there or none.
[[nodiscard]] std::string text_of(const Json& object, std::string_view name);
/// An integer or a hex number of up to 64 bits; nothing if it is none.
[[nodiscard]] std::optional<uint64_t> number_in(const Json& value);
/// The same of a member; nothing if it is not there.
[[nodiscard]] std::optional<uint64_t> number_of(const Json& object, std::string_view name);
/// The same; 0 if it is not there.
[[nodiscard]] uint64_t number_or_zero(const Json& object, std::string_view name);
[[nodiscard]] bool flag_of(const Json& object, std::string_view name);
/// A list, or an empty one.
[[nodiscard]] const Json& list_of(const Json& object, std::string_view name);
/// An object, or an empty one.
[[nodiscard]] const Json& object_of(const Json& object, std::string_view name);
/// The bytes of pairs of hexadecimal digits; empty if it is not there or malformed.
[[nodiscard]] std::vector<uint8_t> bytes_of(const Json& object, std::string_view name);

/// The number of all of `text`: "0x" and digits, or decimal digits. Nothing if it is none or has more than 64 bits.
[[nodiscard]] std::optional<uint64_t> parse_number(std::string_view text);
/// "0x1f", as the interface wants it.
[[nodiscard]] std::string hex(uint64_t value);
/// "4142", as the interface wants it.
[[nodiscard]] std::string hex_bytes(const std::vector<uint8_t>& bytes);
/// fffff800`12345678
[[nodiscard]] std::string kd_address(uint64_t value);
/// "VTL 1": always said in text, never by colour alone.
[[nodiscard]] std::string vtl_name(uint64_t vtl);

}  // namespace faces
