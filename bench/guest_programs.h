#pragma once
// The programs of guest_programs.S and the firmware image that carries one.
#include <cstdint>
#include <span>
#include <vector>

namespace bench {

/// Where things lie in the guest; guest_programs.S repeats these numbers.
namespace guest_layout {
inline constexpr uint64_t image_base = 0x100000;
inline constexpr uint64_t code = 0x101000;
inline constexpr uint64_t data = 0x102000;
inline constexpr uint64_t enable_partition_vtl = data + 0x100;
inline constexpr uint64_t enable_vp_vtl = data + 0x200;
inline constexpr uint64_t start_vp = data + 0x300;
inline constexpr uint64_t idt_pointer = data + 0x480, idt = data + 0x500;
inline constexpr uint64_t far_pml4 = 0x103000, far_pdpt = 0x104000, far_pd = 0x105000, far_pt = 0x106000;
inline constexpr uint64_t far_page = 0x107000;
inline constexpr uint64_t image_end = 0x108000;
inline constexpr uint64_t vtl1_stack = 0x8fff8;
}  // namespace guest_layout

struct GuestProgram {
  const char* name;
  std::span<const uint8_t> code;
  uint64_t rounds;                  ///< of one measurement in gear Fast
  uint64_t instructions_per_round;  ///< at least
};

/// The program called `name`; it must exist.
const GuestProgram& program(const char* name);

/// A PE image whose entry is the program's first instruction, with `rounds` as its operand, followed by data and page tables.
std::vector<uint8_t> firmware_with(const GuestProgram& program, uint64_t rounds);

}  // namespace bench
