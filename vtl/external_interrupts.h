#pragma once
// Interrupts from outside the processors: what an I/O APIC sends, and what the hypervisor asks of the controllers.
#include <cstdint>
#include <optional>

namespace vtl {

/// Delivery modes of an interrupt message (SDM vol. 3, 11.6.1; 82093AA I/O APIC, 3.2.4).
enum class DeliveryMode : uint8_t { Fixed = 0, LowestPriority = 1, Smi = 2, Nmi = 4, Init = 5, Startup = 6, ExtInt = 7 };

/// One message of an I/O APIC or of a device (MSI) to the local APICs of VTL 0 of the root partition.
struct ExternalInterrupt {
  uint32_t destination{};  ///< 8 bits: APIC id, or logical destination as LDR and DFR have it
  bool logical{};
  DeliveryMode delivery_mode{DeliveryMode::Fixed};
  uint8_t vector{};
  bool level{};  ///< the local APIC sets TMR: its EOI is told to end_of_interrupt()
};

/// The interrupt controllers of the board as the processors see them. The machine connects them; without, there are none.
class InterruptControllers {
 public:
  virtual ~InterruptControllers() = default;
  /// The vector that the 8259 pair would answer an acknowledge cycle with while its INTR line is asserted; empty if it is
  /// not. Changes nothing: it may be asked at any time and any number of times.
  [[nodiscard]] virtual std::optional<uint8_t> external_vector() const = 0;
  /// The acknowledge cycle itself: the processor took what external_vector() said.
  virtual void acknowledge_external() = 0;
  /// A local APIC ended a level-triggered interrupt (its TMR bit was set) and its SVR does not suppress the broadcast.
  virtual void end_of_interrupt(uint8_t vector) = 0;
};

}  // namespace vtl
