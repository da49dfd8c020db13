#pragma once
#include <array>
#include <span>

#include "sim/machine/devices/disk_image.h"
#include "sim/machine/devices/io_device.h"

namespace machine {

/// The primary ATA channel with one disk, read only, and its bus master.
///
/// Ports (ATA/ATAPI-6; Programming Interface for Bus Master IDE Controller, rev. 1.0):
///   0x1f0-0x1f7 command block, 0x3f6 alternate status and device control, 0xc000-0xc007 bus master.
/// Commands: IDENTIFY DEVICE, READ SECTORS (EXT), READ DMA (EXT). Every other one aborts (status ERR, error ABRT).
/// A command completes within the instruction that starts it; no interrupt is raised, drivers poll.
class AtaDisk : public IoDevice {
 public:
  static constexpr uint16_t command_block = 0x1f0, control_block = 0x3f6, bus_master = 0xc000;

  AtaDisk(const DiskImage* image, DmaBus& dma) : image_{image}, dma_{dma} {}

  uint32_t io_read(const IoContext& context, uint16_t port, uint8_t size) override;
  void io_write(const IoContext& context, uint16_t port, uint8_t size, uint32_t value) override;

  STATE_FIELDS((image_), (dma_), registers_, device_, status_, error_, control_, bm_command_, bm_status_, bm_table_,
               dma_first_, dma_count_, dma_armed_, buffer_first_, buffer_position_, buffer_size_)

 private:
  void command(uint8_t code);
  void begin_pio(uint64_t first, uint32_t count);
  [[nodiscard]] const char* state_error() const;
  void arm_dma(uint64_t first, uint32_t count);
  void run_dma();
  void abort();
  [[nodiscard]] uint64_t lba(bool extended) const;
  [[nodiscard]] uint32_t sector_count(bool extended) const;
  uint32_t read_data(uint8_t size);
  [[nodiscard]] uint8_t data_byte(uint32_t position) const;
  uint32_t bus_master_read(uint16_t offset, uint8_t size) const;
  void bus_master_write(uint16_t offset, uint8_t size, uint32_t value);

  const DiskImage* image_;  ///< null: no disk on the channel
  DmaBus& dma_;
  std::array<std::array<uint8_t, 2>, 8> registers_{};  ///< [register][0 = latest, 1 = previous, for 48-bit commands]
  uint8_t device_{0xe0}, status_{0x50}, error_{1}, control_{};
  uint8_t bm_command_{}, bm_status_{0x20};
  uint32_t bm_table_{};
  uint64_t dma_first_{};
  uint32_t dma_count_{};
  bool dma_armed_{};
  uint64_t buffer_first_{};  ///< PIO: first sector, or ~0 for the IDENTIFY data
  uint32_t buffer_position_{}, buffer_size_{};
};

}  // namespace machine
