// Disk, clock, interrupt controllers, and ports that nobody answers.
#include <string.h>

#include "tests.h"

using namespace kernel;

namespace {

constexpr std::uint16_t data = 0x1F0, error = 0x1F1, count = 0x1F2, lba = 0x1F3, drive = 0x1F6, status = 0x1F7;
constexpr std::uint16_t bus_master = 0xC000;
constexpr std::uint8_t ready = 0x40, request = 0x08, failed = 0x01;
constexpr std::uint32_t disk_sectors = 65536;

void choose(std::uint32_t sector, std::uint8_t sectors) {
  arch::out8(drive, static_cast<std::uint8_t>(0xE0 | (sector >> 24 & 15)));
  arch::out8(count, sectors);
  for (unsigned i = 0; i < 3; ++i) arch::out8(static_cast<std::uint16_t>(lba + i), static_cast<std::uint8_t>(sector >> 8 * i));
}

bool read_by_ports(std::uint32_t sector, void* to) {
  choose(sector, 1);
  arch::out8(status, 0x20);
  if ((arch::in8(status) & request) == 0) return false;
  arch::in16_string(data, to, 256);
  return true;
}

struct PhysicalRegion {
  std::uint32_t address;
  std::uint16_t bytes, flags;
};

bool read_by_bus_master(std::uint32_t sector, std::uint8_t sectors, std::uint64_t to) {
  const std::uint64_t table = allocate_page();
  *reinterpret_cast<PhysicalRegion*>(table) = {static_cast<std::uint32_t>(to), static_cast<std::uint16_t>(512 * sectors), 0x8000};
  arch::out8(bus_master, 0);
  arch::out32(bus_master + 4, static_cast<std::uint32_t>(table));
  arch::out8(bus_master + 2, 6);
  choose(sector, sectors);
  arch::out8(status, 0xC8);
  arch::out8(bus_master, 9);  // start, from device to memory
  const std::uint8_t end = arch::in8(bus_master + 2);
  arch::out8(bus_master, 0);
  return (end & 2) == 0 && (arch::in8(status) & failed) == 0;
}

const char* identify() {
  std::uint16_t words[256];
  arch::out8(drive, 0xE0);
  arch::out8(status, 0xEC);
  EXPECT_THAT((arch::in8(status) & (ready | request)) == (ready | request));
  arch::in16_string(data, words, 256);
  EXPECT_EQUAL(arch::in8(status) & request, 0);
  EXPECT_EQUAL(words[60] | static_cast<std::uint32_t>(words[61]) << 16, disk_sectors);
  EXPECT_THAT((words[49] & 0x300) == 0x300);  // LBA and DMA
  EXPECT_THAT(words[27] != 0);                // a model name
  return nullptr;
}

const char* read_sectors() {
  static std::uint8_t sector[512];
  EXPECT_THAT(read_by_ports(0, sector));
  EXPECT_EQUAL(sector[510] | sector[511] << 8, 0xAA55);
  EXPECT_EQUAL(sector[11] | sector[12] << 8, 512);  // bytes per sector of the FAT volume
  return nullptr;
}

const char* bus_master_reads_the_same() {
  static std::uint8_t sector[512];
  const std::uint64_t memory = allocate_page();
  EXPECT_THAT(read_by_bus_master(0, 8, memory));
  for (std::uint32_t i = 0; i < 8; ++i) {
    EXPECT_THAT(read_by_ports(i, sector));
    if (memcmp(sector, reinterpret_cast<void*>(memory + 512 * i), 512) != 0) return wrong("sector {} differs", i);
  }
  return nullptr;
}

const char* behind_the_end() {
  choose(disk_sectors, 1);
  arch::out8(status, 0x20);
  EXPECT_THAT((arch::in8(status) & failed) != 0);
  EXPECT_THAT((arch::in8(error) & 0x14) != 0);  // ABRT or IDNF
  EXPECT_THAT(!read_by_bus_master(disk_sectors - 1, 2, allocate_page()));
  arch::out8(status, 0xFF);  // no such command
  EXPECT_THAT((arch::in8(status) & failed) != 0);
  return nullptr;
}

const char* code_loaded_by_the_disk() {
  // The disk's bytes replace code that has run: the processor must not run the old one.
  const std::uint64_t page = allocate_page();
  at<std::uint8_t>(page) = 0xC3;
  reinterpret_cast<void (*)()>(page)();
  EXPECT_THAT(read_by_bus_master(0, 1, page));
  // The boot sector begins with a jump (EB xx 90) over the parameter block.
  EXPECT_EQUAL(at<std::uint8_t>(page), 0xEB);
  const std::uint64_t target = page + 2 + at<std::uint8_t>(page + 1);
  at<std::uint16_t>(target) = 0x0B0F;
  const Caught c = guarded([](void* p) { reinterpret_cast<void (*)()>(p)(); }, reinterpret_cast<void*>(page));
  EXPECT_EQUAL(c.vector, 6);
  EXPECT_EQUAL(c.rip, target);
  return nullptr;
}

const char* clock() {
  const auto cmos = [](std::uint8_t index) {
    arch::out8(0x70, index);
    return arch::in8(0x71);
  };
  EXPECT_EQUAL(cmos(9), 0x26);  // the year, BCD
  EXPECT_EQUAL(cmos(8), 1);
  EXPECT_EQUAL(cmos(7), 1);
  return nullptr;
}

const char* nobody_answers() {
  EXPECT_EQUAL(arch::in8(0x5555), 0xFF);
  EXPECT_EQUAL(arch::in16(0x5555), 0xFFFF);
  EXPECT_EQUAL(arch::in32(0x5554), 0xFFFFFFFF);
  arch::out32(0x5554, 1);
  arch::out8(0x21, 0xFF);
  arch::out8(0xA1, 0xFF);
  EXPECT_EQUAL(arch::in8(0x21), 0xFF);
  EXPECT_EQUAL(at<std::uint32_t>(0xFED00000), 0xFFFFFFFF);  // memory that nobody decodes
  at<std::uint32_t>(0xFED00000) = 1;
  return nullptr;
}

constexpr Test tests[] = {
    {"IDENTIFY describes the disk", identify},
    {"READ SECTORS brings the boot sector", read_sectors},
    {"the bus master reads the same as the ports", bus_master_reads_the_same},
    {"sectors behind the end and unknown commands are errors", behind_the_end},
    {"code that the disk overwrote runs as overwritten", code_loaded_by_the_disk},
    {"the clock shows the machine's fixed date", clock},
    {"ports and memory that nobody decodes read ones", nobody_answers},
};

}  // namespace

std::span<const Test> port_tests() { return tests; }
