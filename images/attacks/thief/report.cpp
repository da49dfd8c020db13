#include "boot/debug.h"
#include "thief.h"

namespace thief {

uint32_t successes, attempts;

namespace {

const char* name_of(Access access) {
  switch (access) {
    case Access::Read:
      return "read";
    case Access::Write:
      return "write";
    case Access::Execute:
      return "execute";
  }
  return "?";
}

const char* exception_name(uint32_t vector) {
  return vector == 13 ? "#GP" : vector == 14 ? "#PF" : vector == 6 ? "#UD" : "exception";
}

}  // namespace

void report(const Attempt& a) {
  ++attempts;
  const char* access = name_of(a.access);
  if (abi::succeeded(a.status)) {
    ++successes;
    boot::milestone("thief: {} by {}: succeeded", access, a.way);
  } else {
    boot::milestone("thief: {} by {}: {:#010x} ({}, error code {:#x})", access, a.way, a.status,
                    exception_name(a.exception.vector), a.exception.error_code);
  }
}

// As `dc` of kd would show it, two rows.
void report_bytes(const uint8_t* bytes) {
  for (int row = 0; row < 2; ++row) {
    char line[128];
    std::span<char> out{line};
    size_t used =
        rt::print(out, "thief: {:011x} ", secret_address + 16 * static_cast<uint64_t>(row)).size();
    for (int i = 0; i < 16; ++i)
      used += rt::print(out.subspan(used), " {:02x}", bytes[16 * row + i]).size();
    used += rt::print(out.subspan(used), "  ").size();
    for (int i = 0; i < 16; ++i) {
      const uint8_t c = bytes[16 * row + i];
      used += rt::print(out.subspan(used), "{}", c >= 0x20 && c < 0x7F ? static_cast<char>(c) : '.')
                  .size();
    }
    rt::print(out.subspan(used), "\n");
    DbgPrint(line);
  }
}

}  // namespace thief
