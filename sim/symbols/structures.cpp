#include "sim/symbols/structures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "mmu/translator.h"
#include "sim/loader/pe_image.h"
#include "sim/machine/machine.h"

namespace symbols {
namespace {

constexpr uint64_t longest_object = 65536;
constexpr size_t most_elements = 16;  // that are shown of an array
constexpr size_t most_shown = 128;    // of arrays of arrays
constexpr int deepest_base = 16;
constexpr size_t most_fields = 65536;  // members of bases too: a class may say that it is its own base

/// Little-endian, of up to 8 bytes.
uint64_t number_of(std::span<const uint8_t> bytes) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data(), std::min<size_t>(bytes.size(), sizeof value));
  return value;
}

uint64_t sign_extended(uint64_t value, unsigned bits) {
  if (bits == 0 || bits >= 64) return value;
  const uint64_t sign = uint64_t{1} << (bits - 1);
  return ((value & ((sign << 1) - 1)) ^ sign) - sign;
}
uint64_t cut(uint64_t value, unsigned bits) { return bits >= 64 ? value : value & ((uint64_t{1} << bits) - 1); }

bool is_number(TypeKind kind) {
  return kind == TypeKind::Integer || kind == TypeKind::Boolean || kind == TypeKind::Character ||
         kind == TypeKind::Pointer || kind == TypeKind::Enumeration;
}

std::string format_number(const TypeTable& types, TypeIndex type, uint64_t value) {
  const TypeKind kind = types.kind(type);
  if (kind == TypeKind::Boolean && value <= 1) return value == 1 ? "true" : "false";
  if (kind == TypeKind::Enumeration) {
    const std::string_view name = types.enumerator(type, value);
    if (!name.empty()) return fmt::format("{} ({})", name, value);
  }
  if (types.is_signed(type) && kind != TypeKind::Character && static_cast<int64_t>(value) < 0)
    return fmt::format("{}", static_cast<int64_t>(value));
  return fmt::format("{:#x}", value);
}

std::string format_text(std::span<const uint8_t> bytes) {
  const auto end = std::find(bytes.begin(), bytes.end(), uint8_t{0});
  return fmt::format("\"{}\"", loader::printable({reinterpret_cast<const char*>(bytes.data()),
                                                  static_cast<size_t>(end - bytes.begin())}));
}

std::optional<std::string> format(const TypeTable& types, TypeIndex type, std::span<const uint8_t> bytes,
                                  size_t& budget);

/// `budget` is what may still be shown of all arrays: a PDB may say that an array consists of itself.
std::optional<std::string> format_array(const TypeTable& types, TypeIndex type, std::span<const uint8_t> bytes,
                                        size_t& budget) {
  const TypeIndex element = types.target(type);
  const uint64_t size = types.size(element);
  if (size == 0) return std::nullopt;
  if (types.kind(element) == TypeKind::Character && size == 1) return format_text(bytes);
  std::string text;
  for (size_t i = 0; (i + 1) * size <= bytes.size(); ++i) {
    if (i == most_elements || budget == 0) return fmt::format("{{{}{}...}}", text, text.empty() ? "" : ", ");
    --budget;
    const auto value = format(types, element, bytes.subspan(i * size, size), budget);
    if (!value) return std::nullopt;
    text += (i == 0 ? "" : ", ") + *value;
  }
  return fmt::format("{{{}}}", text);
}

std::optional<std::string> format(const TypeTable& types, TypeIndex type, std::span<const uint8_t> bytes,
                                  size_t& budget) {
  const TypeKind kind = types.kind(type);
  if (kind == TypeKind::Array) return format_array(types, type, bytes, budget);
  if (kind == TypeKind::Floating && (bytes.size() == 4 || bytes.size() == 8)) {
    float narrow = 0;
    double wide = 0;
    if (bytes.size() == 8) std::memcpy(&wide, bytes.data(), sizeof wide);
    else std::memcpy(&narrow, bytes.data(), sizeof narrow);
    return fmt::format("{}", bytes.size() == 8 ? wide : double{narrow});
  }
  if (!is_number(kind) || bytes.size() > 8) return std::nullopt;
  uint64_t value = number_of(bytes);
  if (types.is_signed(type)) value = sign_extended(value, static_cast<unsigned>(bytes.size() * 8));
  return format_number(types, type, value);
}

std::string_view cannot_read(Reach reach) { return reach == Reach::Denied ? "??" : "--"; }

void read_value(const TypeTable& types, const TypeMember& member, uint64_t address, const ReadMemory& read,
                FieldValue& out) {
  const uint64_t size = std::min<uint64_t>(out.size, out.count != 0 ? (most_elements + 1) * 64 : longest_object);
  if (size == 0 || !read) return;
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  const Reach reach = read(address, bytes);
  const TypeKind kind = types.kind(member.type);
  if (!is_number(kind) && kind != TypeKind::Array && kind != TypeKind::Floating) return;
  if (reach != Reach::Read) {
    out.value = cannot_read(reach);
    return;
  }
  if (!is_number(kind)) {
    out.value = format_value(types, member.type, bytes);
    return;
  }
  uint64_t value = number_of(bytes);
  if (member.bits != 0) value = cut(value >> (member.bit & 63), member.bits);
  const unsigned bits = member.bits != 0 ? member.bits : static_cast<unsigned>(size * 8);
  if (types.is_signed(member.type)) value = sign_extended(value, bits);
  out.number = value;
  out.value = format_number(types, member.type, value);
}

