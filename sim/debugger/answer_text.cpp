#include "sim/debugger/answer_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

namespace debugger {

std::string value_text(const std::vector<uint8_t>& bytes) {
  std::vector<uint8_t> value = bytes;
  if (value.size() == 16 && std::all_of(value.begin() + 8, value.end(), [](uint8_t byte) { return byte == 0; }))
    value.resize(8);
  if (value.size() > 8) return fmt::format("{:02x}", fmt::join(bytes, " "));
  uint64_t number = 0;
  std::memcpy(&number, value.data(), value.size());
  return fmt::format("{:#x}", number);
}

std::string rights_text(const mmu::SlatMapping& mapping) {
  if (!mapping.mapped) return "nothing mapped";
  std::string text;
  if (mapping.rights.read) text += 'r';
  if (mapping.rights.write) text += 'w';
  if (mapping.rights.kernel_execute) text += 'x';
  if (mapping.rights.user_execute) text += 'u';
  return text.empty() ? "no rights" : text;
}

}  // namespace debugger
