#include "sim/debugger/condition.h"

#include <cstring>

namespace debugger {

std::vector<uint8_t> watched_value(const machine::Machine& machine, const Condition& condition) {
  std::vector<uint8_t> value;
  if (const auto* memory = std::get_if<MemoryWatch>(&condition)) {
    value.resize(memory->bytes);
    if (!machine.translator().memory().read(memory->first, value)) value.clear();
  } else if (const auto* watched = std::get_if<RegisterWatch>(&condition)) {
    const vtl::Xmm now = register_value(watched->id, machine.processor(watched->vp), watched->vtl);
    value.resize(sizeof now);
    std::memcpy(value.data(), &now.low, 8);
    std::memcpy(value.data() + 8, &now.high, 8);
  }
  return value;
}

Instant position_after(const Hit& hit, const Conditions& conditions) {
  const Condition& condition = conditions[hit.condition];
  return is_watch(condition) || std::holds_alternative<AccessWatch>(condition) ? hit.at + 1 : hit.at;
}

const Check& check_of(const Condition& condition) {
  return std::visit([](const auto& one) -> const Check& { return one.check; }, condition);
}

bool differs(const Condition& condition, const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  const auto* memory = std::get_if<MemoryWatch>(&condition);
  if (memory == nullptr || memory->ignore == 0 || a.size() != 8 || b.size() != 8) return a != b;
  uint64_t left = 0, right = 0;
  std::memcpy(&left, a.data(), 8);
  std::memcpy(&right, b.data(), 8);
  return ((left ^ right) & ~memory->ignore) != 0;
}

}  // namespace debugger
