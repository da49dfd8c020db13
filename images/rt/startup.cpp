// What the compiler expects of a C++ runtime, for images without exceptions, heap or exit.
#include "rt/startup.h"

#include <stddef.h>

#include "rt/panic.h"

using Initializer = void (*)();

// The linker sorts sections by the letters after '$': the compiler puts constructors into .CRT$XCU, in between.
#pragma section(".CRT$XCA", read)
#pragma section(".CRT$XCZ", read)
extern "C" {
__declspec(allocate(".CRT$XCA")) extern const Initializer rt_first_initializer[1] = {nullptr};
__declspec(allocate(".CRT$XCZ")) extern const Initializer rt_last_initializer[1] = {nullptr};

// Referenced by any object that touches floating point types.
int _fltused = 0x9875;

void _purecall() {
  rt::panic("pure virtual function called");
}

int atexit(void (*)()) {
  return 0;
}
}

namespace rt {

void run_static_initializers() {
  // The bounds are separate objects to the language, one array to the linker.
  const Initializer* volatile first = rt_first_initializer + 1;
  const Initializer* volatile last = rt_last_initializer;
  for (const Initializer* entry = first; entry < last; ++entry) {
    if (*entry != nullptr) {
      (*entry)();
    }
  }
}

}  // namespace rt
