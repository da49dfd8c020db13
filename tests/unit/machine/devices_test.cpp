// The devices behind their ports, with a memory that is only bytes.
#include <cstring>
#include <map>

#include "sim/machine/devices/ata_disk.h"
#include "sim/machine/devices/io_bus.h"
#include "sim/machine/devices/launch_port.h"
#include "sim/machine/devices/observation_port.h"
#include "sim/machine/devices/platform.h"
#include "sim/machine/devices/serial.h"
#include "tests/support/catch.h"

namespace {

using namespace machine;

struct FlatMemory : DmaBus {
  std::vector<uint8_t> bytes = std::vector<uint8_t>(0x40000);
  uint64_t forbidden = ~uint64_t{0};  ///< a page that VTL 0 may not touch

  bool permitted(mmu::Gpa at, size_t size) const {
    return at.value() + size <= bytes.size() && !(at.value() < forbidden + 4096 && forbidden < at.value() + size);
  }
  bool dma_read(mmu::Gpa from, std::span<uint8_t> to) override {
    if (!permitted(from, to.size())) return false;
    std::memcpy(to.data(), &bytes[from.value()], to.size());
    return true;
  }
  bool dma_write(mmu::Gpa to, std::span<const uint8_t> from) override {
    if (!permitted(to, from.size())) return false;
    std::memcpy(&bytes[to.value()], from.data(), from.size());
    return true;
  }
  template <class T>
  void put(uint64_t at, T value) {
    std::memcpy(&bytes[at], &value, sizeof(T));
  }
};

struct Listener : support::EventSink {
  std::vector<std::pair<support::EventKind, std::string>> heard;
  std::vector<uint64_t> a;
  void on(const support::Event& event) override {
    heard.emplace_back(event.kind, std::string{event.text});
    a.push_back(event.a);
  }
};

struct Bench {
  vtl::VirtualProcessor vp;
  IoContext context{vp, support::Instant{7}};
};

std::vector<uint8_t> numbered_disk(size_t sectors) {
  std::vector<uint8_t> bytes(sectors * 512);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i / 512 * 31 + i % 251);
  return bytes;
}

void set_lba28(AtaDisk& disk, const IoContext& c, uint32_t lba, uint8_t count) {
  disk.io_write(c, 0x1f6, 1, 0xe0 | (lba >> 24));
  disk.io_write(c, 0x1f2, 1, count);
  disk.io_write(c, 0x1f3, 1, lba & 0xff);
  disk.io_write(c, 0x1f4, 1, (lba >> 8) & 0xff);
  disk.io_write(c, 0x1f5, 1, (lba >> 16) & 0xff);
}

constexpr uint8_t error_bit = 0x01, ready = 0x50;

}  // namespace

