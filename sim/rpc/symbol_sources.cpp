#include "sim/rpc/symbol_sources.h"

#include "sim/symbols/unwind.h"

namespace rpc {
namespace {

using symbols::TypeIndex;
using symbols::TypeKind;
using symbols::TypeTable;

struct Found {
  const TypeTable* types{};
  TypeIndex type{};
  std::string module;
};

std::optional<Found> find(debugger::Session& session, const symbols::Library& library, std::string_view name) {
  const size_t mark = name.find('!');
  if (mark == std::string_view::npos) return std::nullopt;
  for (const loader::LoadedImage& image : session.names().images().images()) {
    if (!symbols::matches_pattern(image.module, name.substr(0, mark))) continue;
    const TypeTable& types = library.of(image.name).types;
    if (const auto type = types.find(name.substr(mark + 1))) return Found{&types, *type, image.module};
  }
  return std::nullopt;
}

bool is_structure(TypeKind kind) { return kind == TypeKind::Structure || kind == TypeKind::Class || kind == TypeKind::Union; }

std::string qualified(const Found& found, TypeIndex type) {
  const TypeIndex whole = found.types->resolve(type);
  return is_structure(found.types->kind(whole)) ? found.module + "!" + std::string{found.types->name(whole)} : std::string{};
}

}  // namespace

bool PdbTypes::has(std::string_view type) const { return find(session_, library_, type).has_value(); }

std::optional<debugger::TypeSource::Member> PdbTypes::member(std::string_view type, std::string_view name) const {
  const auto found = find(session_, library_, type);
  if (!found) return std::nullopt;
  const auto part = found->types->part(found->type, name);
  if (!part) return std::nullopt;
  TypeIndex of = found->types->resolve(part.value().type);
  Member member;
  if (found->types->kind(of) == TypeKind::Array) {  // of its elements; one of several dimensions has arrays as such
    member.count = found->types->count(of);
    of = found->types->resolve(found->types->target(of));
    member.stride = found->types->size(of);
  }
  const TypeKind kind = found->types->kind(of);
  const uint64_t size = found->types->size(of);
  const bool scalar = !is_structure(kind) && kind != TypeKind::Array && (size == 1 || size == 2 || size == 4 || size == 8);
  member.offset = part.value().offset;
  member.bytes = scalar ? static_cast<uint8_t>(size) : uint8_t{0};
  member.bit = part.value().bit;
  member.bits = part.value().bits;
  member.is_signed = scalar && found->types->is_signed(of);
  member.pointer = kind == TypeKind::Pointer;
  member.type = qualified(*found, member.pointer ? found->types->target(of) : of);
  return member;
}

std::optional<debugger::Unwinder::Caller> StackUnwinder::caller(const debugger::View& view, uint32_t inner) {
  const symbols::Stack stack = symbols::stack_of(view.machine, view.focus.vp, view.focus.vtl, view.names.images(), library_, size_t{inner} + 2);
  if (stack.frames.size() < size_t{inner} + 2) return std::nullopt;
  const symbols::Frame& outer = stack.frames[inner + 1];
  return Caller{outer.pc(), outer.sp(), outer.vtl, outer.entered == symbols::Entered::Call};
}

}  // namespace rpc
