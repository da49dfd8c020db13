// The devices of the PC board, each by itself: what its data sheet says, seen through its ports.
#include <cstring>
#include <map>

#include "sim/machine/devices/fw_cfg.h"
#include "sim/machine/devices/io_apic.h"
#include "sim/machine/devices/pc_ports.h"
#include "sim/machine/devices/pic.h"
#include "sim/machine/devices/serial.h"
#include "tests/support/catch.h"

namespace {

using namespace machine;

struct Ports {
  vtl::VirtualProcessor vp;
  support::Instant now{};
  IoDevice& device;
  explicit Ports(IoDevice& which) : device{which} {}
  uint32_t in(uint16_t port, uint8_t size = 1) { return device.io_read({vp, now}, port, size); }
  void out(uint16_t port, uint32_t value, uint8_t size = 1) { device.io_write({vp, now}, port, size, value); }
};

struct Lines : InterruptLines {
  std::map<unsigned, bool> level;
  unsigned rises{};
  void set_line(unsigned line, bool asserted) override {
    if (asserted && !level[line]) ++rises;
    level[line] = asserted;
  }
};

struct Bus : InterruptBus {
  std::vector<vtl::ExternalInterrupt> sent;
  void send(const vtl::ExternalInterrupt& interrupt) override { sent.push_back(interrupt); }
};

void initialise(Ports& ports) {
  for (const uint16_t port : {uint16_t{0x20}, uint16_t{0xa0}}) {
    ports.out(port, 0x11);
    ports.out(port + 1, port == 0x20 ? 0x30 : 0x38);
    ports.out(port + 1, port == 0x20 ? 4 : 2);
    ports.out(port + 1, 1);
    ports.out(port + 1, 0);
  }
}

uint32_t redirection(IoApic& chip, unsigned pin, bool high) {
  chip.mmio_write(0x00, 4, 0x10 + 2 * pin + (high ? 1 : 0));
  return static_cast<uint32_t>(chip.mmio_read(0x10, 4));
}
void redirect(IoApic& chip, unsigned pin, uint64_t entry) {
  chip.mmio_write(0x00, 4, 0x11 + 2 * pin);
  chip.mmio_write(0x10, 4, entry >> 32);
  chip.mmio_write(0x00, 4, 0x10 + 2 * pin);
  chip.mmio_write(0x10, 4, entry & 0xffffffff);
}

}  // namespace

TEST_CASE("The interrupt controllers give the vector of the highest request and hold back lower ones until EOI") {
  PicPair pic;
  Ports ports{pic};
  initialise(ports);
  EXPECT(!pic.external_vector());
  pic.set_line(4, true);
  pic.set_line(1, true);
  REQUIRE(pic.external_vector() == 0x31);
  EXPECT(ports.in(0x20) == 0x12);  // IRR
  pic.acknowledge();
  EXPECT(!pic.external_vector());  // 4 is lower than 1, which is served
  ports.out(0x20, 0x0b);
  EXPECT(ports.in(0x20) == 0x02);  // ISR
  pic.set_line(0, true);
  EXPECT(pic.external_vector() == 0x30);  // higher: nested
  pic.set_line(0, false);
  EXPECT(!pic.external_vector());  // fell before its acknowledge
  ports.out(0x20, 0x20);
  REQUIRE(pic.external_vector() == 0x34);
  pic.acknowledge();
  ports.out(0x20, 0x64);  // specific EOI of 4
  EXPECT(!pic.external_vector());
  pic.set_line(1, false);
  pic.set_line(1, true);
  EXPECT(pic.external_vector() == 0x31);
}

TEST_CASE("The second interrupt controller asks through input 2 of the first, and masks of either hold it") {
  PicPair pic;
  Ports ports{pic};
  initialise(ports);
  pic.set_line(8, true);
  pic.set_line(12, true);
  REQUIRE(pic.external_vector() == 0x38);
  ports.out(0x21, 0x04);
  EXPECT(!pic.external_vector());
  ports.out(0x21, 0x00);
  ports.out(0xa1, 0x01);
  REQUIRE(pic.external_vector() == 0x3c);
  pic.acknowledge();
  ports.out(0xa1, 0x00);
  EXPECT(!pic.external_vector());  // 8 is higher, but input 2 of the first is in service
  ports.out(0xa0, 0x20);
  ports.out(0x20, 0x20);
  REQUIRE(pic.external_vector() == 0x38);
}

TEST_CASE("Level-triggered inputs ask again after EOI, special mask and automatic EOI do as their words say") {
  PicPair pic;
  Ports ports{pic};
  initialise(ports);
  ports.out(0x4d0, 0xff);
  EXPECT(ports.in(0x4d0) == 0xf8);
  pic.set_line(5, true);
  REQUIRE(pic.external_vector() == 0x35);
  pic.acknowledge();
  EXPECT(!pic.external_vector());
  ports.out(0x20, 0x20);
  EXPECT(pic.external_vector() == 0x35);
  pic.set_line(5, false);
  EXPECT(!pic.external_vector());

  pic.set_line(3, true);
  pic.acknowledge();
  pic.set_line(6, true);
  EXPECT(!pic.external_vector());
  ports.out(0x21, 0x08);
  ports.out(0x20, 0x68);  // special mask mode: the masked 3 blocks nobody
  EXPECT(pic.external_vector() == 0x36);

  ports.out(0x20, 0x11);
  ports.out(0x21, 0x30);
  ports.out(0x21, 4);
  ports.out(0x21, 3);  // automatic EOI
  pic.set_line(0, true);
  pic.acknowledge();
  ports.out(0x20, 0x0b);
  EXPECT(ports.in(0x20) == 0);
}

