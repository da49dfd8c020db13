#include "sim/symbols/variables.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "sim/loader/pe_image.h"

namespace symbols {
namespace {

constexpr uint64_t largest_shown = 4096;  // bytes of a variable whose value is read

constexpr size_t longest_text = 48;             // characters that are shown behind a pointer
constexpr std::array<std::string_view, vtl::gpr_count> register_names = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                                         "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

std::string where_of(const Local& local) {
  if (local.where == Local::Where::Nowhere || local.reg >= register_names.size()) return "";
  const std::string_view name = register_names[local.reg];
  if (local.where == Local::Where::Register) return std::string{name};
  const bool below = local.displacement < 0;
  const uint64_t distance = below ? 0 - static_cast<uint64_t>(local.displacement) : static_cast<uint64_t>(local.displacement);
  return distance == 0 ? std::string{name} : fmt::format("{}{}{:#x}", name, below ? '-' : '+', distance);
}

/// The bytes of a variable, if they can be had.
std::vector<uint8_t> bytes_of(const Frame& frame, const Local& local, uint64_t size, const ReadMemory& read,
                              Variable& out) {
  if (local.where == Local::Where::Nowhere || local.reg >= vtl::gpr_count) return {};
  out.lost = !frame.knows(local.reg);
  if (out.lost) return {};
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

/// Characters of `size` bytes from an address on, up to a NUL: as many as can be read. They are a guest's.
std::string text_at(uint64_t address, uint64_t size, const ReadMemory& read) {
  std::string text;
  for (bool ended = false; !ended && text.size() < longest_text;) {
    std::array<uint8_t, 4> one{};
    if (read(address + text.size() * size, {one.data(), static_cast<size_t>(size)}) != Reach::Read) break;
    uint32_t character = 0;
    std::memcpy(&character, one.data(), one.size());
    ended = character == 0;
    if (!ended) text += character < 0x80 ? static_cast<char>(character) : '?';
  }
  return text;
}

/// What a pointer to characters leads to; nothing where it is none, or leads nowhere.
std::string text_behind(const TypeTable& types, TypeIndex pointer, uint64_t address, const ReadMemory& read) {
  const TypeIndex to = types.resolve(types.target(pointer));
  const uint64_t size = types.size(to);
  if (address == 0 || types.kind(to) != TypeKind::Character || (size != 1 && size != 2 && size != 4)) return "";
  const std::string text = text_at(address, size, read);
  if (text.empty()) return "";
  return fmt::format(" {}\"{}\"{}", size == 1 ? "" : "L", loader::printable(text), text.size() == longest_text ? "..." : "");
}

bool is_structure(TypeKind kind) { return kind == TypeKind::Structure || kind == TypeKind::Class || kind == TypeKind::Union; }

/// Its value in words, from its bytes.
void describe(const TypeTable& types, TypeIndex type, const std::vector<uint8_t>& bytes, const ReadMemory& read, Variable& out) {
  out.value = format_value(types, type, bytes);
  if (bytes.size() > sizeof(uint64_t) || !out.value) return;
  uint64_t number = 0;
  std::memcpy(&number, bytes.data(), bytes.size());
  out.number = number;
  if (out.is_pointer) *out.value += text_behind(types, types.resolve(type), number, read);
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
    if (local.name.empty()) continue;  // a parameter that its function does not name
    Variable variable;
    variable.name = local.name;
    variable.type = symbols.types.text(local.type);
    variable.is_parameter = local.is_parameter;
    variable.inlined = local.inlined;
    variable.types = &symbols.types;
    variable.type_index = local.type;
    variable.where = where_of(local);
    const TypeKind kind = symbols.types.kind(symbols.types.resolve(local.type));
    variable.is_pointer = kind == TypeKind::Pointer;
    const std::vector<uint8_t> bytes = bytes_of(frame, local, symbols.types.size(local.type), read, variable);
    if (!bytes.empty()) describe(symbols.types, local.type, bytes, read, variable);
    if (!variable.value && variable.address && is_structure(kind)) variable.value = "{...}";
    out.push_back(std::move(variable));
  }
  return out;
}

}  // namespace symbols
