#pragma once
#include "abi/sk/call_frame.h"
#include "ke/skpcr.h"

namespace sk {

/// A system call of a trustlet: who makes it, and its arguments as captured.
struct SystemCallContext {
  SkThread& thread;
  SkProcess& process;
  uint64_t arguments[abi::sk::parameter_count];
};
using SystemCallHandler = NtStatus (*)(SystemCallContext&);

struct SystemCallEntry {
  uint32_t number;
  uint8_t arguments;
  SystemCallHandler handler;  ///< null: not implemented
};

}  // namespace sk
