#pragma once
#include <stdint.h>

#include "abi/sk/status.h"

/// What went wrong, for whoever recovers from it with KeTryAccess.
struct EXCEPTION_RECORD64 {
  abi::NtStatus status;
  uint32_t vector;  ///< of the x64 exception
  uint64_t error_code;
  uint64_t address;  ///< RIP of the instruction; 0: nothing went wrong
  uint64_t fault;    ///< CR2, for #PF only
};
