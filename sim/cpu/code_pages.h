#pragma once
// Which pages of RAM one processor's engines have looked at before running them, and which of those they must not
// translate in blocks.
#include <cstdint>
#include <vector>

#include "mmu/physical_memory.h"
#include "sim/cpu/instruction.h"

namespace cpu {

class CodePages {
 public:
  explicit CodePages(mmu::PhysicalMemory& memory)
      : memory_{memory}, scanned_(memory.page_count()), dangerous_(memory.page_count()) {}

  /// The page is code and its content was scanned since it last changed.
  [[nodiscard]] bool ready(uint64_t page) const {
    return scanned_[page] && memory_.state(page) == mmu::PageState::Code;
  }
  [[nodiscard]] bool dangerous(uint64_t page) const { return dangerous_[page]; }
  /// Makes the page code and scans it.
  void prepare(uint64_t page) {
    (void)memory_.make_code(page);
    const uint8_t* bytes = memory_.data() + page * abi::page_size;
    dangerous_[page] = page_is_dangerous(std::span<const uint8_t, 4096>{bytes, 4096});
    scanned_[page] = true;
  }
  void forget(uint64_t page) { scanned_[page] = false; }

 private:
  mmu::PhysicalMemory& memory_;
  std::vector<bool> scanned_, dangerous_;
};

}  // namespace cpu
