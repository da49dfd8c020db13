// The devices of the PC board that know time: 8254 and RTC.
#include "sim/machine/devices/pit.h"
#include "sim/machine/devices/rtc.h"
#include "tests/support/catch.h"

namespace {

using namespace machine;
using support::Instant;

struct Wire : InterruptLines {
  bool level{};
  std::vector<uint64_t> rises;
  Instant* now{};
  void set_line(unsigned, bool asserted) override {
    if (asserted && !level) rises.push_back(now->ticks);
    level = asserted;
  }
};

/// A timed device behind its ports, in a world whose time only the test moves.
template <class Device>
struct World {
  vtl::VirtualProcessor vp;
  Instant now{};
  Wire wire;
  Device device;
  template <class... More>
  explicit World(More... more) : device{wire, more...} {
    wire.now = &now;
  }
  uint8_t in(uint16_t port) { return static_cast<uint8_t>(device.io_read({vp, now}, port, 1)); }
  void out(uint16_t port, uint32_t value) { device.io_write({vp, now}, port, 1, value); }
  void run_to(uint64_t ticks) {
    while (device.next_event().ticks <= ticks) {
      now = device.next_event();
      device.advance(now);
      REQUIRE(device.next_event() > now);
    }
    now = Instant{ticks};
  }
  void run_cycles(uint64_t cycles, uint64_t hertz) { run_to(ticks_until(cycles_in(now.ticks, hertz) + cycles, hertz)); }
};

using PitWorld = World<Pit>;

uint16_t count(PitWorld& world, unsigned channel) {
  world.out(0x43, channel << 6);
  const uint8_t low = world.in(static_cast<uint16_t>(0x40 + channel));
  return static_cast<uint16_t>(low | world.in(static_cast<uint16_t>(0x40 + channel)) << 8);
}
void program(PitWorld& world, unsigned channel, unsigned mode, unsigned value) {
  world.out(0x43, channel << 6 | 0x30 | mode << 1);
  world.out(static_cast<uint16_t>(0x40 + channel), value & 0xff);
  world.out(static_cast<uint16_t>(0x40 + channel), value >> 8);
}

constexpr int64_t new_year = 1'767'225'600;  // 2026-01-01 00:00:00, a Thursday
struct RtcWorld : World<Rtc> {
  explicit RtcWorld(int64_t seconds = new_year) : World{seconds} {}
  uint8_t get(uint8_t index) {
    out(0x70, index);
    return in(0x71);
  }
  void set(uint8_t index, uint8_t value) {
    out(0x70, index);
    out(0x71, value);
  }
  void seconds(uint64_t n) { run_to(now.ticks + n * support::ticks_per_second); }
};

}  // namespace

TEST_CASE("PIT mode 2 interrupts once per period for ever, exactly in cycles of 1.193182 MHz") {
  PitWorld world;
  program(world, 0, 2, 1193);
  world.wire.rises.clear();
  world.run_to(support::ticks_per_second);
  // The count is loaded with the next cycle: 1193182 - 1 cycles hold 1000 periods and a bit.
  REQUIRE(world.wire.rises.size() == 1000);
  for (uint64_t i = 0; i < 1000; ++i) EXPECT(world.wire.rises[i] == ticks_until(1 + 1193 * (i + 1), Pit::hertz));
}

TEST_CASE("PIT mode 0 interrupts once, and counts on below zero") {
  PitWorld world;
  program(world, 0, 0, 100);
  EXPECT(!world.wire.level);
  world.run_cycles(50, Pit::hertz);
  EXPECT(count(world, 0) == 51);
  EXPECT(world.wire.rises.empty());
  world.run_cycles(60, Pit::hertz);
  EXPECT(world.wire.rises.size() == 1);
  EXPECT(world.wire.level);
  EXPECT(count(world, 0) == 0x10000 - 9);
  world.run_to(support::ticks_per_second);
  EXPECT(world.wire.rises.size() == 1);
  world.out(0x43, 0x30);  // a control word takes OUT down
  EXPECT(!world.wire.level);
}

TEST_CASE("PIT mode 3 counts by two and its output is a square wave at port 0x61") {
  PitWorld world;
  world.out(0x61, 1);
  program(world, 2, 3, 1000);
  world.run_cycles(1, Pit::hertz);
  EXPECT((world.in(0x61) & 0x20) != 0);
  world.run_cycles(100, Pit::hertz);
  EXPECT(count(world, 2) == 1000 - 200);
  world.run_cycles(400, Pit::hertz);
  EXPECT((world.in(0x61) & 0x20) == 0);
  world.run_cycles(500, Pit::hertz);
  EXPECT((world.in(0x61) & 0x20) != 0);
}

TEST_CASE("The gate of channel 2 stops mode 0 and starts mode 1") {
  PitWorld world;
  program(world, 2, 0, 1000);
  world.run_cycles(500, Pit::hertz);
  EXPECT(count(world, 2) == 1000);
  world.out(0x61, 1);
  world.run_cycles(400, Pit::hertz);
  EXPECT(count(world, 2) <= 601);
  world.out(0x61, 0);
  const uint16_t stopped = count(world, 2);
  world.run_cycles(5000, Pit::hertz);
  EXPECT(count(world, 2) == stopped);
  EXPECT((world.in(0x61) & 0x20) == 0);
  world.out(0x61, 1);
  world.run_cycles(601, Pit::hertz);
  EXPECT((world.in(0x61) & 0x20) != 0);

  world.out(0x61, 0);
  program(world, 2, 1, 50);
  world.run_cycles(500, Pit::hertz);
  EXPECT((world.in(0x61) & 0x20) != 0);
  world.out(0x61, 1);
  world.run_cycles(10, Pit::hertz);
  EXPECT((world.in(0x61) & 0x20) == 0);
  world.run_cycles(50, Pit::hertz);
  EXPECT((world.in(0x61) & 0x20) != 0);
}

