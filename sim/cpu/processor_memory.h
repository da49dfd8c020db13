#pragma once
// Memory as the processor itself reads and writes it while it delivers an event or executes a system instruction: through
// the Translator, with A and D bits, all or nothing.
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mmu/translator.h"
#include "sim/cpu/breakpoints.h"

namespace cpu {

/// On whose behalf (SDM vol. 3, 4.6.1).
enum class Privilege : uint8_t {
  Supervisor,  ///< an explicit access at CPL < 3
  User,        ///< an explicit access at CPL 3
  Implicit,    ///< descriptor tables and TSS, at any CPL
};
[[nodiscard]] constexpr Privilege explicit_privilege(uint8_t cpl) {
  return cpl == 3 ? Privilege::User : Privilege::Supervisor;
}

/// Why memory could not be reached.
struct MemoryFault {
  mmu::Fault fault;
  mmu::AccessKind access{};
};

class ProcessorMemory {
 public:
  /// Explicit accesses from now on are written down there.
  void record(std::vector<MemoryTouch>* touches) { touches_ = touches; }

  ProcessorMemory(mmu::Translator& translator, const mmu::AddressSpace& space)
      : translator_{translator}, space_{space} {}

  /// Reads all of `bytes`, or nothing and says why. Device memory reads as ones.
  [[nodiscard]] std::optional<MemoryFault> read(uint64_t address, std::span<uint8_t> bytes,
                                                Privilege privilege) const;
  [[nodiscard]] std::optional<MemoryFault> write(uint64_t address, std::span<const uint8_t> bytes,
                                                 Privilege privilege) const;
  /// Translates every page of the range for this access and transfers nothing.
  [[nodiscard]] std::optional<MemoryFault> check(uint64_t address, uint64_t bytes,
                                                 mmu::AccessKind kind, Privilege privilege) const;

  template <class T>
  [[nodiscard]] std::optional<MemoryFault> read_value(uint64_t address, T& value,
                                                      Privilege privilege) const {
    return read(address, {reinterpret_cast<uint8_t*>(&value), sizeof value}, privilege);
  }
  template <class T>
  [[nodiscard]] std::optional<MemoryFault> write_value(uint64_t address, const T& value,
                                                       Privilege privilege) const {
    return write(address, {reinterpret_cast<const uint8_t*>(&value), sizeof value}, privilege);
  }
  [[nodiscard]] const mmu::AddressSpace& space() const { return space_; }
  [[nodiscard]] mmu::Translator& translator() const { return translator_; }

 private:
  /// A range is at most two pages.
  struct Part {
    mmu::Spa spa;
    uint64_t bytes{};
    bool ram{};
  };
  [[nodiscard]] std::optional<MemoryFault> locate(uint64_t address, uint64_t bytes,
                                                  mmu::AccessKind kind, Privilege privilege,
                                                  Part (&parts)[2]) const;
  void note(uint64_t address, uint64_t bytes, bool write, Privilege privilege) const;
  mmu::Translator& translator_;
  const mmu::AddressSpace& space_;
  std::vector<MemoryTouch>* touches_{};
};

}  // namespace cpu
