#pragma once
// The wires between devices and interrupt controllers of a PC.
#include <cstdint>

namespace machine {

/// The interrupt requests of the ISA bus, 0 to 15, and the pins of the I/O APIC above them, up to 23. A line keeps its level.
class InterruptLines {
 public:
  virtual ~InterruptLines() = default;
  virtual void set_line(unsigned line, bool asserted) = 0;
  /// An edge: down, if it was up, and up.
  void pulse(unsigned line) {
    set_line(line, false);
    set_line(line, true);
  }
};

}  // namespace machine
