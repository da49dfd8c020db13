#include "sim/debugger/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace debugger {
namespace {

using VtlNumber = abi::hv::Vtl;
using support::Error;
using support::Result;

struct KindRow {
  std::string_view name;
  Target::Kind kind;
};
constexpr KindRow kinds[] = {
    {"gva", Target::Kind::GuestVirtual}, {"gpa", Target::Kind::GuestPhysical}, {"spa", Target::Kind::SystemPhysical},
    {"reg", Target::Kind::Register}, {"rip", Target::Kind::Rip}, {"vtl", Target::Kind::Level}, {"cr3", Target::Kind::Cr3}, {"pte", Target::Kind::Pte},
    {"slat", Target::Kind::Slat},
};

std::optional<uint64_t> hexadecimal(std::string text) {
  std::erase(text, '`');
  if (text.starts_with("0x") || text.starts_with("0X")) text.erase(0, 2);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Cuts what follows `mark` off `text`.
std::optional<std::string> cut(std::string& text, char mark) {
  const size_t at = text.rfind(mark);
  if (at == std::string::npos) return std::nullopt;
  std::string tail = text.substr(at + 1);
  text.resize(at);
  return tail;
}

Result<uint64_t> symbol_address(std::string_view text, const Names& names) {
  const std::vector<NamedAddress> found = names.find(text);
  if (found.empty()) return Error{fmt::format("{}: no symbol of an image that is loaded at this point", text)};
  return found.front().address;
}

}  // namespace

Result<Target> Target::parse(std::string_view whole) {
  Target target;
  const size_t colon = whole.find(':');
  const auto* row = std::find_if(std::begin(kinds), std::end(kinds),
                                 [&](const KindRow& known) { return known.name == whole.substr(0, colon); });
  if (row == std::end(kinds) || colon == std::string_view::npos) {
    target.event = TRY(StopCondition::parse(whole));
    return target;
  }
  target.kind = row->kind;
  std::string text{whole.substr(colon + 1)};
  const auto refuse = [&](std::string_view why) { return Error{fmt::format("{}: {}", whole, why)}; };
  if (const auto level = cut(text, '/')) {
    const auto number = hexadecimal(*level);
    if (!number || *number < 1 || *number > 4) return refuse("a level is 1 to 4");
    target.level = static_cast<uint8_t>(*number);
  }
  if (const auto vp = cut(text, '#')) {
    const auto number = hexadecimal(*vp);
    if (!number || *number >= 64) return refuse("no such virtual processor");
    target.vp = static_cast<uint32_t>(*number);
  }
  if (const auto vtl = cut(text, '@')) {
    if (*vtl != "0" && *vtl != "1") return refuse("a VTL is 0 or 1");
    target.vtl = static_cast<VtlNumber>((*vtl)[0] - '0');
  }
  if (const auto bytes = cut(text, '+')) {
    const auto number = hexadecimal(*bytes);
    if (!number || *number < 1 || *number > 0x10000) return refuse("a length is 1 to 10000 (hexadecimal) bytes");
    target.bytes = *number;
  }
  target.text = text;
  if (target.kind == Kind::Register) {
    if (!find_register(text)) return refuse("no such register");
    return target;
  }
  if (target.kind == Kind::Rip && text.find('!') != std::string::npos) return target;
  const auto value = hexadecimal(text);
  if (!value) return refuse("not a hexadecimal number");
  target.value = *value;
  if (target.kind == Kind::Level && target.value > 1) return refuse("a VTL is 0 or 1");
  return target;
}

VtlNumber vtl_of(const Target& target, const TargetContext& context) {
  return target.vtl.value_or(context.machine.processor().active);
}

Result<std::optional<uint64_t>> root_of(const Target& target, const TargetContext& context) {
  if (context.process.empty()) return std::optional<uint64_t>{};
  const auto* process = context.names.processes().find(context.process, vtl_of(target, context));
  if (process == nullptr) {
    return Error{fmt::format("--process {}: VTL {} knows no such process at this point of the run", context.process,
                             static_cast<unsigned>(vtl_of(target, context)))};
  }
  return std::optional<uint64_t>{process->cr3};
}

Result<Conditions> conditions_of(const Target& target, const TargetContext& context) {
  using enum Target::Kind;
  const VtlNumber vtl = vtl_of(target, context);
  const std::optional<uint64_t> root = TRY(root_of(target, context));
  switch (target.kind) {
    case Event:
      return Conditions{
          EventBreak{[wanted = target.event](const support::Event& event) { return wanted.matches(event); }}};
    case GuestVirtual:
      return watch_gva(context.machine, vtl, root, abi::Gva{target.value}, target.bytes);
    case GuestPhysical: return watch_gpa(context.machine, vtl, abi::Gpa{target.value}, target.bytes);
    case SystemPhysical: {
      Conditions watches = watch_spa(context.machine, abi::Spa{target.value}, target.bytes);
      if (watches.empty()) return Error{fmt::format("spa:{}: outside the machine's memory", target.text)};
      return watches;
    }
    case Register: {
      const uint32_t vp = target.vp.value_or(context.machine.processor().number);
      if (vp >= context.machine.processor_count()) return Error{fmt::format("reg:{}: no virtual processor {}", target.text, vp)};
      return Conditions{RegisterWatch{*find_register(target.text), vtl, vp}};
    }
    case Rip: {
      const bool named = target.text.find('!') != std::string::npos;
      const uint64_t address = named ? TRY(symbol_address(target.text, context.names)) : target.value;
      return Conditions{
          AddressBreak{.rip = address, .vtl = target.vtl, .cr3 = root}};
    }
    case Level: return Conditions{VtlBreak{static_cast<abi::hv::Vtl>(target.value)}};
    case Cr3: return Conditions{Cr3Break{target.value}};
    case Pte:
    case Slat: return Error{"pte: and slat: are questions for --who-wrote"};
  }
  return Error{"no such target"};
}

}  // namespace debugger
