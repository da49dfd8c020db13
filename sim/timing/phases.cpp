#include "sim/timing/phases.h"

#include <string_view>

namespace timing {
namespace {

struct Row {
  std::string_view module, symbol;
  bool opens{};
};
constexpr Row rows[] = {
#define PHASE_FUNCTION(module, symbol, opens) {module, symbol, opens},
#include "sim/timing/phases.def"
};

constexpr size_t line_count = 8192;

}  // namespace

Phases::Phases(const loader::ImageCatalog& images) : images_{images}, lines_(line_count) {}

void Phases::forget() { lines_.assign(line_count, {}); }

Phase Phases::of(const trace::InstructionRecord& record) {
  Line& line = lines_[(record.rip ^ record.rip >> 13) % line_count];
  const uint64_t cr3 = record.rip >> 63 != 0 ? 0 : record.registers[trace::cr3];
  if (line.rip != record.rip || line.cr3 != cr3) line = {record.rip, cr3, look_up(record)};
  return line.phase;
}

Phase Phases::look_up(const trace::InstructionRecord& record) {
  const loader::LoadedImage* image = images_.find(record.rip, record.registers[trace::cr3]);
  if (image == nullptr) return Phase::Between;
  if (image->symbols == nullptr) return Phase::Work;
  const auto place = image->symbols->nearest(static_cast<uint32_t>(record.rip - image->base));
  if (!place) return Phase::Work;
  const std::string name = loader::plain_symbol_name(place->name);
  for (const Row& row : rows) {
    if (row.module != image->module || row.symbol != name) continue;
    has_symbols_ = true;
    return row.opens && place->displacement == 0 ? Phase::NewCall : Phase::Marshalling;
  }
  return Phase::Work;
}

}  // namespace timing
