#pragma once
// Where the arena has what World does not.
#include <cstdint>

namespace oracle {

enum ArenaPlace : uint64_t {
  idt_32 = 0xd000,
  real_code = 0x20000,
  real_data = 0x24000,
  real_stack = 0x30000,
  data_pages = 10,  ///< from kernel_data and user_data on
};
/// Of those, in order: 3 is read-only, 5 absent, 7 belongs to the other privilege, 9 may be executed.
enum ArenaPage : unsigned { read_only_page = 3, absent_page = 5, foreign_page = 7, code_page = 9 };
/// In the GDT beside World's.
enum ArenaSelector : uint16_t { kernel_cs_32 = 0x20, user_cs_32 = 0x1b, not_present = 0x38 };

}  // namespace oracle