void add_fields(const TypeTable& types, TypeIndex type, uint64_t from, std::optional<uint64_t> address,
                const ReadMemory& read, int depth, size_t& budget, std::vector<FieldValue>& out) {
  for (const TypeMember& member : types.members(type)) {
    if (budget == 0) return;
    --budget;
    const uint64_t offset = from + member.offset;
    if (member.is_base && depth < deepest_base) {
      add_fields(types, member.type, offset, address, read, depth + 1, budget, out);
      continue;
    }
    FieldValue field;
    field.name = member.name;
    field.type = types.text(member.type);
    field.offset = offset;
    field.size = types.size(member.type);
    field.bit = member.bit;
    field.bits = member.bits;
    field.count = types.count(member.type);
    field.is_pointer = types.kind(member.type) == TypeKind::Pointer;
    if (address) read_value(types, member, *address + offset, read, field);
    out.push_back(std::move(field));
  }
}

}  // namespace

ReadMemory reader_of(const machine::Machine& machine, uint32_t vp, vtl::Vtl vtl, std::optional<uint64_t> cr3) {
  mmu::AddressSpace space = machine.hypervisor().address_space(machine.processor(vp), vtl);
  if (cr3) space.stage1.cr3 = *cr3;
  space.stage1.alignment_check = true;  // SMAP is no concern of one who only looks
  return [&machine, space](uint64_t address, std::span<uint8_t> to) {
    const uint64_t done = mmu::read_gva(machine.translator(), space, mmu::Gva{address}, to);
    if (done == to.size()) return Reach::Read;
    const auto refused =
        machine.translator().probe(space, {mmu::Gva{address + done}, mmu::AccessKind::Read, false, false});
    const bool denied = !refused.ok && refused.fault.kind == mmu::FaultKind::SlatViolation;
    return denied ? Reach::Denied : Reach::Unmapped;
  };
}

std::vector<FieldValue> fields_of(const TypeTable& types, TypeIndex type, std::optional<uint64_t> address,
                                  const ReadMemory& read) {
  std::vector<FieldValue> out;
  for (const Enumerator& one : types.enumerators(type)) {
    FieldValue field;
    field.name = one.name;
    field.number = one.value;
    field.value = fmt::format("{:#x}", one.value);
    out.push_back(std::move(field));
  }
  size_t budget = most_fields;
  add_fields(types, type, 0, address, read, 0, budget, out);
  return out;
}

std::optional<std::string> format_value(const TypeTable& types, TypeIndex type, std::span<const uint8_t> bytes) {
  size_t budget = most_shown;
  return format(types, type, bytes, budget);
}

std::optional<Object> Object::part(std::string_view path) const {
  const auto part = types_->part(type_, path);
  if (!part) return std::nullopt;
  Object out{*types_, part.value().type, address_ + part.value().offset, *read_};
  out.bit_ = part.value().bit;
  out.bits_ = part.value().bits;
  return out;
}

std::vector<uint8_t> Object::bytes(std::string_view path) const {
  const auto object = part(path);
  if (!object || object->size() > longest_object) return {};
  std::vector<uint8_t> out(static_cast<size_t>(object->size()));
  if ((*read_)(object->address_, out) != Reach::Read) return {};
  return out;
}

std::optional<uint64_t> Object::number(std::string_view path) const {
  const auto object = part(path);
  if (!object || !is_number(types_->kind(object->type_)) || object->size() > 8) return std::nullopt;
  const std::vector<uint8_t> bytes = object->bytes();
  if (bytes.empty()) return std::nullopt;
  uint64_t value = number_of(bytes);
  unsigned bits = static_cast<unsigned>(bytes.size() * 8);
  if (object->bits_ != 0) {
    bits = object->bits_;
    value = cut(value >> (object->bit_ & 63), bits);
  }
  return types_->is_signed(object->type_) ? sign_extended(value, bits) : value;
}

std::optional<std::string> Object::text(std::string_view path) const {
  const std::vector<uint8_t> all = bytes(path);
  if (all.empty()) return std::nullopt;
  const auto end = std::find(all.begin(), all.end(), uint8_t{0});
  return loader::printable({reinterpret_cast<const char*>(all.data()), static_cast<size_t>(end - all.begin())});
}

std::string Object::name(std::string_view path) const {
  const auto object = part(path);
  const auto value = number(path);
  if (!object || !value) return "?";
  const std::string_view known = types_->enumerator(object->type_, *value);
  return known.empty() ? fmt::format("{:#x}", *value) : std::string{known};
}

std::optional<Object> Object::follow(std::string_view path) const {
  const auto object = part(path);
  if (!object || types_->kind(object->type_) != TypeKind::Pointer) return std::nullopt;
  const auto address = object->number();
  if (!address || *address == 0) return std::nullopt;
  return Object{*types_, types_->resolve(types_->target(object->type_)), *address, *read_};
}

}  // namespace symbols
