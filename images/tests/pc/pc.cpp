#include "pc.h"

#include <stdarg.h>

extern "C" {
extern char trampoline[], trampoline_end[], interrupt_entries[];
extern volatile uint32_t next_processor;
void boot_processor(uint32_t magic, const pc::BootInformation* information);
void other_processor(uint32_t number);
void interrupt(pc::Frame* frame);
void* memcpy(void* to, const void* from, unsigned long size);
void* memset(void* to, int value, unsigned long size);
}

void* memcpy(void* to, const void* from, unsigned long size) {
  void* result = to;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
  return result;
}
void* memset(void* to, int value, unsigned long size) {
  void* result = to;
  asm volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return result;
}

namespace pc {

uint32_t boot_magic;
const BootInformation* boot_information;

namespace {

constexpr uint16_t serial = 0x3f8, exit_port = 0xf4;
constexpr uint64_t trampoline_address = 0x8000;

struct [[gnu::packed]] Gate {
  uint16_t offset_low, selector;
  uint8_t ist, type;
  uint16_t offset_middle;
  uint32_t offset_high, reserved;
};
struct [[gnu::packed]] Pointer {
  uint16_t limit;
  uint64_t base;
};

Gate idt[256];
Handler handlers[256];
unsigned passed, failed;
bool x2apic;
volatile uint32_t arrived, finished, generation;
Work volatile work;

void put(char c) {
  while ((in8(serial + 5) & 0x20) == 0) pause();
  out8(serial, static_cast<uint8_t>(c));
}

void number(uint64_t value, unsigned base, unsigned width, bool negative) {
  char digits[24];
  unsigned count = 0;
  do digits[count++] = "0123456789abcdef"[value % base];
  while ((value /= base) != 0);
  while (count < width && count < sizeof digits) digits[count++] = '0';
  if (negative) put('-');
  while (count > 0) put(digits[--count]);
}

void load_idt() {
  const Pointer pointer{sizeof idt - 1, reinterpret_cast<uint64_t>(idt)};
  asm volatile("lidt %0" : : "m"(pointer));
}

void make_idt() {
  for (unsigned vector = 0; vector < 256; ++vector) {
    const uint64_t entry = reinterpret_cast<uint64_t>(interrupt_entries) + vector * 16;
    idt[vector] = {static_cast<uint16_t>(entry), 0x18, 0, 0x8e, static_cast<uint16_t>(entry >> 16),
                   static_cast<uint32_t>(entry >> 32), 0};
  }
}

bool starts_with(const char* text, const char* begin) {
  while (*begin != 0)
    if (*text++ != *begin++) return false;
  return true;
}

}  // namespace

void print(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  for (; *format != 0; ++format) {
    if (*format != '%') {
      put(*format);
      continue;
    }
    unsigned width = 0;
    bool is_long = false;
    while (*++format >= '0' && *format <= '9') width = width * 10 + static_cast<unsigned>(*format - '0');
    while (*format == 'l') {
      is_long = true;
      ++format;
    }
    switch (*format) {
      case 's':
        for (const char* text = va_arg(arguments, const char*); *text != 0; ++text) put(*text);
        break;
      case 'c': put(static_cast<char>(va_arg(arguments, int))); break;
      case 'd': {
        const int64_t value = is_long ? va_arg(arguments, long) : va_arg(arguments, int);
        number(value < 0 ? -static_cast<uint64_t>(value) : static_cast<uint64_t>(value), 10, width, value < 0);
        break;
      }
      case 'u':
      case 'x': {
        const uint64_t value = is_long ? va_arg(arguments, unsigned long) : va_arg(arguments, unsigned);
        number(value, *format == 'x' ? 16 : 10, width, false);
        break;
      }
      default: put(*format); break;
    }
  }
  va_end(arguments);
}

void check(bool holds, const char* what) {
  print("%s %s\n", holds ? "pass" : "FAIL", what);
  ++(holds ? passed : failed);
}

void exit(uint32_t code) {
  while ((in8(serial + 5) & 0x60) != 0x60) pause();  // until the last letter is out
  out32(exit_port, code);
  // Where that port does not exist: Bochs ends when it reads this word.
  for (const char* letter = "Shutdown"; *letter != 0; ++letter) out8(0x8900, static_cast<uint8_t>(*letter));
  for (;;) asm volatile("cli; hlt");
}

void finish() {
  print("done: %u passed, %u failed\n", passed, failed);
  exit(failed == 0 ? 0 : 1);
}

uint32_t option(const char* name, uint32_t otherwise) {
  if ((boot_information->flags & 4) == 0) return otherwise;
  for (const char* text = reinterpret_cast<const char*>(uint64_t{boot_information->command_line}); *text != 0; ++text) {
    if (!starts_with(text, name)) continue;
    while (*text != '=' && *text != 0) ++text;
    if (*text == 0) return otherwise;
    uint32_t value = 0;
    while (*++text >= '0' && *text <= '9') value = value * 10 + static_cast<uint32_t>(*text - '0');
    return value;
  }
  return otherwise;
}

void handle(uint8_t vector, Handler handler) { handlers[vector] = handler; }

void initialise_pic() {
  const uint8_t words[2][4] = {{0x11, 0x20, 4, 1}, {0x11, 0x28, 2, 1}};
  for (unsigned chip = 0; chip < 2; ++chip) {
    const uint16_t port = chip == 0 ? 0x20 : 0xa0;
    out8(port, words[chip][0]);
    for (unsigned i = 1; i < 4; ++i) out8(port + 1, words[chip][i]);
  }
  mask_pic(0xffff);
}

void mask_pic(uint16_t mask) {
  out8(0x21, static_cast<uint8_t>(mask));
  out8(0xa1, static_cast<uint8_t>(mask >> 8));
}

void enable_apic() { apic_write(apic::svr, 0x1ff); }
void use_x2apic() {
  wrmsr(0x1b, rdmsr(0x1b) | 0xc00);
  x2apic = true;
}
bool in_x2apic() { return (rdmsr(0x1b) & 0x400) != 0; }

uint32_t apic_read(uint32_t number) {
  if (in_x2apic()) return static_cast<uint32_t>(rdmsr(0x800 + number));
  return *reinterpret_cast<volatile uint32_t*>(0xfee00000 + number * 16ul);
}
void apic_write(uint32_t number, uint32_t value) {
  if (in_x2apic()) wrmsr(0x800 + number, value);
  else *reinterpret_cast<volatile uint32_t*>(0xfee00000 + number * 16ul) = value;
}
uint32_t apic_id() { return in_x2apic() ? apic_read(apic::id) : apic_read(apic::id) >> 24; }

void send_ipi(uint32_t destination, uint32_t command) {
  if (in_x2apic()) return wrmsr(0x800 + apic::icr, uint64_t{destination} << 32 | command);
  apic_write(apic::icr_high, destination << 24);
  apic_write(apic::icr, command);
  while ((apic_read(apic::icr) & 0x1000) != 0) pause();
}

uint32_t io_apic_read(uint32_t number) {
  *reinterpret_cast<volatile uint32_t*>(0xfec00000) = number;
  return *reinterpret_cast<volatile uint32_t*>(0xfec00010);
}
void io_apic_write(uint32_t number, uint32_t value) {
  *reinterpret_cast<volatile uint32_t*>(0xfec00000) = number;
  *reinterpret_cast<volatile uint32_t*>(0xfec00010) = value;
}
void redirect(uint32_t pin, uint64_t entry) {
  io_apic_write(0x11 + 2 * pin, static_cast<uint32_t>(entry >> 32));
  io_apic_write(0x10 + 2 * pin, static_cast<uint32_t>(entry));
}

uint32_t start_processors(uint32_t expected) {
  memcpy(reinterpret_cast<void*>(trampoline_address), trampoline, static_cast<unsigned long>(trampoline_end - trampoline));
  constexpr uint32_t all_but_self = 3u << 18, assert_level = 1u << 14, init = 5u << 8, startup = 6u << 8;
  send_ipi(0, all_but_self | assert_level | init);
  for (int i = 0; i < 2; ++i) {
    send_ipi(0, all_but_self | assert_level | startup | static_cast<uint32_t>(trampoline_address >> 12));
    if (wait_until([&] { return arrived + 1 >= expected; }, 20'000'000)) break;
  }
  return arrived + 1;
}

void run_on_all(Work what) {
  finished = 0;
  work = what;
  __atomic_add_fetch(&generation, 1, __ATOMIC_SEQ_CST);
  what(0);
  (void)wait_until([] { return finished == arrived; }, 20'000'000'000);
}

}  // namespace pc

void boot_processor(uint32_t magic, const pc::BootInformation* information) {
  using namespace pc;
  boot_magic = magic;
  boot_information = information;
  out8(serial + 3, 3);  // eight bits a character
  make_idt();
  load_idt();
  initialise_pic();
  enable_apic();
  kernel_main();
  finish();
}

void other_processor(uint32_t number) {
  using namespace pc;
  load_idt();
  if (x2apic) wrmsr(0x1b, rdmsr(0x1b) | 0xc00);
  enable_apic();
  uint32_t seen = generation;
  __atomic_add_fetch(&arrived, 1, __ATOMIC_SEQ_CST);
  for (;;) {
    while (generation == seen) pause();
    seen = generation;
    work(number);
    __atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
  }
}

void interrupt(pc::Frame* frame) {
  if (const pc::Handler handler = pc::handlers[frame->vector]) return handler(*frame);
  pc::print("FAIL unexpected vector %lu, error %lx, at %lx\n", frame->vector, frame->error, frame->rip);
  pc::exit(127);
}
