#include "sim/machine/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace machine {
namespace {

constexpr uint64_t magic = 0x0a1a'6574'6174'5341;  // "AState", SUB, line feed
constexpr size_t page_bytes = 4096;
constexpr std::array<uint8_t, page_bytes> zeros{};

void compare_page(uint64_t page, const uint8_t* a, const uint8_t* b, std::vector<support::StateDifference>& found) {
  const auto [in_a, in_b] = std::mismatch(a, a + page_bytes, b);
  if (in_a == a + page_bytes) return;
  found.push_back({fmt::format("memory[{:#x}]", page * page_bytes + static_cast<uint64_t>(in_a - a)),
                   fmt::format("{:#04x}", *in_a), fmt::format("{:#04x}", *in_b)});
}

}  // namespace

std::vector<uint8_t> to_bytes(const State& state) {
  std::vector<uint8_t> bytes;
  bytes.reserve(state.fields.size() + state.contents.size() + state.pages.size() * 8 + 128);
  support::StateWriter writer{bytes};
  writer("magic", magic)("state", state);
  return bytes;
}

support::Result<State> state_from_bytes(std::span<const uint8_t> bytes) {
  support::StateReader reader{bytes};
  uint64_t first = 0;
  State state;
  reader("magic", first).require(first == magic, "this is no state of a machine");
  reader("state", state);
  reader.require(state.contents.size() == state.pages.size() * page_bytes, "not 4096 bytes for each page");
  if (support::Status status = reader.finish(); !status.ok()) return status.error();
  return state;
}

std::vector<support::StateDifference> diff_memory(const State& a, const State& b) {
  std::vector<support::StateDifference> found;
  size_t i = 0, j = 0;
  while (i < a.pages.size() || j < b.pages.size()) {
    const bool in_a = i < a.pages.size() && (j == b.pages.size() || a.pages[i] <= b.pages[j]);
    const bool in_b = j < b.pages.size() && (i == a.pages.size() || b.pages[j] <= a.pages[i]);
    compare_page(in_a ? a.pages[i] : b.pages[j], in_a ? a.page(i) : zeros.data(), in_b ? b.page(j) : zeros.data(), found);
    if (in_a) ++i;
    if (in_b) ++j;
  }
  return found;
}

}  // namespace machine
