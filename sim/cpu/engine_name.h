#pragma once
#include <string>

namespace cpu {

/// The instruction engine and its version, as "unicorn 2.1.1": a recording belongs to one.
[[nodiscard]] std::string engine_name();

}  // namespace cpu
