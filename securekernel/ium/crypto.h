#pragma once
#include "ke/skpcr.h"

namespace sk {

/// IumCrypto (S93): one parameter block in the trustlet's memory, captured once; results go back into it.
NtStatus IumCrypto(SkProcess& process, uint64_t parameters);

}  // namespace sk
