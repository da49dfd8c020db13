#pragma once
#include "ium/system_call_context.h"

namespace sk {

inline constexpr size_t secure_call_count = 6;
extern const SystemCallEntry ium_secure_calls[secure_call_count];

}  // namespace sk
