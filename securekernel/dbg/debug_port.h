#pragma once
// What the secure kernel tells an observer. S119: a release build prints nothing to NTOS; this port is the machine's.
#include <span>
#include <string_view>

#include "abi/boot/debug_port.h"
#include "rt/print.h"

namespace sk {

/// Sends text as a Print or Milestone event; cut at 256 bytes.
void DbgSendText(abi::boot::DebugEvent event, std::string_view text);
void DbgImageLoaded(uint64_t base, uint32_t size, std::string_view name);
void DbgProcessCreated(uint64_t pid, uint64_t cr3, uint64_t secure_handle, std::string_view name);

template <class... T>
void DbgMilestone(std::string_view pattern, const T&... values) {
  char text[256];
  DbgSendText(abi::boot::DebugEvent::Milestone, rt::print(text, pattern, values...));
}
template <class... T>
void DbgPrint(std::string_view pattern, const T&... values) {
  char text[256];
  DbgSendText(abi::boot::DebugEvent::Print, rt::print(text, pattern, values...));
}

/// Counters that a debugger finds by symbol: what was refused and how often.
struct DbgCounters {
  uint64_t secure_services, normal_calls, user_system_calls, refused_system_calls, refused_by_capability;
  uint64_t intercepts, intercepts_read, intercepts_write, intercepts_execute, unknown_crypto_operations;
  uint64_t answers_refused;  ///< answers of NTOS that failed a check (STATUS_DATA_ERROR)
};
extern "C" DbgCounters SkCounters;

}  // namespace sk
