// The unwinder: any image, and a stack made of the same bytes. Every stack ends, with a reason.
#include <cstdlib>
#include <cstring>

#include "sim/symbols/unwind.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace symbols;
  constexpr uint64_t base = 0x140000000, stack = 0x10000;
  constexpr size_t most_frames = 32;
  const auto table = UnwindTable::parse({data, size});
  if (!table) {
    if (table.error().message.empty()) std::abort();
    return 0;
  }
  UnwindWorld world;
  world.read = [&](vtl::Vtl, uint64_t, abi::Gva address, std::span<uint8_t> to) {
    for (size_t i = 0; i < to.size(); ++i) {
      const uint64_t at = address.value() + i;
      if (at - stack < size) to[i] = data[at - stack];
      else if (at - base <= 0xffffffff && !table.value().bytes(static_cast<uint32_t>(at - base), 1).empty())
        to[i] = table.value().bytes(static_cast<uint32_t>(at - base), 1)[0];
      else return false;
    }
    return true;
  };
  world.code = [&](vtl::Vtl, uint64_t, uint64_t address) -> std::optional<UnwindWorld::Code> {
    if (address - base > 0xffffff) return std::nullopt;
    return UnwindWorld::Code{base, &table.value()};
  };
  size_t looked_at = 0;
  for (const UnwindTable::Entry& entry : table.value().entries()) {
    for (const uint32_t at : {0u, 4u, (entry.end - entry.begin) / 2, entry.end - entry.begin - 1}) {
      Frame frame;
      frame.registers.rip = base + entry.begin + at;
      frame.registers.gpr.fill(stack + 64);
      frame.registers.gpr[vtl::Rsp] = stack + (at * 8u) % (size + 1);
      const Stack out = unwind(frame, world, most_frames);
      if (out.frames.empty() || out.frames.size() > most_frames || out.why.empty()) std::abort();
      if (at >= entry.end - entry.begin) continue;
      if (const auto* found = table.value().find(entry.begin + at); found == nullptr || found->begin != entry.begin)
        std::abort();
    }
    if (++looked_at == 16) break;
  }
  return 0;
}
