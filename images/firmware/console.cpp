// ConOut on COM1 (16550 subset): the line status register is asked before each byte, as on a real
// port.
#include "firmware.h"
#include "rt/arch.h"

namespace firmware {
namespace {

constexpr uint16_t com1 = 0x3F8;
enum Uart : uint16_t {
  Data = 0,
  InterruptEnable = 1,
  LineControl = 3,
  ModemControl = 4,
  LineStatus = 5
};

void put(char c) {
  while ((arch::in8(com1 + LineStatus) & 0x20) == 0)
    arch::pause();
  arch::out8(com1 + Data, static_cast<uint8_t>(c));
}

efi::Status output_string(efi::SimpleTextOutput*, const char16_t* text) {
  for (; *text != 0; ++text)
    put(*text < 0x80 ? static_cast<char>(*text) : '?');
  return efi::success;
}

efi::Status reset(efi::SimpleTextOutput*, bool) {
  return efi::success;
}

}  // namespace

efi::SimpleTextOutput console_output{reset, output_string, {}, nullptr};

void console_initialize() {
  arch::out8(com1 + InterruptEnable, 0);
  arch::out8(com1 + LineControl, 0x80);  // divisor latch: 115200 baud
  arch::out8(com1 + Data, 1);
  arch::out8(com1 + InterruptEnable, 0);
  arch::out8(com1 + LineControl, 3);  // 8N1
  arch::out8(com1 + ModemControl, 3);
}

void console_write(std::string_view text) {
  for (char c : text) {
    if (c == '\n') put('\r');
    put(c);
  }
}

}  // namespace firmware
