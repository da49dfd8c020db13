#pragma once
// The observation port (abi/boot/debug_port.h) for every stage of VTL 0. What is said here changes
// nothing in the machine.
#include <string_view>

#include "abi/boot/debug_port.h"
#include "rt/arch.h"
#include "rt/print.h"

namespace boot {

inline void announce(abi::boot::DebugEvent event, const void* record) {
  arch::out32(abi::boot::debug_event_port, static_cast<uint32_t>(event),
              reinterpret_cast<uint64_t>(record));
}

inline void announce_text(abi::boot::DebugEvent event, std::string_view text) {
  abi::boot::DebugText record{};
  const size_t length = text.size() < sizeof record.text ? text.size() : sizeof record.text;
  for (size_t i = 0; i < length; ++i)
    record.text[i] = text[i];
  record.length = static_cast<uint32_t>(length);
  announce(event, &record);
}

/// One line of the user's milestone list.
template <typename... T>
void milestone(std::string_view pattern, const T&... values) {
  char text[256];
  announce_text(abi::boot::DebugEvent::Milestone, rt::print(text, pattern, values...));
}

inline void announce_image(abi::boot::DebugEvent event, std::string_view name, uint64_t base,
                           uint32_t size) {
  abi::boot::DebugImage record{};
  record.base = base;
  record.size = size;
  while (record.name_length < name.size() && record.name_length < sizeof record.name) {
    record.name[record.name_length] = name[record.name_length];
    ++record.name_length;
  }
  announce(event, &record);
}

/// Tells debuggers where an image lies, so that its symbols can be found.
inline void image_loaded(std::string_view name, uint64_t base, uint32_t size) {
  announce_image(abi::boot::DebugEvent::ImageLoaded, name, base, size);
}

}  // namespace boot