TEST_CASE("The I/O APIC sends edges once, loses them while masked, and keeps levels until they end") {
  Bus bus;
  IoApic chip{bus};
  chip.mmio_write(0, 4, 1);
  EXPECT(chip.mmio_read(0x10, 4) == 0x00170020);
  EXPECT(redirection(chip, 3, false) == 0x10000);
  chip.set_pin(3, true);
  chip.set_pin(3, false);
  redirect(chip, 3, 0x0200'0000'0000'0041);
  EXPECT(bus.sent.empty());  // the edge at the masked pin is lost
  chip.set_pin(3, true);
  chip.set_pin(3, true);
  REQUIRE(bus.sent.size() == 1);
  EXPECT((bus.sent[0].vector == 0x41 && bus.sent[0].destination == 2 && !bus.sent[0].logical && !bus.sent[0].level));

  chip.set_pin(20, true);
  redirect(chip, 20, 0x0f00'0000'0000'8951);  // level, logical, lowest priority
  REQUIRE(bus.sent.size() == 2);
  EXPECT((bus.sent[1].level && bus.sent[1].logical &&
          bus.sent[1].delivery_mode == vtl::DeliveryMode::LowestPriority));
  EXPECT((redirection(chip, 20, false) & 0x4000) != 0);  // remote IRR
  chip.set_pin(20, false);
  chip.set_pin(20, true);
  EXPECT(bus.sent.size() == 2);
  chip.end_of_interrupt(0x52);
  EXPECT(bus.sent.size() == 2);
  chip.end_of_interrupt(0x51);
  EXPECT(bus.sent.size() == 3);  // still asserted: once more
  chip.set_pin(20, false);
  chip.mmio_write(0x40, 4, 0x51);
  EXPECT((redirection(chip, 20, false) & 0x4000) == 0);
  EXPECT(bus.sent.size() == 3);
}

TEST_CASE("Registers of the I/O APIC that do not exist, and odd widths, change nothing") {
  Bus bus;
  IoApic chip{bus};
  chip.mmio_write(0, 4, 0xff);
  chip.mmio_write(0x10, 4, 0xffffffff);
  EXPECT(chip.mmio_read(0x10, 4) == 0);
  EXPECT(chip.mmio_read(0x10, 1) == ~uint64_t{0});
  for (unsigned pin = 0; pin < 24; ++pin) EXPECT(redirection(chip, pin, false) == 0x10000);
  redirect(chip, 0, ~uint64_t{0});
  EXPECT(redirection(chip, 0, false) == 0x1afff);
  EXPECT(redirection(chip, 0, true) == 0xff000000);
}

TEST_CASE("The serial port receives, interrupts behind OUT2, and loops back") {
  SerialPort port{0x3f8, nullptr};
  Lines lines;
  port.connect(lines, 4);
  Ports ports{port};
  std::string sent;
  port.listen([&](uint8_t byte) { sent.push_back(static_cast<char>(byte)); });
  EXPECT(ports.in(0x3fd) == 0x60);
  port.receive('h');
  port.receive('i');
  EXPECT(ports.in(0x3fd) == 0x61);
  EXPECT(!lines.level[4]);
  ports.out(0x3f9, 1);
  EXPECT(!lines.level[4]);
  ports.out(0x3fc, 8);
  EXPECT(lines.level[4]);
  EXPECT(ports.in(0x3fa) == 0x04);
  EXPECT(ports.in(0x3f8) == 'h');
  EXPECT(lines.level[4]);
  EXPECT(ports.in(0x3f8) == 'i');
  EXPECT(!lines.level[4]);
  EXPECT(ports.in(0x3fa) == 0x01);

  ports.out(0x3f9, 2);  // the transmitter is empty: at once, and after each byte
  EXPECT(ports.in(0x3fa) == 0x02);
  EXPECT(!lines.level[4]);
  ports.out(0x3f8, 'x');
  EXPECT(lines.level[4]);
  EXPECT(sent == "x");
  ports.out(0x3fc, 0x10);
  ports.out(0x3f8, 'y');
  EXPECT(sent == "x");
  EXPECT(ports.in(0x3f8) == 'y');

  ports.out(0x3fc, 0);
  for (int i = 0; i < 5000; ++i) port.receive('z');
  EXPECT(ports.in(0x3fd) == 0x63);
  EXPECT(ports.in(0x3fd) == 0x61);
  ports.out(0x3fa, 3);
  EXPECT(ports.in(0x3fd) == 0x60);
}

TEST_CASE("The exit port answers (code << 1) | 1, and the doors to power off and reset open") {
  DebugExit exit;
  Ports exits{exit};
  exits.out(0xf4, 5, 4);
  EXPECT((exit.requested() && exit.status() == 11));

  const std::tuple<uint16_t, uint8_t, uint32_t, PowerRequest> doors[] = {
      {0x604, 2, 0x2000, PowerRequest::PowerOff}, {0x604, 2, 0x3400, PowerRequest::PowerOff},
      {0x604, 2, 0x0400, PowerRequest::None},     {0x604, 2, 0x2400, PowerRequest::None},
      {0xb004, 2, 0x2000, PowerRequest::PowerOff}, {0xcf9, 1, 6, PowerRequest::Reset},
      {0xcf9, 1, 2, PowerRequest::None},          {0x92, 1, 1, PowerRequest::Reset},
      {0x92, 1, 2, PowerRequest::None},           {0x64, 1, 0xfe, PowerRequest::Reset}};
  for (const auto& [port, size, value, request] : doors) {
    INFO(port << " " << value);
    PcPower power;
    Ports ports{power};
    ports.out(port, value, size);
    EXPECT(power.request() == request);
  }
  PcPower power;
  Ports ports{power};
  ports.now = support::Instant{support::ticks_per_second};
  EXPECT(ports.in(0x608, 4) == 3'579'545);
  ports.now = support::Instant{support::ticks_per_second * 10};
  EXPECT(ports.in(0x608, 4) == 35'795'450 % (1 << 24));
}

namespace {

struct FlatMemory : DmaBus {
  std::vector<uint8_t> bytes = std::vector<uint8_t>(0x10000);
  [[nodiscard]] bool inside(mmu::Gpa at, size_t size) const {
    return at.value() <= bytes.size() && size <= bytes.size() - at.value();
  }
  bool dma_read(mmu::Gpa from, std::span<uint8_t> to) override {
    if (!inside(from, to.size())) return false;
    std::memcpy(to.data(), &bytes[from.value()], to.size());
    return true;
  }
  bool dma_write(mmu::Gpa to, std::span<const uint8_t> from) override {
    if (!inside(to, from.size())) return false;
    std::memcpy(&bytes[to.value()], from.data(), from.size());
    return true;
  }
};

uint32_t big(uint32_t value) { return __builtin_bswap32(value); }

}  // namespace

TEST_CASE("fw_cfg gives its items byte by byte, its directory, and both by DMA") {
  FlatMemory memory;
  FwCfg device{memory};
  device.add(fw_cfg::signature, {'Q', 'E', 'M', 'U'});
  device.add(fw_cfg::nb_cpus, 4, 2);
  device.add_file("etc/one", {1, 2, 3});
  device.add_file("etc/two", std::vector<uint8_t>(300, 7));
  device.close();
  Ports ports{device};
  auto read = [&](uint16_t key, size_t count) {
    std::vector<uint8_t> bytes;
    ports.out(0x510, key, 2);
    for (size_t i = 0; i < count; ++i) bytes.push_back(static_cast<uint8_t>(ports.in(0x511)));
    return bytes;
  };
  EXPECT(read(0, 5) == std::vector<uint8_t>{'Q', 'E', 'M', 'U', 0});
  EXPECT(read(5, 2) == std::vector<uint8_t>{4, 0});
  EXPECT(read(0x77, 2) == std::vector<uint8_t>{0, 0});
  const auto directory = read(0x19, 4 + 2 * 64);
  EXPECT((directory[3] == 2 && directory[7] == 3 && directory[9] == 0x20));
  EXPECT(std::strcmp(reinterpret_cast<const char*>(&directory[4 + 64 + 8]), "etc/two") == 0);
  EXPECT((directory[4 + 64 + 2] == 1 && directory[4 + 64 + 3] == 44));

  EXPECT(ports.in(0x514, 4) == big(0x51454d55));
  auto dma = [&](uint32_t control, uint32_t length, uint32_t address) {
    const uint32_t request[] = {big(control), big(length), 0, big(address)};
    std::memcpy(&memory.bytes[0x100], request, sizeof request);
    ports.out(0x514, 0, 4);
    ports.out(0x518, big(0x100), 4);
    uint32_t answer = 0;
    std::memcpy(&answer, &memory.bytes[0x100], 4);
    return big(answer);
  };
  EXPECT(dma(0x21 << 16 | 8 | 2, 300, 0x1000) == 0);
  EXPECT((memory.bytes[0x1000] == 7 && memory.bytes[0x1000 + 299] == 7 && memory.bytes[0x1000 + 300] == 0));
  EXPECT(dma(0x20 << 16 | 8 | 4, 2, 0) == 0);
  EXPECT(ports.in(0x511) == 3);
  EXPECT(dma(0x20 << 16 | 8 | 2, 100, 0xffff) == 1);
  EXPECT(dma(0x20 << 16 | 8 | 16, 1, 0x1000) == 1);
}