TEST_CASE("PIT latches hold a count and a status, BCD counts in tens, single bytes are half a count") {
  PitWorld world;
  world.out(0x43, 0xb5);  // channel 2, both bytes, mode 2, BCD
  world.out(0x42, 0x00);
  world.out(0x42, 0x10);
  world.out(0x61, 1);
  world.run_cycles(2, Pit::hertz);
  EXPECT(count(world, 2) == 0x0999);
  world.out(0x43, 0xc8);  // read back: count and status of channel 2
  world.run_cycles(100, Pit::hertz);
  EXPECT((world.in(0x42) & 0x3f) == 0x35);
  EXPECT(world.in(0x42) == 0x99);
  EXPECT(world.in(0x42) == 0x09);
  world.out(0x43, 0x90);  // low byte only, mode 0
  world.out(0x42, 0x20);
  world.run_cycles(2, Pit::hertz);
  EXPECT(world.in(0x42) == 0x1f);
}

TEST_CASE("The clock shows the configured date and runs with the instants") {
  RtcWorld world;
  EXPECT((world.get(9) == 0x26 && world.get(8) == 1 && world.get(7) == 1 && world.get(6) == 5 && world.get(0x32) == 0x20));
  EXPECT((world.get(0) == 0 && world.get(2) == 0 && world.get(4) == 0));
  world.seconds(59 + 60 * 59 + 3600 * 13);
  EXPECT((world.get(0) == 0x59 && world.get(2) == 0x59 && world.get(4) == 0x13));
  EXPECT((world.get(10) & 0x80) == 0);
  world.run_to(world.now.ticks + support::ticks_per_second - 1000);
  EXPECT((world.get(10) & 0x80) != 0);
  world.run_to(world.now.ticks + 1000);
  EXPECT((world.get(0) == 0 && world.get(2) == 0 && world.get(4) == 0x14));
  world.set(11, 0x04);  // binary, twelve hours
  EXPECT(world.get(4) == (2 | 0x80));
}

TEST_CASE("The clock can be set, knows leap years, and stands while SET is") {
  RtcWorld world;
  world.set(11, 0x86);
  for (const auto& [index, value] : std::map<uint8_t, uint8_t>{{0, 58}, {2, 59}, {4, 23}, {7, 28}, {8, 2}, {9, 28}})
    world.set(index, value);
  world.seconds(100);
  EXPECT(world.get(0) == 58);
  world.set(11, 0x06);
  world.seconds(2);
  EXPECT((world.get(7) == 29 && world.get(8) == 2 && world.get(4) == 0));
  world.seconds(86'400);
  EXPECT((world.get(7) == 1 && world.get(8) == 3));
  RtcWorld turn{-1};  // 1969-12-31 23:59:59
  EXPECT((turn.get(9) == 0x69 && turn.get(0x32) == 0x19 && turn.get(4) == 0x23));
}

TEST_CASE("The clock's periodic interrupt comes at its rate, and waits for register C") {
  RtcWorld world;
  world.set(10, 0x26);  // 1024 Hz
  world.set(11, 0x42);
  (void)world.get(12);
  world.wire.rises.clear();
  world.seconds(1);
  EXPECT(world.wire.rises.size() == 1);  // nobody read register C
  EXPECT(world.get(12) == 0xd0);         // periodic and update
  EXPECT(world.get(12) == 0);
  for (int i = 0; i < 1024; ++i) {
    world.run_cycles(32, 32768);
    (void)world.get(12);
  }
  EXPECT(world.wire.rises.size() == 1 + 1024);
}

TEST_CASE("The clock's alarm comes at its time and with wildcards every second") {
  RtcWorld world;
  world.set(1, 0x05);
  world.set(3, 0x01);
  world.set(5, 0x00);
  world.set(11, 0x22);
  world.wire.rises.clear();
  world.seconds(64);
  EXPECT(world.wire.rises.empty());
  world.seconds(1);
  REQUIRE(world.wire.rises.size() == 1);
  EXPECT(world.wire.rises[0] == 65 * support::ticks_per_second);
  EXPECT((world.get(12) & 0xa0) == 0xa0);
  world.set(1, 0xff);
  world.set(3, 0xff);
  world.set(5, 0xff);
  for (int i = 0; i < 3; ++i) {
    world.seconds(1);
    (void)world.get(12);
  }
  EXPECT(world.wire.rises.size() == 4);
}

TEST_CASE("Devices act in the order of time, and at one instant in the order of the board") {
  struct Bell : TimedDevice {
    std::vector<std::pair<int, uint64_t>>& rung;
    int name;
    uint64_t period, next;
    Bell(std::vector<std::pair<int, uint64_t>>& log, int number, uint64_t every)
        : rung{log}, name{number}, period{every}, next{every} {}
    [[nodiscard]] Instant next_event() const override { return {next}; }
    void advance(Instant now) override {
      rung.emplace_back(name, now.ticks);
      next += period;
    }
  };
  std::vector<std::pair<int, uint64_t>> rung;
  Bell first{rung, 1, 6}, second{rung, 2, 4};
  DeviceClock clock;
  EXPECT(clock.next_event() == support::never);
  clock.add(first);
  clock.add(second);
  EXPECT(clock.next_event() == Instant{4});
  clock.advance(Instant{12});
  EXPECT(rung == std::vector<std::pair<int, uint64_t>>{{2, 4}, {1, 6}, {2, 8}, {1, 12}, {2, 12}});
}
