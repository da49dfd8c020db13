#include "sim/symbols/variables.h"

#include <algorithm>
#include <cstring>

namespace symbols {
namespace {

constexpr uint64_t largest_shown = 4096;  // bytes of a variable whose value is read

/// The bytes of a variable, if they can be had.
std::vector<uint8_t> bytes_of(const Frame& frame, const Local& local, uint64_t size, const ReadMemory& read,
                              Variable& out) {
  if (local.where == Local::Where::Nowhere || !frame.knows(local.reg)) return {};
  const uint64_t value = frame.registers.gpr[local.reg];
  if (local.where == Local::Where::Register) {
    std::vector<uint8_t> bytes(sizeof value);
    std::memcpy(bytes.data(), &value, sizeof value);
    bytes.resize(static_cast<size_t>(std::min<uint64_t>(size, sizeof value)));
    return bytes;
  }
  out.address = value + static_cast<uint64_t>(local.displacement);
  if (size == 0 || size > largest_shown) return {};
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  const Reach reach = read(*out.address, bytes);
  if (reach == Reach::Read) return bytes;
  out.value = reach == Reach::Denied ? "??" : "--";
  return {};
}

}  // namespace

std::vector<Variable> variables_of(const Frame& frame, const loader::ImageCatalog& images, const Library& library,
                                   const ReadMemory& read) {
  // Of an outer frame the call counts, not what follows it.
  const uint64_t pc = frame.entered == Entered::Call && frame.index != 0 ? frame.pc() - 1 : frame.pc();
  const loader::LoadedImage* image = images.find(pc, frame.cr3);
  if (image == nullptr || pc - image->base > 0xffffffff) return {};
  const ImageSymbols& symbols = library.of(image->name);
  const auto rva = static_cast<uint32_t>(pc - image->base);
  const Function* function = symbols.functions.at(rva);
  if (function == nullptr) return {};
  std::vector<Variable> out;
  for (const Local& local : symbols.functions.locals(*function, rva)) {
    Variable variable;
    variable.name = local.name;
    variable.type = symbols.types.text(local.type);
    variable.is_parameter = local.is_parameter;
    variable.inlined = local.inlined;
    variable.types = &symbols.types;
    variable.type_index = local.type;
    const std::vector<uint8_t> bytes = bytes_of(frame, local, symbols.types.size(local.type), read, variable);
    if (!bytes.empty()) variable.value = format_value(symbols.types, local.type, bytes);
    if (!bytes.empty() && bytes.size() <= sizeof(uint64_t) && variable.value) {
      uint64_t number = 0;
      std::memcpy(&number, bytes.data(), bytes.size());
      variable.number = number;
    }
    out.push_back(std::move(variable));
  }
  return out;
}

}  // namespace symbols
