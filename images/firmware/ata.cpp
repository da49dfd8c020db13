// The boot disk: ATA primary channel, IDENTIFY by PIO, reads by bus-master DMA (ATA/ATAPI-6; the
// BMIDE programming interface). Transfers complete before the start bit's write returns, but the
// status bits are awaited as on hardware.
#include "firmware.h"
#include "rt/arch.h"

namespace firmware {
namespace {

enum Port : uint16_t {
  Data = 0x1F0,
  SectorCount = 0x1F2,
  LbaLow = 0x1F3,
  LbaMid = 0x1F4,
  LbaHigh = 0x1F5,
  DriveSelect = 0x1F6,
  CommandStatus = 0x1F7,
  DeviceControl = 0x3F6,
  BusMasterCommand = 0xC000,
  BusMasterStatus = 0xC002,
  BusMasterPrdt = 0xC004,
};
enum Command : uint8_t { Identify = 0xEC, ReadDma = 0xC8, ReadDmaExt = 0x25 };
enum StatusBit : uint8_t { Error = 0x01, DataRequest = 0x08, DeviceFault = 0x20, Busy = 0x80 };
constexpr uint8_t select_master_lba = 0xE0;
constexpr uint32_t max_sectors = 128;  // one PRD entry describes at most 64 KiB

// A physical region descriptor: where the DMA engine puts the data.
struct Prd {
  uint32_t address;
  uint16_t bytes;  ///< 0 means 64 KiB
  uint16_t flags;  ///< bit 15: last
};
alignas(8) Prd prdt[2];
uint64_t sector_total;

// False when the device reports an error or stays busy for a time that no transfer takes.
bool wait_ready(uint8_t wanted) {
  for (uint32_t tries = 0; tries < 1000000; ++tries) {
    const uint8_t status = arch::in8(CommandStatus);
    if ((status & Busy) != 0) continue;
    if ((status & (Error | DeviceFault)) != 0) return false;
    if ((status & wanted) == wanted) return true;
  }
  return false;
}

void put_address(uint64_t sector, uint32_t count) {
  arch::out8(SectorCount, static_cast<uint8_t>(count));
  arch::out8(LbaLow, static_cast<uint8_t>(sector));
  arch::out8(LbaMid, static_cast<uint8_t>(sector >> 8));
  arch::out8(LbaHigh, static_cast<uint8_t>(sector >> 16));
}

// 28-bit commands reach 128 GiB; above that the registers are written twice, high bytes first
// (LBA48).
uint8_t program(uint64_t sector, uint32_t count) {
  if (sector + count < 1ull << 28) {
    arch::out8(DriveSelect, static_cast<uint8_t>(select_master_lba | ((sector >> 24) & 0xF)));
    put_address(sector, count);
    return ReadDma;
  }
  arch::out8(DriveSelect, 0x40);
  put_address(sector >> 24, count >> 8);
  put_address(sector, count);
  return ReadDmaExt;
}

bool read_chunk(uint64_t sector, uint32_t count, uint64_t address) {
  // A region may not cross a 64 KiB boundary: two entries are enough for 64 KiB.
  const uint32_t bytes = count * 512;
  const uint64_t boundary = (address | 0xFFFF) + 1;
  const uint32_t first =
      bytes <= boundary - address ? bytes : static_cast<uint32_t>(boundary - address);
  prdt[0] = {static_cast<uint32_t>(address), static_cast<uint16_t>(first),
             static_cast<uint16_t>(first == bytes ? 0x8000 : 0)};
  prdt[1] = {static_cast<uint32_t>(address + first), static_cast<uint16_t>(bytes - first), 0x8000};

  arch::out8(BusMasterCommand, 0);
  arch::out32(BusMasterPrdt, static_cast<uint32_t>(reinterpret_cast<uint64_t>(prdt)));
  arch::out8(BusMasterStatus, 0x06);  // clear interrupt and error by writing ones
  const uint8_t command = program(sector, count);
  arch::out8(CommandStatus, command);
  arch::out8(BusMasterCommand, 0x09);  // start, towards memory
  const bool ready = wait_ready(0);
  const uint8_t status = arch::in8(BusMasterStatus);
  arch::out8(BusMasterCommand, 0);
  return ready && (status & 0x02) == 0;
}

}  // namespace

bool disk_initialize() {
  arch::out8(DeviceControl, 0x02);  // no interrupts: this firmware polls
  arch::out8(DriveSelect, select_master_lba);
  arch::out8(CommandStatus, Identify);
  if (arch::in8(CommandStatus) == 0 || arch::in8(CommandStatus) == 0xFF || !wait_ready(DataRequest))
    return false;
  uint16_t words[256];
  arch::in16_string(Data, words, 256);
  const bool lba48 = (words[83] & 0x0400) != 0;
  sector_total = words[60] | uint64_t{words[61]} << 16;
  if (lba48) sector_total = words[100] | uint64_t{words[101]} << 16 | uint64_t{words[102]} << 32;
  const bool dma = (words[49] & 0x0100) != 0;
  return dma && sector_total != 0;
}

bool disk_read(uint64_t sector, uint32_t count, void* buffer) {
  if (sector >= sector_total || count > sector_total - sector) return false;
  auto address = reinterpret_cast<uint64_t>(buffer);
  while (count != 0) {
    const uint32_t chunk = count < max_sectors ? count : max_sectors;
    if (!read_chunk(sector, chunk, address)) return false;
    sector += chunk;
    count -= chunk;
    address += uint64_t{chunk} * 512;
  }
  return true;
}

}  // namespace firmware
