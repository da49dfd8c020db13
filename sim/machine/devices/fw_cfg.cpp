#include "sim/machine/devices/fw_cfg.h"

#include <algorithm>
#include <array>

namespace machine {
namespace {

constexpr size_t name_bytes = 56;
constexpr uint16_t selector_mask = 0x3fff;  // bits 15:14 say architecture-local and write

// The control word of a DMA request.
constexpr uint32_t dma_error = 1, dma_read = 2, dma_skip = 4, dma_select = 8, dma_write = 16;
constexpr uint64_t dma_signature = 0x51454d5520434647;  // "QEMU CFG", read big-endian
/// One request may not keep the simulator busy for longer than memory is large.
constexpr uint32_t longest_transfer = 64u << 20;

void append_big_endian(std::vector<uint8_t>& to, uint64_t value, unsigned size) {
  for (unsigned i = size; i-- > 0;) to.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

uint64_t big_endian(std::span<const uint8_t> bytes) {
  uint64_t value = 0;
  for (const uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

uint32_t swapped(uint32_t value) {
  return __builtin_bswap32(value);
}

}  // namespace

void FwCfg::add(uint16_t key, uint64_t value, unsigned size) {
  std::vector<uint8_t> bytes;
  for (unsigned i = 0; i < size; ++i) bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
  add(key, std::move(bytes));
}

void FwCfg::add_file(const std::string& name, std::vector<uint8_t> bytes) {
  const auto key = static_cast<uint16_t>(fw_cfg::first_file + files_.size());
  files_.emplace_back(name, key);
  add(key, std::move(bytes));
}

void FwCfg::close() {
  std::vector<uint8_t> directory;
  append_big_endian(directory, files_.size(), 4);
  for (const auto& [name, key] : files_) {
    append_big_endian(directory, items_[key].size(), 4);
    append_big_endian(directory, key, 2);
    append_big_endian(directory, 0, 2);
    const size_t begin = directory.size();
    directory.resize(begin + name_bytes);
    std::copy_n(name.begin(), std::min(name.size(), name_bytes - 1), directory.begin() + static_cast<ptrdiff_t>(begin));
  }
  add(fw_cfg::file_directory, std::move(directory));
}

uint8_t FwCfg::next_byte() {
  const auto item = items_.find(selected_);
  if (item == items_.end() || position_ >= item->second.size()) return 0;
  return item->second[position_++];
}

uint32_t FwCfg::io_read(const IoContext&, uint16_t port, uint8_t size) {
  if (port == data && size == 1) return next_byte();
  if (port == dma_high && size == 4) return swapped(static_cast<uint32_t>(dma_signature >> 32));
  if (port == dma_low && size == 4) return swapped(static_cast<uint32_t>(dma_signature));
  return port == selector || port == data ? 0 : all_ones(size);
}

void FwCfg::io_write(const IoContext&, uint16_t port, uint8_t size, uint32_t value) {
  if (port == selector && size == 2) {
    selected_ = static_cast<uint16_t>(value) & selector_mask;
    position_ = 0;
  }
  if (size != 4) return;
  if (port == dma_high) dma_address_ = uint64_t{swapped(value)} << 32;
  if (port == dma_low) {
    dma_address_ |= swapped(value);
    run_dma();
    dma_address_ = 0;
  }
}

bool FwCfg::transfer(uint64_t address, uint32_t length) {
  std::array<uint8_t, 4096> piece;
  if (length > longest_transfer) return false;
  while (length > 0) {
    const auto size = static_cast<uint32_t>(std::min<size_t>(length, piece.size()));
    for (uint32_t i = 0; i < size; ++i) piece[i] = next_byte();
    if (!memory_.dma_write(mmu::Gpa{address}, {piece.data(), size})) return false;
    address += size;
    length -= size;
  }
  return true;
}

/// FWCfgDmaAccess {control, length, address}, all big-endian. The device writes the control word back: 0, or the error bit.
void FwCfg::run_dma() {
  std::array<uint8_t, 16> request;
  if (!memory_.dma_read(mmu::Gpa{dma_address_}, request)) return;
  const std::span<const uint8_t> bytes{request};
  const auto control = static_cast<uint32_t>(big_endian(bytes.subspan(0, 4)));
  const auto length = static_cast<uint32_t>(big_endian(bytes.subspan(4, 4)));
  const uint64_t address = big_endian(bytes.subspan(8, 8));
  if ((control & dma_select) != 0) {
    selected_ = static_cast<uint16_t>(control >> 16) & selector_mask;
    position_ = 0;
  }
  bool done = true;
  if ((control & dma_read) != 0) {
    done = transfer(address, length);
  } else if ((control & dma_write) != 0) {
    done = false;  // no item can be written
  } else if ((control & dma_skip) != 0) {
    const auto item = items_.find(selected_);
    const uint64_t end = item == items_.end() ? 0 : item->second.size();
    position_ = static_cast<uint32_t>(std::min<uint64_t>(end, uint64_t{position_} + length));
  }
  std::vector<uint8_t> answer;
  append_big_endian(answer, done ? 0 : dma_error, 4);
  (void)memory_.dma_write(mmu::Gpa{dma_address_}, answer);
}

}  // namespace machine
