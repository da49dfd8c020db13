#include "sim/machine/pc.h"

#include "sim/loader/acpi.h"

namespace machine {
namespace {

constexpr unsigned timer_line = 0, timer_pin = 2, isa_lines = 16;

std::vector<uint8_t> text(std::string_view text) {
  std::vector<uint8_t> bytes(text.begin(), text.end());
  bytes.push_back(0);
  return bytes;
}

/// QEMU's etc/e820: entries of 20 bytes.
std::vector<uint8_t> memory_map_file(uint64_t memory_bytes) {
  std::vector<uint8_t> bytes;
  for (const loader::MemoryRange& range : pc_memory_map(memory_bytes)) {
    for (unsigned i = 0; i < 8; ++i) bytes.push_back(static_cast<uint8_t>(range.base >> (8 * i)));
    for (unsigned i = 0; i < 8; ++i) bytes.push_back(static_cast<uint8_t>(range.length >> (8 * i)));
    for (unsigned i = 0; i < 4; ++i) bytes.push_back(static_cast<uint8_t>(range.type >> (8 * i)));
  }
  return bytes;
}

void fill(FwCfg& device, const PcConfig& config) {
  device.add(fw_cfg::signature, {'Q', 'E', 'M', 'U'});
  device.add(fw_cfg::id, 3, 4);  // this interface and DMA
  device.add(fw_cfg::uuid, std::vector<uint8_t>(16));
  device.add(fw_cfg::ram_size, config.memory_bytes, 8);
  device.add(fw_cfg::nographic, 1, 2);
  device.add(fw_cfg::nb_cpus, config.processors, 2);
  device.add(fw_cfg::max_cpus, config.processors, 2);
  device.add(fw_cfg::cmdline_size, config.command_line.size() + 1, 4);
  device.add(fw_cfg::cmdline_data, text(config.command_line));
  const loader::AcpiTables acpi = loader::make_acpi_tables(config.processors);
  device.add_file("etc/acpi/rsdp", acpi.rsdp);
  device.add_file("etc/acpi/tables", acpi.tables);
  device.add_file("etc/e820", memory_map_file(config.memory_bytes));
  device.add_file("etc/table-loader", acpi.script);
  device.close();
}

/// The CMOS bytes with which firmware tells sizes (as PCs have them since the AT).
void fill(Rtc& rtc, const PcConfig& config) {
  auto put = [&](uint8_t low, uint8_t high, uint64_t value) {
    rtc.set_memory(low, static_cast<uint8_t>(value));
    rtc.set_memory(high, static_cast<uint8_t>(value >> 8));
  };
  put(0x15, 0x16, 640);
  const uint64_t above_1 = (config.memory_bytes >> 10) - 1024;
  put(0x17, 0x18, std::min<uint64_t>(above_1, 0xffff));
  put(0x30, 0x31, std::min<uint64_t>(above_1, 0xffff));
  put(0x34, 0x35, (config.memory_bytes - (uint64_t{16} << 20)) >> 16);
  rtc.set_memory(0x5f, static_cast<uint8_t>(config.processors - 1));
}

}  // namespace

Pc::Pc(const PcConfig& config, DmaBus& memory, Deliver deliver)
    : deliver_{std::move(deliver)},
      io_apic_{*this},
      pit_{*this},
      rtc_{*this, config.clock},
      fw_cfg_{memory},
      wires_{*this} {
  clock_.add(pit_);
  clock_.add(rtc_);
  fill(fw_cfg_, config);
  fill(rtc_, config);
}

void Pc::connect(IoBus& io, SerialPort& serial) {
  io.claim(PicPair::primary, 2, pic_);
  io.claim(PicPair::secondary, 2, pic_);
  io.claim(PicPair::edge_level, 2, pic_);
  io.claim(Pit::counters, 4, pit_);
  io.claim(Pit::port_b, 1, pit_);
  io.claim(Rtc::index_port, 2, rtc_);
  io.claim(FwCfg::selector, 2, fw_cfg_);
  io.claim(FwCfg::dma_high, 8, fw_cfg_);
  io.claim(PcPower::pm1a_event, 12, power_);
  io.claim(PcPower::old_control, 2, power_);
  io.claim(PcPower::reset_control, 1, power_);
  io.claim(PcPower::port_a, 1, power_);
  io.claim(PcPower::keyboard_data, 1, power_);
  io.claim(PcPower::keyboard_command, 1, power_);
  io.claim(DebugExit::port, DebugExit::size, exit_);
  io.claim(TestWires::bytes_base, TestWires::byte_count, wires_);
  io.claim(TestWires::lines_base, TestWires::line_count, wires_);
  serial.connect(*this, SerialPort::com1_line);
}

void Pc::set_line(unsigned line, bool asserted) {
  if (line < isa_lines) pic_.set_line(line, asserted);
  // Pin 0 is where some boards bring the 8259s; nothing is wired to it here.
  if (line == timer_line) io_apic_.set_pin(timer_pin, asserted);
  else if (line != timer_pin) io_apic_.set_pin(line, asserted);
}

uint64_t Pc::mmio_read(mmu::Spa address, uint8_t size) const {
  return io_apic_.mmio_read(static_cast<uint16_t>(address.page_offset()), size);
}

void Pc::mmio_write(mmu::Spa address, uint8_t size, uint64_t value) {
  io_apic_.mmio_write(static_cast<uint16_t>(address.page_offset()), size, value);
}

std::vector<loader::MemoryRange> pc_memory_map(uint64_t memory_bytes) {
  constexpr uint32_t usable = 1, reserved = 2;
  constexpr uint64_t mebibyte = uint64_t{1} << 20;
  return {{0, pc_layout::extended_bios_data, usable},
          {pc_layout::extended_bios_data, 0x400, reserved},
          {pc_layout::firmware, mebibyte - pc_layout::firmware, reserved},
          {mebibyte, memory_bytes - mebibyte, usable},
          {IoApic::mmio_base, 0x1000, reserved},
          {0xfee0'0000, 0x1000, reserved}};
}

}  // namespace machine
