#pragma once
#include "ke/skpcr.h"

namespace sk {

/// Whether this trustlet may make this secure call (S72, S73). A call without a row is refused.
bool SkIsCapable(const SkProcess& process, uint32_t service);

}  // namespace sk
