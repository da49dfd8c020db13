#include "sim/replay/bisect.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "mmu/physical_memory.h"

namespace replay {
namespace {

using support::Instant;
using support::Result;

/// How many parts a stretch is cut into per pass: each pass runs both machines once from their reset.
constexpr uint64_t parts = 64;
constexpr size_t shown_places = 8;

struct Pair {
  std::unique_ptr<Subject> suspect, reference;

  static Result<Pair> make(const SubjectFactory& suspect, const SubjectFactory& reference) {
    Pair pair;
    pair.suspect = TRY(suspect(nullptr));
    pair.reference = TRY(reference(nullptr));
    return pair;
  }
  /// Runs both; whether they are equal afterwards.
  bool equal_at(Instant at) {
    const bool stops_equal = suspect->run(at) == reference->run(at);
    return stops_equal && suspect->machine().now() == reference->machine().now() &&
           suspect->machine().fingerprint() == reference->machine().fingerprint();
  }
};

void compare_memory(machine::Machine& suspect, machine::Machine& reference, std::vector<std::string>& out) {
  const mmu::PhysicalMemory& a = suspect.translator().memory();
  const mmu::PhysicalMemory& b = reference.translator().memory();
  const uint64_t size = std::min(a.size(), b.size());
  size_t differing = 0;
  for (uint64_t page = 0; page < size; page += 4096) {
    if (std::memcmp(a.data() + page, b.data() + page, 4096) == 0) continue;
    if (++differing > shown_places) continue;
    const auto* const end = a.data() + page + 4096;
    const auto first = std::mismatch(a.data() + page, end, b.data() + page);
    out.push_back(fmt::format("memory at SPA {:#x}: {:#04x} instead of {:#04x}", static_cast<uint64_t>(first.first - a.data()),
                              *first.first, *first.second));
  }
  if (differing > shown_places) out.push_back(fmt::format("memory of {} more pages", differing - shown_places));
}

FirstDifference describe(Pair& pair, Instant high) {
  FirstDifference result;
  result.before = point_of(pair.reference->machine());
  static_cast<void>(pair.equal_at(high));
  result.suspect = point_of(pair.suspect->machine());
  result.reference = point_of(pair.reference->machine());
  Point registers_only = result.suspect;
  registers_only.state = result.reference.state;
  if (const std::string text = differences(registers_only, result.reference); !text.empty()) result.what.push_back(text);
  compare_memory(pair.suspect->machine(), pair.reference->machine(), result.what);
  if (result.what.empty()) result.what.emplace_back("a register that is not general, the TLB, the hypervisor or a device");
  return result;
}

}  // namespace

Result<std::optional<FirstDifference>> first_difference(const SubjectFactory& suspect, const SubjectFactory& reference,
                                                        Instant low, Instant high) {
  using Found = std::optional<FirstDifference>;
  for (;;) {
    Pair pair = TRY(Pair::make(suspect, reference));
    if (!pair.equal_at(low)) {
      if (low.ticks == 0) return Found{FirstDifference{point_of(pair.reference->machine()), point_of(pair.suspect->machine()),
                                                       point_of(pair.reference->machine()),
                                                       {"the machines differ before their first instruction"}}};
      high = low;
      low = {};
      continue;
    }
    if (high <= low + 1) return Found{describe(pair, high)};
    const uint64_t step = std::max<uint64_t>(1, (high - low + parts - 1) / parts);
    bool equal = true;
    while (equal && low < high) {
      const Instant next{std::min(low.ticks + step, high.ticks)};
      equal = pair.equal_at(next);
      (equal ? low : high) = next;
    }
    if (equal) return Found{};
  }
}

std::string to_text(const FirstDifference& difference) {
  std::string text = fmt::format("the first instruction that differs is at instant {}, {}:\n", difference.before.at.ticks,
                                 place(difference.before));
  for (const std::string& line : difference.what) text += fmt::format("  {}\n", line);
  return text;
}

}  // namespace replay
