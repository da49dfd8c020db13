#pragma once
// What the trustlets of this machine have in common: they end like processes, and they wait to be told so.
#include "iumdll/ium.h"

namespace trustlet {

/// NTOS wakes the trustlet when it is no longer needed: normal service 11 goes out, its answer comes back.
inline void wait_for_alert() {
  while (NtWaitForAlertByThreadId(nullptr, nullptr) == abi::NtStatus::Timeout) {
  }
}

[[noreturn]] inline void exit_process(abi::NtStatus status) {
  for (;;) NtTerminateProcess(ium::current_process, status);
}

}  // namespace trustlet
