#pragma once
#include "ium/system_call_context.h"

namespace sk {

inline constexpr size_t nt_call_count = 48;
extern const SystemCallEntry ium_nt_calls[nt_call_count];

}  // namespace sk
