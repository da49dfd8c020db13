#include "sim/machine/devices/rtc.h"

#include <algorithm>

namespace machine {
namespace {

enum Register : uint8_t {
  Seconds = 0, SecondsAlarm = 1, Minutes = 2, MinutesAlarm = 3, Hours = 4, HoursAlarm = 5, DayOfWeek = 6,
  DayOfMonth = 7, Month = 8, Year = 9, A = 0x0a, B = 0x0b, C = 0x0c, D = 0x0d, Century = 0x32
};
constexpr uint8_t periodic_bit = 0x40, alarm_bit = 0x20, update_bit = 0x10, interrupt_bit = 0x80;
constexpr uint8_t binary_bit = 0x04, hours24_bit = 0x02, afternoon = 0x80;
constexpr uint64_t crystal = 32'768;
/// Register A says an update is in progress from 244 microseconds before the second changes.
constexpr uint64_t update_ticks = support::ticks_per_second / 1'000'000 * 244;
constexpr int64_t day_seconds = 86'400;

struct Date {
  int64_t year;
  uint32_t month, day;
};

/// Proleptic Gregorian date of a day since 1970-01-01, by 400-year eras that begin on 1 March.
Date date_of(int64_t days) {
  const int64_t shifted = days + 719'468;
  const int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const int64_t of_era = shifted - era * 146'097;
  const int64_t year_of_era = (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
  const int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month = (5 * of_year + 2) / 153;  // 0 is March
  const auto day = static_cast<uint32_t>(of_year - (153 * month + 2) / 5 + 1);
  const auto calendar_month = static_cast<uint32_t>(month < 10 ? month + 3 : month - 9);
  return {year_of_era + era * 400 + (calendar_month <= 2 ? 1 : 0), calendar_month, day};
}

int64_t days_of(const Date& date) {
  const int64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t month = date.month > 2 ? int64_t{date.month} - 3 : int64_t{date.month} + 9;
  const int64_t of_year = (153 * month + 2) / 5 + date.day - 1;
  return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719'468;
}

int64_t floor_days(int64_t seconds) {
  return (seconds >= 0 ? seconds : seconds - (day_seconds - 1)) / day_seconds;
}

bool keeps_time(uint8_t index) {
  return index <= Year && index != SecondsAlarm && index != MinutesAlarm && index != HoursAlarm;
}

}  // namespace

Rtc::Rtc(InterruptLines& lines, int64_t seconds) : lines_{lines}, seconds_{seconds} {}

int64_t Rtc::now_seconds(support::Instant now) const {
  if (set_mode() || now <= set_at_) return seconds_;
  return seconds_ + static_cast<int64_t>((now - set_at_) / support::ticks_per_second);
}

uint8_t Rtc::encode(uint32_t value) const {
  return static_cast<uint8_t>((register_b_ & binary_bit) != 0 ? value : value % 10 | (value / 10 % 10) << 4);
}

uint32_t Rtc::decode(uint8_t value) const {
  return (register_b_ & binary_bit) != 0 ? value : (value & 15u) + (value >> 4) * 10u;
}

uint8_t Rtc::time_register(uint8_t index, support::Instant now) const {
  const int64_t seconds = now_seconds(now);
  const int64_t days = floor_days(seconds);
  const auto of_day = static_cast<uint32_t>(seconds - days * day_seconds);
  const Date date = date_of(days);
  const uint32_t hour = of_day / 3600;
  switch (index) {
    case Seconds: return encode(of_day % 60);
    case Minutes: return encode(of_day / 60 % 60);
    case Hours:
      if ((register_b_ & hours24_bit) != 0) return encode(hour);
      return static_cast<uint8_t>(encode((hour + 11) % 12 + 1) | (hour >= 12 ? afternoon : 0));
    case DayOfWeek: return encode(static_cast<uint32_t>(((days + 4) % 7 + 7) % 7) + 1);  // Sunday is 1
    case DayOfMonth: return encode(date.day);
    case Month: return encode(date.month);
    case Year: return encode(static_cast<uint32_t>(date.year % 100));
    default: return encode(static_cast<uint32_t>(date.year / 100));
  }
}

void Rtc::set_time_register(uint8_t index, uint8_t value, support::Instant now) {
  const int64_t seconds = now_seconds(now);
  const int64_t days = floor_days(seconds);
  Date date = date_of(days);
  auto of_day = static_cast<uint32_t>(seconds - days * day_seconds);
  const uint32_t number = decode(index == Hours ? value & 0x7f : value);
  switch (index) {
    case Seconds: of_day = of_day - of_day % 60 + number % 60; break;
    case Minutes: of_day = of_day - of_day / 60 % 60 * 60 + number % 60 * 60; break;
    case Hours: {
      const bool half_days = (register_b_ & hours24_bit) == 0;
      const uint32_t hour = half_days ? number % 12 + ((value & afternoon) != 0 ? 12 : 0) : number % 24;
      of_day = of_day % 3600 + hour * 3600;
      break;
    }
    case DayOfMonth: date.day = std::clamp(number, 1u, 31u); break;
    case Month: date.month = std::clamp(number, 1u, 12u); break;
    case Year: date.year = date.year - date.year % 100 + number % 100; break;
    case Century: date.year = date.year % 100 + std::clamp(number, 1u, 99u) * 100; break;
    default: return;  // the day of the week follows from the date
  }
  // The fraction of the second goes on: the divider chain is not touched.
  const uint64_t fraction = set_mode() || now <= set_at_ ? 0 : (now - set_at_) % support::ticks_per_second;
  seconds_ = days_of(date) * day_seconds + of_day;
  set_at_ = support::Instant{now.ticks - fraction};
}

support::Instant Rtc::next_periodic(support::Instant after) const {
  unsigned rate = register_a_ & 15;
  if (rate == 0) return support::never;
  if (rate < 3) rate += 7;
  const uint64_t period = uint64_t{1} << (rate - 1);
  const uint64_t cycles = cycles_in(after.ticks, crystal);
  return support::Instant{ticks_until((cycles / period + 1) * period, crystal)};
}

support::Instant Rtc::next_update(support::Instant after) const {
  if (set_mode()) return support::never;
  if (after < set_at_) return set_at_ + support::ticks_per_second;
  return set_at_ + ((after - set_at_) / support::ticks_per_second + 1) * support::ticks_per_second;
}

bool Rtc::alarm_matches(int64_t seconds) const {
  const auto of_day = static_cast<uint32_t>(seconds - floor_days(seconds) * day_seconds);
  // Both top bits set: any value will do.
  auto matches = [](uint8_t alarm, uint8_t shown) { return (alarm & 0xc0) == 0xc0 || alarm == shown; };
  const uint32_t hour = of_day / 3600;
  const uint8_t shown_hour = (register_b_ & hours24_bit) != 0
                                 ? encode(hour)
                                 : static_cast<uint8_t>(encode((hour + 11) % 12 + 1) | (hour >= 12 ? afternoon : 0));
  return matches(memory_[SecondsAlarm], encode(of_day % 60)) &&
         matches(memory_[MinutesAlarm], encode(of_day / 60 % 60)) && matches(memory_[HoursAlarm], shown_hour);
}

support::Instant Rtc::next_alarm(support::Instant after) const {
  support::Instant at = next_update(after);
  if (at == support::never) return at;
  int64_t seconds = now_seconds(at);
  for (int64_t i = 0; i < day_seconds; ++i, ++seconds, at = at + support::ticks_per_second)
    if (alarm_matches(seconds)) return at;
  return support::never;
}

uint8_t Rtc::flags(support::Instant now) const {
  uint8_t value = 0;
  if (next_periodic(flags_from_) <= now) value |= periodic_bit;
  if (next_update(flags_from_) <= now) {
    value |= update_bit;
    if (next_alarm(flags_from_) <= now) value |= alarm_bit;
  }
  if ((value & register_b_ & (periodic_bit | update_bit | alarm_bit)) != 0) value |= interrupt_bit;
  return value;
}

/// Finds when the line rises next; while it is high, reading register C comes first.
void Rtc::plan(support::Instant now) {
  next_ = support::never;
  if (asserted_) return;
  if ((register_b_ & periodic_bit) != 0) next_ = std::min(next_, next_periodic(flags_from_));
  if ((register_b_ & update_bit) != 0) next_ = std::min(next_, next_update(flags_from_));
  if ((register_b_ & alarm_bit) != 0) next_ = std::min(next_, next_alarm(flags_from_));
  // A flag that stands since before its interrupt was enabled asks at once.
  if (next_ <= now) advance(now);
}

void Rtc::advance(support::Instant) {
  asserted_ = true;
  next_ = support::never;
  lines_.set_line(line, true);
}

uint8_t Rtc::read_flags(support::Instant now) {
  const uint8_t value = flags(now);
  flags_from_ = now;
  asserted_ = false;
  lines_.set_line(line, false);
  plan(now);
  return value;
}

uint32_t Rtc::io_read(const IoContext& context, uint16_t port, uint8_t size) {
  if (size != 1) return all_ones(size);
  if (port == index_port) return 0xff;  // write only, as on a PC
  const support::Instant now = context.now;
  if (keeps_time(index_) || index_ == Century) return time_register(index_, now);
  switch (index_) {
    case A: {
      const support::Instant update = next_update(now);
      return register_a_ | (update != support::never && update - now <= update_ticks ? 0x80u : 0u);
    }
    case B: return register_b_;
    case C: return read_flags(now);
    case D: return 0x80;  // the battery is good
    default: return memory_[index_];
  }
}

void Rtc::io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) {
  if (size != 1) return;
  const auto byte = static_cast<uint8_t>(value);
  if (port == index_port) {
    index_ = byte & 0x7f;  // bit 7 masks NMI, which nothing here raises
    return;
  }
  const support::Instant now = context.now;
  if (index_ == C || index_ == D) return;
  if (keeps_time(index_) || index_ == Century) {
    set_time_register(index_, byte, now);
  } else if (index_ == A) {
    register_a_ = byte & 0x7f;
  } else if (index_ == B) {
    const int64_t seconds = now_seconds(now);
    const bool before = set_mode();
    register_b_ = byte;
    if (before != set_mode()) {  // time stands still while SET is, and goes on with a whole second
      seconds_ = seconds;
      set_at_ = now;
    }
  } else {
    memory_[index_] = byte;
  }
  plan(now);
}

}  // namespace machine
