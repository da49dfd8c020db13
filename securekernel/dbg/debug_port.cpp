#include "dbg/debug_port.h"

#include <string.h>

#include "rt/arch.h"

namespace sk {

extern "C" {
DbgCounters SkCounters;
}

using namespace abi::boot;

static void send(DebugEvent event, const void* record) {
  arch::out32(debug_event_port, static_cast<uint32_t>(event), reinterpret_cast<uint64_t>(record));
}

static uint32_t copy_name(char (&to)[64], std::string_view name) {
  const size_t length = name.size() < sizeof to ? name.size() : sizeof to;
  memcpy(to, name.data(), length);
  return static_cast<uint32_t>(length);
}

void DbgSendText(DebugEvent event, std::string_view text) {
  DebugText record{};
  record.length = static_cast<uint32_t>(text.size() < sizeof record.text ? text.size() : sizeof record.text);
  memcpy(record.text, text.data(), record.length);
  send(event, &record);
}

void DbgImageLoaded(uint64_t base, uint32_t size, std::string_view name) {
  DebugImage record{};
  record.base = base;
  record.size = size;
  record.name_length = copy_name(record.name, name);
  send(DebugEvent::ImageLoaded, &record);
}

void DbgProcessCreated(uint64_t pid, uint64_t cr3, uint64_t secure_handle, std::string_view name) {
  DebugProcess record{};
  record.pid = pid;
  record.cr3 = cr3;
  record.secure_handle = secure_handle;
  record.name_length = copy_name(record.name, name);
  send(DebugEvent::ProcessCreated, &record);
}

}  // namespace sk
