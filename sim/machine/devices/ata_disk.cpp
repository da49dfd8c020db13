#include "sim/machine/devices/ata_disk.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace machine {
namespace {

// ATA/ATAPI-6, 7.15: status register; 7.9: error register.
constexpr uint8_t status_ready = 0x50, status_data_request = 0x08, status_error = 0x01;
constexpr uint8_t error_aborted = 0x04, error_id_not_found = 0x10;
constexpr uint8_t device_slave = 0x10;
constexpr uint8_t control_reset = 0x04, control_high_order = 0x80;

// Bus Master IDE, 2.1 and 2.2.
constexpr uint8_t bm_start = 0x01, bm_to_memory = 0x08;
constexpr uint8_t bm_active = 0x01, bm_error = 0x02, bm_interrupt = 0x04;
constexpr uint32_t prd_last = 0x8000'0000;

constexpr uint64_t identify_data = ~uint64_t{0};

/// Words of IDENTIFY DEVICE that a driver of this disk reads (ATA/ATAPI-6, table 27).
std::array<uint8_t, 512> identify(uint64_t sectors) {
  std::array<uint8_t, 512> data{};
  auto word = [&](size_t index, uint16_t value) { std::memcpy(&data[index * 2], &value, 2); };
  auto text = [&](size_t index, size_t words, std::string_view value) {
    for (size_t i = 0; i < words * 2; ++i) {  // two characters a word, high byte first
      data[index * 2 + (i ^ 1)] = i < value.size() ? static_cast<uint8_t>(value[i]) : ' ';
    }
  };
  const auto low = static_cast<uint32_t>(std::min<uint64_t>(sectors, 0x0fff'ffff));
  text(10, 10, "AIRLOCK0");
  text(23, 4, "1.0");
  text(27, 20, "Airlock disk");
  word(49, 0x0300);  // LBA, DMA
  word(53, 0x0006);
  word(60, static_cast<uint16_t>(low)), word(61, static_cast<uint16_t>(low >> 16));
  word(63, 0x0407);  // multiword DMA 0..2, 2 selected
  word(80, 0x0040);  // ATA/ATAPI-6
  word(83, 0x4400), word(86, 0x0400);  // 48-bit address feature set
  for (size_t i = 0; i < 4; ++i) word(100 + i, static_cast<uint16_t>(sectors >> (16 * i)));
  return data;
}

}  // namespace

uint64_t AtaDisk::lba(bool extended) const {
  const uint64_t low = registers_[3][0] | uint64_t{registers_[4][0]} << 8 | uint64_t{registers_[5][0]} << 16;
  if (!extended) return low | uint64_t{device_ & 0x0fu} << 24;
  return low | uint64_t{registers_[3][1]} << 24 | uint64_t{registers_[4][1]} << 32 |
         uint64_t{registers_[5][1]} << 40;
}

uint32_t AtaDisk::sector_count(bool extended) const {
  const uint32_t count = registers_[2][0] | (extended ? uint32_t{registers_[2][1]} << 8 : 0u);
  return count != 0 ? count : (extended ? 65536u : 256u);
}

void AtaDisk::abort() {
  status_ = status_ready | status_error;
  error_ = error_aborted;
}

void AtaDisk::command(uint8_t code) {
  error_ = 0;
  buffer_size_ = 0;
  dma_armed_ = false;
  if (image_ == nullptr || (device_ & device_slave) != 0) return abort();
  switch (code) {
    case 0xec:  // IDENTIFY DEVICE
      buffer_first_ = identify_data;
      buffer_position_ = 0;
      buffer_size_ = 512;
      status_ = status_ready | status_data_request;
      return;
    case 0x20: return begin_pio(lba(false), sector_count(false));
    case 0x24: return begin_pio(lba(true), sector_count(true));
    case 0xc8: return arm_dma(lba(false), sector_count(false));
    case 0x25: return arm_dma(lba(true), sector_count(true));
    default: return abort();
  }
}

void AtaDisk::begin_pio(uint64_t first, uint32_t count) {
  if (image_->read(first, count).empty()) {
    status_ = status_ready | status_error;
    error_ = error_id_not_found;
    return;
  }
  buffer_first_ = first;
  buffer_position_ = 0;
  buffer_size_ = count * DiskImage::sector_size;
  status_ = status_ready | status_data_request;
}

const char* AtaDisk::state_error() const {
  constexpr const char* error = "a transfer beyond the disk";
  if (image_ == nullptr) return buffer_size_ == 0 && !dma_armed_ ? "" : error;
  if (dma_armed_ && image_->read(dma_first_, dma_count_).empty()) return error;
  if (buffer_size_ == 0) return "";
  if (buffer_size_ % DiskImage::sector_size != 0) return error;
  const bool on_disk = buffer_first_ == identify_data
                           ? buffer_size_ == DiskImage::sector_size
                           : !image_->read(buffer_first_, buffer_size_ / DiskImage::sector_size).empty();
  return on_disk ? "" : error;
}

void AtaDisk::arm_dma(uint64_t first, uint32_t count) {
  if (image_->read(first, count).empty()) {
    status_ = status_ready | status_error;
    error_ = error_id_not_found;
    return;
  }
  dma_first_ = first;
  dma_count_ = count;
  dma_armed_ = true;
  status_ = status_ready | status_data_request;
  run_dma();
}

void AtaDisk::run_dma() {
  if (!dma_armed_ || (bm_command_ & bm_start) == 0) return;
  dma_armed_ = false;
  std::span<const uint8_t> data = image_->read(dma_first_, dma_count_);
  bool good = (bm_command_ & bm_to_memory) != 0;
  uint64_t table = bm_table_ & ~3u;
  // A table has at most 64 KiB / 8 entries because it may not cross a 64 KiB boundary.
  for (int entries = 0; good && !data.empty() && entries < 8192; ++entries, table += 8) {
    uint32_t words[2];
    if (!dma_.dma_read(mmu::Gpa{table}, {reinterpret_cast<uint8_t*>(words), 8})) good = false;
    if (!good) break;
    const uint32_t bytes = (words[1] & 0xfffe) != 0 ? words[1] & 0xfffe : 0x10000;
    const size_t now = std::min<size_t>(bytes, data.size());
    good = dma_.dma_write(mmu::Gpa{words[0] & ~1u}, data.first(now));
    data = data.subspan(now);
    if ((words[1] & prd_last) != 0) break;
  }
  good = good && data.empty();
  bm_status_ = static_cast<uint8_t>((bm_status_ & ~bm_active) | bm_interrupt | (good ? 0 : bm_error));
  status_ = good ? status_ready : status_ready | status_error;
  error_ = good ? 0 : error_aborted;
}

uint8_t AtaDisk::data_byte(uint32_t position) const {
  if (buffer_first_ == identify_data) return identify(image_->sectors())[position];
  return image_->read(buffer_first_ + position / DiskImage::sector_size, 1)[position % DiskImage::sector_size];
}

uint32_t AtaDisk::read_data(uint8_t size) {
  uint32_t value = 0;
  for (uint32_t i = 0; i < size && buffer_position_ < buffer_size_; ++i) {
    value |= uint32_t{data_byte(buffer_position_++)} << (8 * i);
  }
  if (buffer_position_ >= buffer_size_) status_ = status_ready;
  return value;
}

uint32_t AtaDisk::io_read(const IoContext&, uint16_t port, uint8_t size) {
  if (port >= bus_master) return bus_master_read(static_cast<uint16_t>(port - bus_master), size);
  if (port == command_block && buffer_size_ != 0) return read_data(size);
  if (size != 1) return all_ones(size);
  if (port == control_block) return image_ != nullptr ? status_ : 0;
  const size_t index = port - command_block;
  switch (index) {
    case 1: return error_;
    case 6: return device_;
    case 7: return image_ != nullptr && (device_ & device_slave) == 0 ? status_ : 0;
    default: return index < 6 ? registers_[index][(control_ & control_high_order) != 0 ? 1 : 0] : 0xffu;
  }
}

void AtaDisk::io_write(const IoContext&, uint16_t port, uint8_t size, uint32_t value) {
  if (port >= bus_master) return bus_master_write(static_cast<uint16_t>(port - bus_master), size, value);
  if (size != 1) return;
  const auto byte = static_cast<uint8_t>(value);
  if (port == control_block) {
    if ((byte & control_reset) != 0) {
      status_ = status_ready;
      error_ = 1;
      buffer_size_ = 0;
      dma_armed_ = false;
    }
    control_ = byte;
    return;
  }
  const size_t index = port - command_block;
  control_ &= static_cast<uint8_t>(~control_high_order);  // any command-block write clears HOB
  if (index == 7) return command(byte);
  if (index == 6) device_ = byte;
  if (index >= 1 && index <= 5) registers_[index] = {byte, registers_[index][0]};
}

uint32_t AtaDisk::bus_master_read(uint16_t offset, uint8_t size) const {
  if (offset == 4 && size == 4) return bm_table_;
  if (size != 1) return all_ones(size);
  if (offset == 0) return bm_command_;
  return offset == 2 ? bm_status_ : 0u;
}

void AtaDisk::bus_master_write(uint16_t offset, uint8_t size, uint32_t value) {
  if (offset == 4 && size == 4) bm_table_ = value & ~3u;
  if (size != 1) return;
  if (offset == 2) {  // bits 1 and 2 clear by writing one, bits 5 and 6 are plain
    bm_status_ = static_cast<uint8_t>((bm_status_ & ~0x60 & ~(value & 0x06)) | (value & 0x60));
  }
  if (offset == 0) {
    bm_command_ = value & (bm_start | bm_to_memory);
    run_dma();
  }
}

}  // namespace machine
