#include "sim/machine/devices/pic.h"

namespace machine {
namespace {

constexpr uint8_t bit(unsigned n) {
  return static_cast<uint8_t>(1u << n);
}

}  // namespace

void Pic8259::set_input(unsigned input, bool asserted) {
  const uint8_t mask = bit(input);
  const bool was = (levels_ & mask) != 0;
  levels_ = static_cast<uint8_t>(asserted ? levels_ | mask : levels_ & ~mask);
  // An input that falls before the acknowledge cycle takes its request with it, whatever its trigger (8259A, "interrupt
  // sequence": the default is then input 7).
  if (!asserted) requests_ = static_cast<uint8_t>(requests_ & ~mask);
  else if ((elcr_ & mask) != 0 || !was) requests_ |= mask;
}

std::optional<uint8_t> Pic8259::first(uint8_t bits) const {
  for (unsigned i = 1; i <= 8; ++i) {
    const unsigned input = (lowest_ + i) & 7;
    if ((bits & bit(input)) != 0) return static_cast<uint8_t>(input);
  }
  return std::nullopt;
}

std::optional<uint8_t> Pic8259::pending() const {
  if (expected_ != 0) return std::nullopt;
  const auto request = first(static_cast<uint8_t>(requests_ & ~mask_));
  if (!request) return std::nullopt;
  // Special mask mode: what is in service and masked blocks nobody.
  uint8_t blocking = special_mask_ ? static_cast<uint8_t>(in_service_ & ~mask_) : in_service_;
  // Special fully nested mode: a request of the second chip may follow one that is served.
  if (special_nested_ && *request == 2) blocking = static_cast<uint8_t>(blocking & ~bit(2));
  const auto served = first(blocking);
  const unsigned request_rank = (*request - lowest_ - 1u) & 7;
  if (served && ((*served - lowest_ - 1u) & 7) <= request_rank) return std::nullopt;
  return request;
}

uint8_t Pic8259::acknowledge() {
  const auto input = pending();
  if (!input) return 7;
  const uint8_t mask = bit(*input);
  if ((elcr_ & mask) == 0) requests_ = static_cast<uint8_t>(requests_ & ~mask);
  if (!automatic_eoi_) in_service_ |= mask;
  else if (rotates_) lowest_ = *input;
  return *input;
}

void Pic8259::end(unsigned input, bool rotate) {
  in_service_ = static_cast<uint8_t>(in_service_ & ~bit(input));
  if (rotate) lowest_ = static_cast<uint8_t>(input);
}

void Pic8259::operation_word2(uint8_t value) {
  const bool rotate = (value & 0x80) != 0, specific = (value & 0x40) != 0, eoi = (value & 0x20) != 0;
  const uint8_t input = value & 7;
  if (eoi && specific) {
    end(input, rotate);
  } else if (eoi) {
    if (const auto served = first(in_service_)) end(*served, rotate);
  } else if (specific) {
    if (rotate) lowest_ = input;  // set priority; 0x40 alone is no operation
  } else {
    rotates_ = rotate;  // rotate in automatic EOI mode
  }
}

void Pic8259::begin(uint8_t icw1) {
  icw1_ = icw1;
  requests_ = in_service_ = mask_ = 0;
  // A level-triggered input asks again at once; an edge must come anew.
  requests_ = static_cast<uint8_t>(levels_ & elcr_);
  lowest_ = 7;
  automatic_eoi_ = rotates_ = special_mask_ = special_nested_ = read_in_service_ = poll_ = false;
  expected_ = 2;
}

void Pic8259::initialisation_word(uint8_t value) {
  if (expected_ == 2) {
    vector_base_ = value & 0xf8;
    const bool single = (icw1_ & 2) != 0, more = (icw1_ & 1) != 0;
    expected_ = !single ? 3 : more ? 4 : 0;
  } else if (expected_ == 3) {
    expected_ = (icw1_ & 1) != 0 ? 4 : 0;  // how the chips are wired is not for software to say
  } else {
    automatic_eoi_ = (value & 2) != 0;
    special_nested_ = (value & 0x10) != 0;
    expected_ = 0;
  }
}

void Pic8259::command(uint8_t value) {
  if ((value & 0x10) != 0) return begin(value);
  if ((value & 0x08) == 0) return operation_word2(value);
  if ((value & 0x40) != 0) special_mask_ = (value & 0x20) != 0;
  poll_ = (value & 0x04) != 0;
  if ((value & 0x02) != 0) read_in_service_ = (value & 1) != 0;
}

void Pic8259::write(bool data, uint8_t value) {
  if (!data) command(value);
  else if (expected_ != 0) initialisation_word(value);
  else mask_ = value;
}

uint8_t Pic8259::read(bool data) {
  if (poll_) {
    poll_ = false;
    const bool asked = pending().has_value();
    return static_cast<uint8_t>(asked ? 0x80 | acknowledge() : 0);
  }
  if (data) return mask_;
  return read_in_service_ ? in_service_ : requests_;
}

void Pic8259::initialise(uint8_t vector_base, uint8_t unmasked) {
  begin(0x11);
  vector_base_ = vector_base;
  expected_ = 0;
  mask_ = static_cast<uint8_t>(~unmasked);
}

PicPair::PicPair() {
  first_.initialise(0x08, bit(cascade));  // as the firmware of a PC has them
  second_.initialise(0x70, 0);
}

/// The second chip's INTR is an input of the first.
void PicPair::connect() {
  first_.set_input(cascade, second_.pending().has_value());
}

void PicPair::set_line(unsigned line, bool asserted) {
  if (line == cascade) return;
  if (line < 8) first_.set_input(line, asserted);
  else second_.set_input(line - 8, asserted);
  connect();
}

std::optional<uint8_t> PicPair::external_vector() const {
  const auto input = first_.pending();
  if (!input) return std::nullopt;
  if (*input != cascade) return static_cast<uint8_t>(first_.vector_base() | *input);
  return static_cast<uint8_t>(second_.vector_base() | second_.pending().value_or(7));
}

void PicPair::acknowledge() {
  if (first_.acknowledge() != cascade) return;
  (void)second_.acknowledge();
  // The line falls with the acknowledge cycle and rises again if the second chip has more: an edge of its own.
  first_.set_input(cascade, false);
  connect();
}

uint32_t PicPair::io_read(const IoContext&, uint16_t port, uint8_t size) {
  if (size != 1) return all_ones(size);
  if (port >= edge_level) return port == edge_level ? first_.edge_level() : second_.edge_level();
  const uint8_t value = chip(port).read((port & 1) != 0);
  connect();
  return value;
}

void PicPair::io_write(const IoContext&, uint16_t port, uint8_t size, uint32_t value) {
  if (size != 1) return;
  const auto byte = static_cast<uint8_t>(value);
  if (port >= edge_level) (port == edge_level ? first_ : second_).set_edge_level(byte);
  else chip(port).write((port & 1) != 0, byte);
  connect();
}

}  // namespace machine
