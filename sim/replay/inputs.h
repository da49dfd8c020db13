#pragma once
// Inputs in a file: of a recording, and as people write them.
#include <string>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/machine/input.h"
#include "sim/support/result.h"

namespace replay {

using machine::Input;
using machine::InputKind;

/// The payload of an INPT chunk; instants may not decrease.
[[nodiscard]] std::vector<uint8_t> encode(const std::vector<Input>& inputs);
[[nodiscard]] support::Result<std::vector<Input>> decode_inputs(loader::Bytes payload, uint32_t count);

/// What a person wrote, a line each (docs/recording-format.md, "Inputs as text"), in the order of time. Errors name the line.
[[nodiscard]] support::Result<std::vector<Input>> parse_inputs(std::string_view text);

/// "ConsoleBytes at instant 5, port 0x3f8: 64 69 72".
[[nodiscard]] std::string to_text(const Input& input);

}  // namespace replay
