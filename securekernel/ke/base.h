#pragma once
// Words that every folder of the secure kernel uses.
#include <stddef.h>
#include <stdint.h>

#include "abi/layout/address.h"
#include "abi/sk/status.h"

namespace sk {

using abi::NtStatus;
using abi::page_size;
using abi::succeeded;

inline constexpr uint64_t page_shift = 12;

constexpr uint64_t pages_for(uint64_t bytes) { return (bytes + page_size - 1) / page_size; }
constexpr uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

}  // namespace sk

/// Leaves the function with a status that is not a success.
#define SK_TRY(expression)                                        \
  do {                                                            \
    if (::abi::NtStatus try_status = (expression); !::abi::succeeded(try_status)) return try_status; \
  } while (false)
