#include "rt/panic.h"

namespace rt {

static PanicHandler panic_handler = nullptr;

void set_panic_handler(PanicHandler handler) {
  panic_handler = handler;
}

[[noreturn]] void panic(const char* text) {
  const PanicHandler handler = panic_handler;
  panic_handler = nullptr;  // a panic inside the handler goes straight to ud2
  if (handler != nullptr) {
    handler(text);
  }
  __builtin_trap();
}

}  // namespace rt
