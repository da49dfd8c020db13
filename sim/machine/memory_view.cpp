#include "sim/machine/memory_view.h"

#include <fmt/format.h>

#include <algorithm>

namespace machine {
namespace {

constexpr size_t bytes_per_line = 16, bytes_per_word = 4;

/// One doubleword, highest byte first, as dc prints it. Bytes past the end are blanks.
std::string word_text(const std::vector<std::optional<uint8_t>>& bytes, size_t first) {
  std::string text;
  for (size_t i = first + bytes_per_word; i-- > first;) {
    if (i >= bytes.size()) text += "  ";
    else text += bytes[i] ? fmt::format("{:02x}", *bytes[i]) : "??";
  }
  return text;
}

char character(const std::optional<uint8_t>& byte) {
  if (!byte) return '?';
  return *byte >= 0x20 && *byte < 0x7f ? static_cast<char>(*byte) : '.';
}

}  // namespace

std::vector<std::optional<uint8_t>> view_memory(const mmu::Translator& translator,
                                                const mmu::AddressSpace& space, mmu::Gva address, size_t count) {
  std::vector<std::optional<uint8_t>> result(count);
  for (size_t done = 0; done < count;) {
    const mmu::Gva here = address + done;
    const size_t in_page = std::min<size_t>(abi::page_size - here.page_offset(), count - done);
    std::vector<uint8_t> bytes(in_page);
    const uint64_t got = mmu::read_gva(translator, space, here, bytes);
    for (size_t i = 0; i < got; ++i) result[done + i] = bytes[i];
    done += in_page;
  }
  return result;
}

std::string format_dc(mmu::Gva address, const std::vector<std::optional<uint8_t>>& bytes) {
  std::string text;
  for (size_t line = 0; line < bytes.size(); line += bytes_per_line) {
    const uint64_t value = (address + line).value();
    text += fmt::format("{:08x}`{:08x} ", value >> 32, value & 0xffff'ffff);
    for (size_t word = 0; word < bytes_per_line; word += bytes_per_word) {
      text += ' ' + word_text(bytes, line + word);
    }
    text += "  ";
    for (size_t i = line; i < std::min(line + bytes_per_line, bytes.size()); ++i) text += character(bytes[i]);
    text += '\n';
  }
  return text;
}

}  // namespace machine
