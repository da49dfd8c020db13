#include "sim/machine/devices/pit.h"

namespace machine {
namespace {

constexpr uint8_t latch_command = 0, low_only = 1, high_only = 2, both_bytes = 3;

uint32_t from_bcd(uint16_t value) {
  return (value & 15u) + ((value >> 4) & 15u) * 10 + ((value >> 8) & 15u) * 100 + (value >> 12) * 1000u;
}
uint16_t to_bcd(uint32_t value) {
  return static_cast<uint16_t>(value % 10 | (value / 10 % 10) << 4 | (value / 100 % 10) << 8 |
                               (value / 1000 % 10) << 12);
}

}  // namespace

unsigned PitCounter::mode() const {
  const unsigned mode = (control_ >> 1) & 7;
  return mode > 5 ? mode - 4 : mode;  // bit 2 of modes 2 and 3 does not matter
}

void PitCounter::set_control(uint8_t word) {
  control_ = word & 0x3f;
  low_next_ = read_low_next_ = true;
  latched_bytes_ = 0;
  has_status_ = false;
  loaded_ = false;
}

void PitCounter::load(uint16_t value, Cycles now, bool gate) {
  const bool bcd = (control_ & 1) != 0;
  reload_ = bcd ? from_bcd(value) : value;
  if (reload_ == 0) reload_ = bcd ? 10'000 : 0x10000;
  // Modes 1 and 5 wait for a rising gate. Modes 2 and 3 finish the period that runs; all periods here are cut short
  // instead, as a driver that writes a count means it.
  const bool waits = mode() == 1 || mode() == 5;
  started_ = waits ? never : now + 1;  // a count is loaded with the next cycle
  paused_ = gate ? 0 : started_;
  loaded_ = true;
}

void PitCounter::write(uint8_t value, Cycles now, bool gate) {
  switch (access()) {
    case low_only: return load(value, now, gate);
    case high_only: return load(static_cast<uint16_t>(value << 8), now, gate);
    case both_bytes:
      if (low_next_) {
        written_low_ = value;
        if (mode() == 0) loaded_ = false;  // the first byte stops a count in mode 0
      } else {
        load(static_cast<uint16_t>(value << 8 | written_low_), now, gate);
      }
      low_next_ = !low_next_;
      return;
    default: return;
  }
}

PitCounter::Cycles PitCounter::elapsed(Cycles now, bool gate) const {
  if (!loaded_ || started_ == never) return 0;
  const Cycles until = gate || mode() == 1 || mode() == 5 ? now : paused_;
  return until > started_ ? until - started_ : 0;
}

uint16_t PitCounter::count(Cycles now, bool gate) const {
  const Cycles passed = elapsed(now, gate);
  const bool bcd = (control_ & 1) != 0;
  const Cycles modulus = bcd ? 10'000 : 0x10000;
  uint64_t value = 0;
  switch (mode()) {
    case 2: value = period() - passed % period(); break;
    case 3: {  // counts by two, twice per period
      const Cycles half = (passed % period()) * 2 % period();
      value = (period() - half) & ~uint64_t{1};
      break;
    }
    default: value = (period() + modulus - passed % modulus) % modulus; break;  // runs on below zero
  }
  value %= modulus;
  return bcd ? to_bcd(static_cast<uint32_t>(value)) : static_cast<uint16_t>(value);
}

bool PitCounter::out(Cycles now, bool gate) const {
  const unsigned mode = this->mode();
  if (!loaded_) return mode != 0;
  const Cycles passed = elapsed(now, gate);
  switch (mode) {
    case 0: return passed >= period();
    case 1: return started_ == never || passed >= period();
    case 2: return !gate || passed % period() != period() - 1;
    case 3: return !gate || passed % period() < (period() + 1) / 2;
    default: return started_ == never || passed != period();  // one low cycle
  }
}

PitCounter::Cycles PitCounter::next_rise(Cycles now, bool gate) const {
  const unsigned mode = this->mode();
  if (!loaded_ || started_ == never || (!gate && mode != 1 && mode != 5)) return never;
  if (mode == 2 || mode == 3) {
    const Cycles periods = now < started_ ? 0 : (now - started_) / period();
    return started_ + (periods + 1) * period();
  }
  const Cycles rise = started_ + period() + (mode >= 4 ? 1 : 0);
  return rise > now ? rise : never;
}

void PitCounter::set_gate(bool before, bool gate, Cycles now) {
  if (before == gate || !loaded_) return;
  const bool waits = mode() == 1 || mode() == 5;
  if (waits || mode() == 2 || mode() == 3) {
    if (gate) started_ = now + 1;  // a rising gate begins anew
    else paused_ = now;
  } else if (!gate) {
    paused_ = now;
  } else {
    started_ += now > paused_ ? now - paused_ : 0;
  }
}

void PitCounter::latch_count(Cycles now, bool gate) {
  if (latched_bytes_ != 0) return;
  latched_ = count(now, gate);
  latched_bytes_ = access() == both_bytes ? 2 : 1;
}

void PitCounter::latch_status(Cycles now, bool gate) {
  if (has_status_) return;
  latched_status_ = static_cast<uint8_t>(control_ | (out(now, gate) ? 0x80 : 0) | (loaded_ ? 0 : 0x40));
  has_status_ = true;
}

uint8_t PitCounter::read(Cycles now, bool gate) {
  if (has_status_) {
    has_status_ = false;
    return latched_status_;
  }
  const uint16_t value = latched_bytes_ != 0 ? latched_ : count(now, gate);
  bool high = access() == high_only;
  if (access() == both_bytes) {
    high = !read_low_next_;
    read_low_next_ = !read_low_next_;
  }
  if (latched_bytes_ != 0) --latched_bytes_;
  return static_cast<uint8_t>(high ? value >> 8 : value);
}

Pit::Pit(InterruptLines& lines) : lines_{lines} {
  channels_[0].set_control(0x34);
  channels_[0].write(0, 0, true);
  channels_[0].write(0, 0, true);
  plan(0);
}

void Pit::plan(PitCounter::Cycles now) {
  const PitCounter::Cycles rise = channels_[0].next_rise(now, true);
  next_ = rise == PitCounter::never ? support::never : support::Instant{ticks_until(rise, hertz)};
}

/// In mode 0 OUT is low from the control word to the end of the count. The single low cycles of the other modes are part of
/// the pulse at their end.
void Pit::lower_line(PitCounter::Cycles now) {
  if (!channels_[0].out(now, true)) lines_.set_line(line, false);
}

void Pit::advance(support::Instant now) {
  lines_.pulse(line);
  plan(cycles_in(now.ticks, hertz));
}

void Pit::read_back(uint8_t value, PitCounter::Cycles now) {
  for (unsigned channel = 0; channel < 3; ++channel) {
    if (((value >> (channel + 1)) & 1) == 0) continue;
    if ((value & 0x20) == 0) channels_[channel].latch_count(now, gate(channel));
    if ((value & 0x10) == 0) channels_[channel].latch_status(now, gate(channel));
  }
}

void Pit::write_control(uint8_t value, PitCounter::Cycles now) {
  const unsigned channel = value >> 6;
  if (channel == 3) return read_back(value, now);
  if (((value >> 4) & 3) == latch_command) return channels_[channel].latch_count(now, gate(channel));
  channels_[channel].set_control(value);
  lower_line(now);
}

uint32_t Pit::io_read(const IoContext& context, uint16_t port, uint8_t size) {
  if (size != 1) return all_ones(size);
  const PitCounter::Cycles now = cycles_in(context.now.ticks, hertz);
  if (port == port_b) {
    const bool refresh = (now / 18 & 1) != 0;  // toggles with each memory refresh, every 15 microseconds
    return port_b_ | (refresh ? 0x10u : 0u) | (channels_[2].out(now, gate(2)) ? 0x20u : 0u);
  }
  const unsigned channel = port - counters;
  return channel < 3 ? channels_[channel].read(now, gate(channel)) : 0xffu;
}

void Pit::io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) {
  if (size != 1) return;
  const PitCounter::Cycles now = cycles_in(context.now.ticks, hertz);
  const auto byte = static_cast<uint8_t>(value);
  if (port == port_b) {
    const bool before = gate(2);
    port_b_ = byte & 3;
    return channels_[2].set_gate(before, gate(2), now);
  }
  const unsigned channel = port - counters;
  if (channel == 3) write_control(byte, now);
  else channels_[channel].write(byte, now, gate(channel));
  if (channel == 0 || channel == 3) {
    lower_line(now);
    plan(now);
  }
}

}  // namespace machine
