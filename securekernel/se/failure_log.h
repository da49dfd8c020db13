#pragma once
#include "ke/base.h"

namespace sk {

/// Service 212: the page of NTOS that receives records of refused images (S83).
NtStatus SeRegisterLogPage(uint64_t pfn);
void SeLogFailure(NtStatus status, uint32_t service, uint64_t detail);

}  // namespace sk
