#pragma once
// What a number leads to when it is taken for a pointer, and what that leads to.
#include <cstdint>
#include <string>
#include <vector>

#include "sim/debugger/names.h"
#include "sim/debugger/views/eye.h"

namespace debugger::views {

inline constexpr size_t longest_chain = 4;

/// At most longest_chain texts: the name of `value` where it has one, then what is in memory there, and so on: a symbol, a
/// string in quotes, a number. It ends with "??" at memory that the second stage denies to the eye's VTL, with "--" where a
/// name or a kernel's address leads to nothing. Empty for a number that leads nowhere.
[[nodiscard]] std::vector<std::string> chain_of(const Eye& eye, const Names& names, uint64_t value);

}  // namespace debugger::views