TEST_CASE("a port that nobody claims reads all ones and drops writes") {
  Bench bench;
  const IoBus bus;
  EXPECT(bus.read(bench.context, 0x1234, 1) == 0xff);
  EXPECT(bus.read(bench.context, 0x1234, 2) == 0xffff);
  EXPECT(bus.read(bench.context, 0x1234, 4) == 0xffff'ffff);
  bus.write(bench.context, 0x1234, 4, 1);
}

TEST_CASE("a bus hands a port to the last device that claimed it") {
  Bench bench;
  CmosClock first;
  MaskedPic second;
  IoBus bus;
  bus.claim(0x21, 1, first);
  bus.claim(0x20, 2, second);
  bus.write(bench.context, 0x21, 1, 0x5a);
  EXPECT(bus.read(bench.context, 0x21, 1) == 0x5a);
}

TEST_CASE("the disk reads sectors by programmed I/O") {
  Bench bench;
  FlatMemory memory;
  const DiskImage image{numbered_disk(8)};
  AtaDisk disk{&image, memory};
  set_lba28(disk, bench.context, 3, 2);
  disk.io_write(bench.context, 0x1f7, 1, 0x20);
  std::vector<uint8_t> got;
  while ((disk.io_read(bench.context, 0x1f7, 1) & 0x08) != 0) {
    const uint32_t word = disk.io_read(bench.context, 0x1f0, 2);
    got.push_back(static_cast<uint8_t>(word)), got.push_back(static_cast<uint8_t>(word >> 8));
  }
  const auto expected = image.read(3, 2);
  EXPECT(std::equal(got.begin(), got.end(), expected.begin(), expected.end()));
  EXPECT(disk.io_read(bench.context, 0x1f7, 1) == ready);
}

TEST_CASE("the disk reads sectors by DMA through a table of two regions, whichever starts last") {
  const bool master_first = GENERATE(true, false);
  Bench bench;
  FlatMemory memory;
  const DiskImage image{numbered_disk(16)};
  AtaDisk disk{&image, memory};
  memory.put<uint32_t>(0x1000, 0x8000), memory.put<uint32_t>(0x1004, 0x200);
  memory.put<uint32_t>(0x1008, 0x20000), memory.put<uint32_t>(0x100c, 0x8000'0400);
  disk.io_write(bench.context, 0xc004, 4, 0x1000);
  set_lba28(disk, bench.context, 5, 3);
  if (master_first) disk.io_write(bench.context, 0xc000, 1, 0x09);
  disk.io_write(bench.context, 0x1f7, 1, 0xc8);
  if (!master_first) disk.io_write(bench.context, 0xc000, 1, 0x09);
  const auto expected = image.read(5, 3);
  EXPECT(std::memcmp(&memory.bytes[0x8000], expected.data(), 0x200) == 0);
  EXPECT(std::memcmp(&memory.bytes[0x20000], expected.data() + 0x200, 0x400) == 0);
  EXPECT(disk.io_read(bench.context, 0xc002, 1) == 0x24);
  EXPECT(disk.io_read(bench.context, 0x1f7, 1) == ready);
}

TEST_CASE("48-bit commands take the second half of the address from the registers' previous contents") {
  Bench bench;
  FlatMemory memory;
  const DiskImage image{numbered_disk(4)};
  AtaDisk disk{&image, memory};
  disk.io_write(bench.context, 0x1f6, 1, 0x40);
  for (int i = 0; i < 2; ++i) disk.io_write(bench.context, 0x1f2, 1, 0);
  disk.io_write(bench.context, 0x1f2, 1, 1);
  disk.io_write(bench.context, 0x1f3, 1, 1), disk.io_write(bench.context, 0x1f3, 1, 2);  // LBA 31:24 = 1
  disk.io_write(bench.context, 0x1f7, 1, 0x24);
  EXPECT((disk.io_read(bench.context, 0x1f7, 1) & error_bit) != 0);  // sector 0x1000002 is not there
  disk.io_write(bench.context, 0x1f3, 1, 0), disk.io_write(bench.context, 0x1f3, 1, 2);
  disk.io_write(bench.context, 0x1f7, 1, 0x24);
  EXPECT((disk.io_read(bench.context, 0x1f7, 1) & error_bit) == 0);
}

TEST_CASE("what the disk cannot do fails as an ATA device fails") {
  Bench bench;
  FlatMemory memory;
  memory.forbidden = 0x8000;
  const DiskImage image{numbered_disk(4)};
  AtaDisk disk{&image, memory};

  SECTION("a sector past the end") {
    set_lba28(disk, bench.context, 3, 2);
    disk.io_write(bench.context, 0x1f7, 1, 0x20);
    EXPECT(disk.io_read(bench.context, 0x1f1, 1) == 0x10);
  }
  SECTION("a command that it does not know") {
    disk.io_write(bench.context, 0x1f7, 1, 0x35);
    EXPECT(disk.io_read(bench.context, 0x1f1, 1) == 0x04);
  }
  SECTION("DMA to memory that VTL 0 may not write") {
    memory.put<uint32_t>(0x1000, 0x7e00), memory.put<uint32_t>(0x1004, 0x8000'0400);
    disk.io_write(bench.context, 0xc004, 4, 0x1000);
    set_lba28(disk, bench.context, 0, 2);
    disk.io_write(bench.context, 0x1f7, 1, 0xc8);
    disk.io_write(bench.context, 0xc000, 1, 0x09);
    EXPECT((disk.io_read(bench.context, 0xc002, 1) & 0x02) != 0);
    EXPECT(memory.bytes[0x7e00] == 0);
  }
  SECTION("DMA whose table is not memory") {
    disk.io_write(bench.context, 0xc004, 4, 0xfff0'0000);
    set_lba28(disk, bench.context, 0, 1);
    disk.io_write(bench.context, 0x1f7, 1, 0xc8);
    disk.io_write(bench.context, 0xc000, 1, 0x09);
  }
  EXPECT((disk.io_read(bench.context, 0x1f7, 1) & error_bit) != 0);
}

TEST_CASE("a channel without a disk shows no status, whatever it is told") {
  Bench bench;
  FlatMemory memory;
  AtaDisk disk{nullptr, memory};
  disk.io_write(bench.context, 0x1f7, 1, 0xec);
  EXPECT(disk.io_read(bench.context, 0x1f7, 1) == 0);
}

TEST_CASE("a line sent to the serial port is announced when it is complete") {
  Bench bench;
  Listener listener;
  SerialPort port{SerialPort::com1, &listener};
  for (const char c : std::string{"hello\r\nwor"}) port.io_write(bench.context, 0x3f8, 1, static_cast<uint8_t>(c));
  REQUIRE(listener.heard.size() == 1);
  EXPECT(listener.heard[0].second == "hello");
  EXPECT((port.io_read(bench.context, 0x3fd, 1) & 0x20) != 0);
}

TEST_CASE("the serial port's divisor hides behind the latch bit") {
  Bench bench;
  SerialPort port{SerialPort::com1, nullptr};
  port.io_write(bench.context, 0x3fb, 1, 0x80);
  port.io_write(bench.context, 0x3f8, 1, 0x34), port.io_write(bench.context, 0x3f9, 1, 0x12);
  EXPECT(port.io_read(bench.context, 0x3f8, 1) == 0x34);
  EXPECT(port.io_read(bench.context, 0x3f9, 1) == 0x12);
  port.io_write(bench.context, 0x3fb, 1, 0x03);
  EXPECT(port.io_read(bench.context, 0x3f8, 1) == 0);
}

TEST_CASE("only sleep type 5 with the enable bit switches the machine off") {
  Bench bench;
  PowerControl power;
  power.io_write(bench.context, 0x604, 2, 5u << 10);
  power.io_write(bench.context, 0x604, 2, (3u << 10) | (1u << 13));
  power.io_write(bench.context, 0x604, 1, 0x34);
  EXPECT(power.request() == PowerRequest::None);
  power.io_write(bench.context, 0x604, 2, 0x3400);
  EXPECT(power.request() == PowerRequest::PowerOff);
}

TEST_CASE("the launch port opens once, for a well-formed block, from ring 0") {
  Bench bench;
  FlatMemory memory;
  int launches = 0;
  LaunchPort port{memory, [&](vtl::VirtualProcessor&) { return launches++ == 0; }};
  abi::boot::LaunchBlock block{.size = 0x20, .version = 1, .flags = 0, .reserved = {}};
  auto ask = [&] {
    memory.put(0x2000, block);
    bench.vp.shared.gpr[vtl::Rcx] = 0x2000;
    port.io_write(bench.context, 0xa1c0, 4, 1);
    return port.io_read(bench.context, 0xa1c0, 4);
  };
  block.version = 2;
  EXPECT(ask() == 1);
  block.version = 1, block.flags = 0x80;
  EXPECT(ask() == 1);
  block.flags = 0, block.reserved[1] = 1;
  EXPECT(ask() == 1);
  block.reserved[1] = 0;
  bench.vp.contexts[vtl::Vtl::Vtl0].segments[vtl::Ss].attributes = 3 << 5;
  EXPECT(ask() == 1);
  bench.vp.contexts[vtl::Vtl::Vtl0].segments[vtl::Ss].attributes = 0;
  EXPECT(launches == 0);
  EXPECT(ask() == 0);
  EXPECT(ask() == 1);
}

TEST_CASE("the observation port prints what a guest says with control characters made harmless") {
  Bench bench;
  Listener listener;
  abi::boot::DebugText text{.length = 9, .reserved = 0, .text = "a\x1b[2Jb\n\n"};
  bool readable = true;
  ObservationPort port{[&](const vtl::VirtualProcessor&, mmu::Gva, std::span<uint8_t> to) -> size_t {
                         if (!readable) return 3;
                         std::memcpy(to.data(), &text, std::min(to.size(), sizeof(text)));
                         return to.size();
                       },
                       &listener};
  port.io_write(bench.context, 0xa1d0, 4, 3);
  REQUIRE(listener.heard.size() == 1);
  EXPECT(listener.heard[0].first == support::EventKind::Milestone);
  EXPECT(listener.heard[0].second.find('\x1b') == std::string::npos);

  text.length = 0xffff'ffff;
  port.io_write(bench.context, 0xa1d0, 4, 2);
  EXPECT(listener.heard.back().second.size() <= 256);

  readable = false;
  port.io_write(bench.context, 0xa1d0, 4, 1);
  EXPECT(listener.heard.back().second.find("not readable") != std::string::npos);
  port.io_write(bench.context, 0xa1d0, 4, 77);
  EXPECT(listener.heard.back().second.find("unknown") != std::string::npos);
  EXPECT(port.io_read(bench.context, 0xa1d0, 4) == 0xffff'ffff);
}
