#pragma once
// The board of a PC: what stands around the processors when the machine boots a kernel by itself.
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "mmu/physical_memory.h"
#include "sim/loader/multiboot.h"
#include "sim/machine/devices/device_clock.h"
#include "sim/machine/devices/fw_cfg.h"
#include "sim/machine/devices/interrupt_lines.h"
#include "sim/machine/devices/io_apic.h"
#include "sim/machine/devices/io_bus.h"
#include "sim/machine/devices/pc_ports.h"
#include "sim/machine/devices/pic.h"
#include "sim/machine/devices/pit.h"
#include "sim/machine/devices/rtc.h"
#include "sim/machine/devices/serial.h"
#include "vtl/external_interrupts.h"

namespace machine {

/// Where a PC's low memory has what its firmware leaves there.
namespace pc_layout {
inline constexpr uint64_t bios_data = 0x400, extended_bios_data = 0x9'fc00;
inline constexpr uint32_t firmware = 0xf'0000;         ///< RSDP first; reserved to 1 MiB
inline constexpr uint32_t tables = firmware + 0x40;    ///< the other ACPI tables
inline constexpr uint32_t gdt = 0xf'f000;              ///< null, 0x08 code, 0x10 data: flat 32-bit segments
inline constexpr uint16_t code_selector = 0x08, data_selector = 0x10;
}  // namespace pc_layout

/// What decides how the board looks.
struct PcConfig {
  unsigned processors{1};
  uint64_t memory_bytes{};
  int64_t clock{};  ///< seconds since 1970 that the RTC shows at instant 0
  std::string_view command_line;
};

/// Interrupt lines go to the 8259 pair and to the I/O APIC; line 0 is pin 2 there. Those of the 8259 pair reach the
/// processors as the hypervisor asks for them, those of the I/O APIC as messages.
class Pc final : public vtl::InterruptControllers, private InterruptLines, private InterruptBus {
 public:
  using Deliver = std::function<void(const vtl::ExternalInterrupt&)>;

  Pc(const PcConfig& config, DmaBus& memory, Deliver deliver);
  Pc(const Pc&) = delete;
  Pc& operator=(const Pc&) = delete;

  /// Claims the board's ports, and gives `serial` its interrupt line. What claimed a port before loses it.
  void connect(IoBus& io, SerialPort& serial);

  [[nodiscard]] support::Instant next_event() const { return clock_.next_event(); }
  void advance(support::Instant now) { clock_.advance(now); }

  /// Whether the page at `address` is the board's.
  [[nodiscard]] static bool owns(mmu::Spa address) { return address.page_base().value() == IoApic::mmio_base; }
  [[nodiscard]] uint64_t mmio_read(mmu::Spa address, uint8_t size) const;
  void mmio_write(mmu::Spa address, uint8_t size, uint64_t value);

  /// An interrupt of the board could reach a processor that masks interrupts.
  [[nodiscard]] bool may_send_nmi() const { return io_apic_.may_send_nmi(); }

  [[nodiscard]] const DebugExit& debug_exit() const { return exit_; }
  [[nodiscard]] PowerRequest power_request() const { return power_.request(); }

  [[nodiscard]] std::optional<uint8_t> external_vector() const override { return pic_.external_vector(); }
  void acknowledge_external() override { pic_.acknowledge(); }
  void end_of_interrupt(uint8_t vector) override { io_apic_.end_of_interrupt(vector); }

  template <class Visitor, class Self>
  static void visit_state(Visitor& visit, Self& self) {
    visit("pic", self.pic_)("io_apic", self.io_apic_)("pit", self.pit_)("rtc", self.rtc_)("fw_cfg", self.fw_cfg_);
    visit("power", self.power_)("exit", self.exit_)("wires", self.wires_);
  }

 private:
  void set_line(unsigned line, bool asserted) override;
  void send(const vtl::ExternalInterrupt& interrupt) override { deliver_(interrupt); }

  Deliver deliver_;
  DeviceClock clock_;
  PicPair pic_;
  IoApic io_apic_;
  Pit pit_;
  Rtc rtc_;
  FwCfg fw_cfg_;
  PcPower power_;
  DebugExit exit_;
  TestWires wires_;
};

/// The memory of a PC as its firmware reports it.
[[nodiscard]] std::vector<loader::MemoryRange> pc_memory_map(uint64_t memory_bytes);

/// Loads `kernel` and `modules`, writes what firmware and boot loader leave in memory, and sets `vp` to the kernel's entry as
/// the Multiboot specification says (3.2). Fails, with a sentence, when the file is not a kernel or does not fit.
support::Status boot_kernel(const PcConfig& config, loader::Bytes kernel, const std::vector<loader::BootModule>& modules,
                            mmu::PhysicalMemory& memory, vtl::VirtualProcessor& vp);

}  // namespace machine
