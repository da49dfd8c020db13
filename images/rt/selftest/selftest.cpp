// What tests/unit/rt cannot call by itself: the parts of the runtime that only a compiler or a linker uses.
#include <cstddef>
#include <cstdint>
#include <span>

#include "rt/panic.h"
#include "rt/print.h"
#include "rt/startup.h"

namespace {

volatile int order = 0;

// A constructor that the compiler cannot run by itself.
struct Counted {
  int place;
  Counted() {
    order = order + 1;
    place = order;
  }
  ~Counted() { order = -1; }
};

Counted first;
Counted second;

struct Shape {
  Shape() { call_while_incomplete(); }
  virtual ~Shape() = default;
  virtual void draw() = 0;
  void call_while_incomplete();
};
struct Square final : Shape {
  void draw() override {}
};
// Out of line and opaque, so that the call goes through the table of the abstract class.
[[clang::noinline, clang::optnone]] void Shape::call_while_incomplete() {
  draw();
}

}  // namespace

extern "C" {

int SelftestEntry(void*, std::uint32_t, void*) {
  return 1;
}

// 12 when both constructors ran, once, in order.
int SelftestStatics() {
  rt::run_static_initializers();
  return first.place * 10 + second.place;
}

// A frame of several pages, every byte used: the sum of its bytes.
[[clang::noinline]] std::uint64_t SelftestLargeFrame(std::uint8_t seed) {
  volatile std::uint8_t frame[20000];
  for (std::size_t i = 0; i < sizeof frame; ++i) {
    frame[i] = static_cast<std::uint8_t>(seed + i);
  }
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < sizeof frame; ++i) {
    sum += frame[i];
  }
  return sum;
}

std::size_t SelftestPrint(char* buffer, std::size_t size) {
  return rt::print({buffer, size}, "{} {:#x} {:08X}", "guest", std::uint64_t{0xFFFFF80000400000},
                   -1)
      .size();
}

// Where the panic handler leaves its text.
char SelftestPanicText[64];

void SelftestPanic() {
  rt::set_panic_handler([](const char* text) { rt::print(SelftestPanicText, "panic: {}", text); });
  rt::panic("as asked");
}

void SelftestPureCall() {
  Square square;
}

int SelftestSpanBounds(const int* data, std::size_t size, std::size_t index) {
  return std::span<const int>{data, size}[index];
}
}
