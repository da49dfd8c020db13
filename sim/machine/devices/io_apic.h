#pragma once
// The I/O APIC of a PC (Intel 82093AA data sheet; ICH9 data sheet, 13.5 for version 0x20 with its EOI register).
#include <array>
#include <cstdint>

#include "sim/support/state_fields.h"
#include "vtl/external_interrupts.h"

namespace machine {

/// Who carries messages to the local APICs.
class InterruptBus {
 public:
  virtual ~InterruptBus() = default;
  virtual void send(const vtl::ExternalInterrupt& interrupt) = 0;
};

/// 24 pins. An edge at a masked pin is lost; a level waits. Polarity bits are kept and mean nothing: a line is asserted or
/// it is not.
class IoApic {
 public:
  static constexpr uint64_t mmio_base = 0xfec0'0000;
  static constexpr unsigned pins = 24;

  explicit IoApic(InterruptBus& bus) : bus_{bus} {
    redirection_.fill(masked);
  }

  void set_pin(unsigned pin, bool asserted);
  /// A local APIC ended a level-triggered interrupt of this vector.
  void end_of_interrupt(uint8_t vector);

  /// A pin that is not masked sends something other than ordinary interrupts: NMI, INIT, SMI.
  [[nodiscard]] bool may_send_nmi() const;

  /// Registers of the page at mmio_base: IOREGSEL 0x00, IOWIN 0x10, EOI 0x40. Other widths than 4 read ones and write nothing.
  [[nodiscard]] uint64_t mmio_read(uint16_t offset, uint8_t size) const;
  void mmio_write(uint16_t offset, uint8_t size, uint64_t value);

  STATE_FIELDS((bus_), redirection_, levels_, select_, id_)

 private:
  static constexpr uint64_t masked = uint64_t{1} << 16;
  [[nodiscard]] uint32_t read_register() const;
  void write_register(uint32_t value);
  void service(unsigned pin);
  void send(uint64_t entry) const;

  InterruptBus& bus_;
  std::array<uint64_t, pins> redirection_{};
  uint32_t levels_{};  ///< bit n: pin n is asserted
  uint8_t select_{};
  uint8_t id_{};
};

}  // namespace machine
