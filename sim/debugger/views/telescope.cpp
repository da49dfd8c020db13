#include "sim/debugger/views/telescope.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "abi/x64/paging.h"
#include "sim/debugger/views/memory.h"

namespace debugger::views {
namespace {

constexpr size_t shortest_text = 4, longest_text = 32;  // characters
constexpr uint64_t first_page = 0x10000;                // no guest maps what lies below: small numbers are numbers

bool is_kernel_address(uint64_t address) { return address >> 63 != 0; }

bool may_be_address(const Eye& eye, uint64_t value) {
  return value >= first_page && abi::x64::is_canonical(value, abi::x64::linear_address_bits(eye.space.stage1.cr4));
}

bool is_code(const Eye& eye, uint64_t address) {
  const mmu::Access fetch{mmu::Gva{address}, mmu::AccessKind::Execute, !is_kernel_address(address), false};
  return eye.machine.translator().probe(eye.space, fetch).ok;
}

bool is_text(uint8_t byte) { return byte >= 0x20 && byte < 0x7f; }

/// Characters of `width` bytes at the beginning, up to a NUL or the end; in quotes, or empty if they are too few.
std::string text_in(const std::vector<uint8_t>& bytes, size_t width) {
  std::string text;
  bool ended = false;
  for (size_t i = 0; i + width <= bytes.size() && text.size() < longest_text; i += width) {
    const bool narrow = width == 1 || bytes[i + 1] == 0;
    ended = narrow && bytes[i] == 0;
    if (ended) break;
    if (!narrow || !is_text(bytes[i])) return "";
    text += static_cast<char>(bytes[i]);
  }
  if (text.size() < shortest_text) return "";
  return fmt::format("{}\"{}\"{}", width == 1 ? "" : "L", text, ended ? "" : "...");
}

/// The beginning of what is at an address.
struct There {
  Reach reach{};
  std::vector<uint8_t> bytes;
};
There at(const Eye& eye, uint64_t address) {
  std::vector<MemoryPart> parts = read_memory(eye, Space::Gva, address, longest_text * 2);
  if (parts.empty()) return {Reach::Unmapped, {}};
  return {parts.front().reach, std::move(parts.front().bytes)};
}

}  // namespace

std::vector<std::string> chain_of(const Eye& eye, const Names& names, uint64_t value) {
  const uint64_t cr3 = eye.space.stage1.cr3;
  std::vector<std::string> chain;
  std::vector<uint64_t> seen;
  Place place = names.place(value, cr3);
  if (!place.module.empty()) chain.push_back(place.text);
  while (chain.size() < longest_chain && may_be_address(eye, value)) {
    const bool named = !place.module.empty();
    const There there = at(eye, value);
    if (there.reach == Reach::Denied) chain.emplace_back("??");
    if (there.reach == Reach::Device) chain.emplace_back("a device");
    if (there.reach == Reach::Unmapped && (named || is_kernel_address(value))) chain.emplace_back("--");
    if (there.reach != Reach::Readable || (named && is_code(eye, value))) break;
    std::string text = text_in(there.bytes, 1);
    if (text.empty()) text = text_in(there.bytes, 2);
    if (!text.empty() || there.bytes.size() < sizeof value) {
      if (!text.empty()) chain.push_back(std::move(text));
      break;
    }
    seen.push_back(value);
    std::memcpy(&value, there.bytes.data(), sizeof value);
    place = names.place(value, cr3);
    chain.push_back(place.module.empty() ? fmt::format("{:#x}", value) : place.text);
    if (std::find(seen.begin(), seen.end(), value) != seen.end()) break;
  }
  return chain;
}

}  // namespace debugger::views
