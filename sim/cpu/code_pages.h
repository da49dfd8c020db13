#pragma once
// Which pages of RAM one processor's engines have looked at before running them, and which of those they must not
// translate in blocks.
#include <cstdint>
#include <cstring>
#include <vector>

#include "abi/layout/address.h"
#include "mmu/physical_memory.h"
#include "sim/cpu/instruction.h"

namespace cpu {

class CodePages {
 public:
  explicit CodePages(mmu::PhysicalMemory& memory)
      : memory_{memory},
        scanned_(memory.page_count()),
        dangerous_(memory.page_count()),
        open_ended_(memory.page_count()) {}

  /// The page is code and its content was scanned since it last changed.
  [[nodiscard]] bool ready(uint64_t page) const {
    return scanned_[page] && memory_.state(page) == mmu::PageState::Code;
  }
  [[nodiscard]] bool dangerous(uint64_t page) const { return dangerous_[page]; }
  /// Ends with what may become dangerous, depending on the page that follows.
  [[nodiscard]] bool open_ended(uint64_t page) const { return open_ended_[page]; }
  /// What is dangerous begins at the end of `first` and is completed by `second`, if code runs from one into the other.
  [[nodiscard]] bool dangerous_together(uint64_t first, uint64_t second) const {
    if (!open_ended_[first] || !ready(first) || !ready(second)) return false;
    constexpr size_t part = max_instruction_length;
    uint8_t code[2 * part];
    std::memcpy(code, memory_.data() + (first + 1) * abi::page_size - part, part);
    std::memcpy(code + part, memory_.data() + second * abi::page_size, part);
    return find_locked_bit_test(code) == LockedBitTest::Inside;
  }
  /// Makes the page code and scans it.
  void prepare(uint64_t page) {
    (void)memory_.make_code(page);
    const LockedBitTest found =
        find_locked_bit_test({memory_.data() + page * abi::page_size, abi::page_size});
    dangerous_[page] = found == LockedBitTest::Inside;
    open_ended_[page] = found == LockedBitTest::AtEnd;
    scanned_[page] = true;
  }
  void forget(uint64_t page) { scanned_[page] = false; }

 private:
  mmu::PhysicalMemory& memory_;
  std::vector<bool> scanned_, dangerous_, open_ended_;
};

}  // namespace cpu
