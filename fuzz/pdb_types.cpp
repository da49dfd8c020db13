// The reader of types: any type stream is refused with a message, or every question about every type of it has an
// answer.
#include <cstdlib>

#include "sim/symbols/structures.h"
#include "sim/symbols/type_table.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace symbols;
  const auto table = TypeTable::parse({data, data + size});
  if (!table) {
    if (table.error().message.empty()) std::abort();
    return 0;
  }
  const TypeTable& types = table.value();
  const ReadMemory read = [](uint64_t address, std::span<uint8_t> to) {
    for (uint8_t& byte : to) byte = static_cast<uint8_t>(address++);
    return Reach::Read;
  };
  size_t looked_at = 0;
  for (const TypeIndex type : types.named()) {
    if (types.name(type).empty() || types.resolve(type) != type) std::abort();
    if (!types.find(types.name(type))) std::abort();
    // Names may be alike: a forward reference finds one that is.
    for (const TypeMember& member : types.members(type)) {
      if (types.text(member.type).size() > 1'000'000) std::abort();
      if (!member.is_base && !types.part(type, member.name) &&
          member.name.find_first_of(".[") == std::string_view::npos)
        std::abort();
    }
    static_cast<void>(fields_of(types, type, 0x1000, read));
    if (++looked_at == 64) break;
  }
  for (TypeIndex type = 0x1000; type < 0x1100; ++type) {
    static_cast<void>(types.text(type));
    if (types.count(type) != 0 && types.size(types.target(type)) == 0) std::abort();
  }
  return 0;
}
