#include "sim/cpu/processor_memory.h"

#include <algorithm>
#include <cstring>

#include "sim/support/check.h"

namespace cpu {

std::optional<MemoryFault> ProcessorMemory::locate(uint64_t address, uint64_t bytes,
                                                   mmu::AccessKind kind, Privilege privilege,
                                                   Part (&parts)[2]) const {
  CHECK(bytes <= abi::page_size);
  unsigned part = 0;
  for (uint64_t done = 0; done < bytes; ++part) {
    const mmu::Gva at{address + done};
    const mmu::Access access{at, kind, privilege == Privilege::User,
                             privilege == Privilege::Implicit};
    const mmu::TranslationResult result = translator_.translate(space_, access);
    if (!result.ok) return MemoryFault{result.fault, kind};
    const uint64_t here = std::min(bytes - done, abi::page_size - at.page_offset());
    parts[part] = {result.translation.spa, here, result.translation.ram};
    done += here;
  }
  return std::nullopt;
}

void ProcessorMemory::note(uint64_t address, uint64_t bytes, bool write, Privilege privilege) const {
  if (touches_ != nullptr && privilege != Privilege::Implicit)
    touches_->push_back({address, static_cast<uint32_t>(bytes), write});
}

std::optional<MemoryFault> ProcessorMemory::check(uint64_t address, uint64_t bytes,
                                                  mmu::AccessKind kind, Privilege privilege) const {
  Part parts[2];
  return locate(address, bytes, kind, privilege, parts);
}

std::optional<MemoryFault> ProcessorMemory::read(uint64_t address, std::span<uint8_t> bytes,
                                                 Privilege privilege) const {
  Part parts[2];
  if (auto fault = locate(address, bytes.size(), mmu::AccessKind::Read, privilege, parts))
    return fault;
  note(address, bytes.size(), false, privilege);
  uint64_t done = 0;
  for (const Part& part : parts) {
    const auto to = bytes.subspan(done, part.bytes);
    if (part.bytes == 0) break;
    if (!part.ram || !translator_.memory().read(part.spa, to))
      std::fill(to.begin(), to.end(), uint8_t{0xff});
    done += part.bytes;
  }
  return std::nullopt;
}

std::optional<MemoryFault> ProcessorMemory::write(uint64_t address, std::span<const uint8_t> bytes,
                                                  Privilege privilege) const {
  Part parts[2];
  if (auto fault = locate(address, bytes.size(), mmu::AccessKind::Write, privilege, parts))
    return fault;
  note(address, bytes.size(), true, privilege);
  uint64_t done = 0;
  for (const Part& part : parts) {
    if (part.bytes == 0) break;
    if (part.ram) (void)translator_.memory().write(part.spa, bytes.subspan(done, part.bytes));
    done += part.bytes;
  }
  return std::nullopt;
}

}  // namespace cpu
