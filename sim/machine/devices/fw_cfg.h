#pragma once
// The firmware configuration device that QEMU's PC has: numbered items that a kernel reads byte by byte or by DMA
// (QEMU documentation, "QEMU Firmware Configuration (fw_cfg) Device").
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "sim/machine/devices/io_device.h"

namespace machine {

namespace fw_cfg {
inline constexpr uint16_t signature = 0x00, id = 0x01, uuid = 0x02, ram_size = 0x03, nographic = 0x04, nb_cpus = 0x05,
                          kernel_address = 0x07, kernel_size = 0x08, initrd_address = 0x0a, initrd_size = 0x0b,
                          max_cpus = 0x0f, kernel_entry = 0x10, cmdline_address = 0x13, cmdline_size = 0x14,
                          cmdline_data = 0x15, file_directory = 0x19, first_file = 0x20;
}  // namespace fw_cfg

class FwCfg : public IoDevice {
 public:
  static constexpr uint16_t selector = 0x510, data = 0x511, dma_high = 0x514, dma_low = 0x518;

  explicit FwCfg(DmaBus& memory) : memory_{memory} {}

  /// Before the machine runs. Little-endian integers of `size` bytes, bytes, files by name in the order of these calls.
  void add(uint16_t key, uint64_t value, unsigned size);
  void add(uint16_t key, std::vector<uint8_t> bytes) { items_[key] = std::move(bytes); }
  void add_file(const std::string& name, std::vector<uint8_t> bytes);
  /// Ends the list of files.
  void close();

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  STATE_FIELDS((memory_), (items_), (files_), selected_, position_, dma_address_)

 private:
  [[nodiscard]] uint8_t next_byte();
  void run_dma();
  [[nodiscard]] bool transfer(uint64_t address, uint32_t length);

  DmaBus& memory_;
  std::map<uint16_t, std::vector<uint8_t>> items_;  ///< as the configuration made them
  std::vector<std::pair<std::string, uint16_t>> files_;
  uint16_t selected_{};
  uint32_t position_{};
  uint64_t dma_address_{};
};

}  // namespace machine
