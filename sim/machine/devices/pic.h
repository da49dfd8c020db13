#pragma once
// The pair of 8259A interrupt controllers of a PC (Intel 8259A data sheet; ICH9 data sheet, 5.8 and 13.4).
#include <array>
#include <cstdint>
#include <optional>

#include "sim/machine/devices/io_device.h"

namespace machine {

/// One 8259A. Inputs 0 to 7; priorities as the mode says, 0 highest after initialisation.
class Pic8259 {
 public:
  /// `elcr_mask`: inputs that the edge/level register may make level-triggered.
  explicit Pic8259(uint8_t elcr_mask) : elcr_mask_{elcr_mask} {}

  void set_input(unsigned input, bool asserted);
  /// The input that INTR is asserted for, or none.
  [[nodiscard]] std::optional<uint8_t> pending() const;
  /// The acknowledge cycle: the input is in service (or done, with automatic EOI). Without a pending one it is input 7,
  /// and nothing is in service: a spurious interrupt.
  uint8_t acknowledge();
  [[nodiscard]] uint8_t vector_base() const { return vector_base_; }

  [[nodiscard]] uint8_t read(bool data);
  void write(bool data, uint8_t value);
  [[nodiscard]] uint8_t edge_level() const { return elcr_; }
  void set_edge_level(uint8_t value) { elcr_ = value & elcr_mask_; }
  /// What firmware leaves behind: initialised for the 8086, everything masked but `unmasked`.
  void initialise(uint8_t vector_base, uint8_t unmasked);

  STATE_FIELDS((elcr_mask_), vector_base_, requests_, in_service_, mask_, levels_, elcr_, lowest_, expected_, icw1_,
               automatic_eoi_, rotates_, special_mask_, special_nested_, read_in_service_, poll_)
  [[nodiscard]] const char* state_error() const {
    return lowest_ < 8 && expected_ <= 4 ? "" : "an interrupt controller in a state that it cannot have";
  }

 private:
  void command(uint8_t value);
  void initialisation_word(uint8_t value);
  void operation_word2(uint8_t value);
  void begin(uint8_t icw1);
  void end(unsigned input, bool rotate);
  /// Bits that ask, in the order of priority: the first set bit counts.
  [[nodiscard]] std::optional<uint8_t> first(uint8_t bits) const;

  uint8_t elcr_mask_;
  uint8_t vector_base_{};
  uint8_t requests_{}, in_service_{}, mask_{0xff};
  uint8_t levels_{};  ///< of the inputs, as they are now
  uint8_t elcr_{};
  uint8_t lowest_{7};    ///< the input with the lowest priority
  uint8_t expected_{};   ///< the initialisation word that comes next: 2 to 4, 0 when initialised
  uint8_t icw1_{};
  bool automatic_eoi_{}, rotates_{}, special_mask_{}, special_nested_{}, read_in_service_{}, poll_{};
};

/// Both, the second behind input 2 of the first, at 0x20, 0xa0 and 0x4d0.
class PicPair : public IoDevice {
 public:
  static constexpr uint16_t primary = 0x20, secondary = 0xa0, edge_level = 0x4d0;

  PicPair();

  /// `line` 0 to 15; 2 is the cascade and belongs to nobody.
  void set_line(unsigned line, bool asserted);
  /// The vector that an acknowledge cycle would give now; empty while INTR is not asserted.
  [[nodiscard]] std::optional<uint8_t> external_vector() const;
  void acknowledge();

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  STATE_FIELDS(first_, second_)

 private:
  static constexpr unsigned cascade = 2;
  [[nodiscard]] Pic8259& chip(uint16_t port) { return (port & 0x80) != 0 ? second_ : first_; }
  void connect();

  Pic8259 first_{0xf8};   // inputs 0, 1 and 2 are always edge-triggered (ICH9, 13.4.9)
  Pic8259 second_{0xde};  // and so are 8 and 13
};

}  // namespace machine
