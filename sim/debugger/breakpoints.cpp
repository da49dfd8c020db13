#include "sim/debugger/breakpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sim/debugger/questions.h"

namespace debugger {
namespace {

using support::Error;
using support::Result;
using support::Status;

constexpr std::string_view kind_words[] = {"code", "event", "write", "register", "access", "vtl"};
constexpr uint64_t most_bytes = 0x10000;

Error at_column(std::string_view text, const ExpressionError& error) {
  return Error{fmt::format("{} (column {}): {}", text, error.column, error.message)};
}

uint64_t cr3_of(const Breakpoints::Context& context) {
  return context.machine.processor(context.focus.vp).contexts[context.focus.vtl].cr3;
}

Result<Expression, ExpressionError> compile_expression(std::string_view text, const Breakpoints::Context& context, bool events,
                                                       uint64_t cr3, bool assume = false) {
  return Expression::compile(text, {.names = &context.names, .types = context.types, .cr3 = cr3,
                                    .processors = context.machine.processor_count(), .events = events, .state = true,
                                    .assume_names = assume});
}

std::optional<uint64_t> value_of(const Expression& expression, const Breakpoints::Context& context) {
  const auto value = expression.evaluate({.machine = &context.machine, .event = nullptr, .names = &context.names,
                                          .vp = context.focus.vp, .vtl = context.focus.vtl});
  return value ? std::optional{value->number} : std::nullopt;
}

/// "+BYTES" at the end, hexadecimal, outside of parentheses.
std::optional<uint64_t> cut_length(std::string_view& text) {
  const size_t plus = text.rfind('+');
  if (plus == std::string_view::npos) return std::nullopt;
  const std::string_view tail = text.substr(plus + 1);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(tail.data(), tail.data() + tail.size(), value, 16);
  if (tail.empty() || error != std::errc{} || end != tail.data() + tail.size()) return std::nullopt;
  text = text.substr(0, plus);
  return value;
}

bool upper_half(uint64_t address) { return address >> 63 != 0; }

}  // namespace

std::string_view word(BreakpointKind kind) { return kind_words[static_cast<size_t>(kind)]; }

std::optional<BreakpointKind> breakpoint_kind(std::string_view word) {
  for (size_t i = 0; i < std::size(kind_words); ++i)
    if (kind_words[i] == word) return static_cast<BreakpointKind>(i);
  return std::nullopt;
}

// --- What is asked for.

/// Its value is taken now, unless it hangs on a symbol: then it is found anew whenever images came or went.
Status Breakpoints::compile_address(std::string_view text, Compiled& compiled, const Context& context) {
  compiled.address = text;
  auto expression = compile_expression(text, context, false, cr3_of(context));
  const bool later = !expression && expression.error().unknown_name;
  if (later) expression = compile_expression(text, context, false, cr3_of(context), true);
  if (!expression) return at_column(text, expression.error());
  if (expression.value().type() != ValueType::Integer) return Error{fmt::format("{}: an address is a number", text)};
  if (later || expression.value().uses_symbols()) {
    if (!expression.value().uses_state()) return support::Unit{};
    if (later) return Error{fmt::format("{}: what uses registers or memory has to be known now", text)};
  }
  compiled.fixed = value_of(expression.value(), context);
  if (!compiled.fixed) return Error{fmt::format("{}: it has no value here", text)};
  return support::Unit{};
}

Status Breakpoints::compile_memory(std::string_view text, Compiled& compiled, const Context& context) {
  const std::string_view whole = text;
  for (const std::string_view space : {"gva:", "gpa:", "spa:"}) {
    if (!text.starts_with(space)) continue;
    compiled.space = space[0] == 's' ? 's' : space[1];
    text.remove_prefix(space.size());
  }
  compiled.bytes = cut_length(text).value_or(8);
  if (compiled.bytes == 0 || compiled.bytes > most_bytes)
    return Error{fmt::format("{}: a length is 1 to {:x} (hexadecimal) bytes", whole, most_bytes)};
  return compile_address(text, compiled, context);
}

Status Breakpoints::compile_condition(const std::string& text, BreakpointKind kind, Compiled& compiled,
                                      const Context& context) {
  compiled.condition.reset();
  if (text.empty()) return support::Unit{};
  auto expression = compile_expression(text, context, kind == BreakpointKind::Event, cr3_of(context));
  if (!expression) return at_column(text, expression.error());
  if (expression.value().type() == ValueType::Text) return Error{fmt::format("{}: a text is no condition", text)};
  compiled.condition = std::move(expression.value());
  return support::Unit{};
}

Result<Breakpoints::Compiled> Breakpoints::compile(const BreakpointRequest& request, const Context& context) {
  Compiled compiled;
  compiled.vtl = request.vtl.value_or(context.focus.vtl);
  compiled.cr3 = context.machine.processor(context.focus.vp).contexts[compiled.vtl].cr3;
  if (request.vp && *request.vp >= context.machine.processor_count())
    return Error{fmt::format("there is no virtual processor {}", *request.vp)};
  switch (request.kind) {
    case BreakpointKind::Code: TRY(compile_address(request.what, compiled, context)); break;
    case BreakpointKind::Write:
    case BreakpointKind::Access: TRY(compile_memory(request.what, compiled, context)); break;
    case BreakpointKind::Event:
      compiled.pattern = TRY(EventPattern::parse(request.what));
      if (const std::string_view name = compiled.pattern->watched_register(); !name.empty())
        compiled.register_id = *find_register(name);
      break;
    case BreakpointKind::Register: {
      const auto id = find_register(request.what);
      if (!id) return Error{fmt::format("{}: no such register", request.what)};
      compiled.register_id = *id;
      break;
    }
    case BreakpointKind::Vtl:
      if (request.what != "0" && request.what != "1") return Error{fmt::format("{}: a VTL is 0 or 1", request.what)};
      compiled.vtl = static_cast<Vtl>(request.what[0] - '0');
      break;
  }
  TRY(compile_condition(request.condition, request.kind, compiled, context));
  return compiled;
}

Result<uint32_t> Breakpoints::set(BreakpointRequest request, const Context& context) {
  Compiled compiled = TRY(compile(request, context));
  Breakpoint breakpoint;
  breakpoint.id = next_id_++;
  breakpoint.ignore = request.ignore;
  breakpoint.request = std::move(request);
  list_.push_back(std::move(breakpoint));
  compiled_.push_back(std::move(compiled));
  (void)arm(context);  // to say what it means
  return list_.back().id;
}

// --- The list.

std::optional<size_t> Breakpoints::index_of(uint32_t id) const {
  const auto found = std::find_if(list_.begin(), list_.end(), [&](const Breakpoint& one) { return one.id == id; });
  if (found == list_.end()) return std::nullopt;
  return static_cast<size_t>(found - list_.begin());
}

const Breakpoint* Breakpoints::find(uint32_t id) const {
  const auto index = index_of(id);
  return index ? &list_[*index] : nullptr;
}

namespace {
Error no_such(uint32_t id) { return Error{fmt::format("there is no breakpoint {}", id)}; }
}  // namespace

Status Breakpoints::enable(uint32_t id, bool enabled) {
  const auto index = index_of(id);
  if (!index) return no_such(id);
  list_[*index].enabled = enabled;
  return support::Unit{};
}

Status Breakpoints::set_condition(uint32_t id, const std::string& text, const Context& context) {
  const auto index = index_of(id);
  if (!index) return no_such(id);
  Compiled next = compiled_[*index];
  TRY(compile_condition(text, list_[*index].request.kind, next, context));
  compiled_[*index] = std::move(next);
  list_[*index].request.condition = text;
  return support::Unit{};
}

Status Breakpoints::set_ignore(uint32_t id, uint64_t ignore) {
  const auto index = index_of(id);
  if (!index) return no_such(id);
  list_[*index].ignore = ignore;
  return support::Unit{};
}

Status Breakpoints::remove(uint32_t id) {
  const auto index = index_of(id);
  if (!index) return no_such(id);
  list_.erase(list_.begin() + static_cast<ptrdiff_t>(*index));
  compiled_.erase(compiled_.begin() + static_cast<ptrdiff_t>(*index));
  return support::Unit{};
}

bool Breakpoints::met(uint32_t id) {
  const auto index = index_of(id);
  if (!index) return false;
  Breakpoint& one = list_[*index];
  ++one.hits;
  if (one.ignore != 0) {
    --one.ignore;
    return false;
  }
  if (one.request.temporary) (void)remove(id);
  return true;
}

std::vector<uint32_t> Breakpoints::at(uint64_t address, Vtl vtl, uint64_t cr3) const {
  std::vector<uint32_t> ids;
  for (size_t i = 0; i < list_.size(); ++i) {
    const auto& code = compiled_[i].code;
    const bool here = std::any_of(code.begin(), code.end(), [&](const AddressBreak& one) {
      return one.rip == address && one.vtl.value_or(vtl) == vtl && one.cr3.value_or(cr3) == cr3;
    });
    if (here) ids.push_back(list_[i].id);
  }
  return ids;
}

// --- What it means now.

/// The condition, and the address space. An event's own fields are asked before, in its filter, where that is enough.
Check Breakpoints::check_for(size_t index, const Context& context, bool of_event) const {
  const BreakpointRequest& request = list_[index].request;
  const std::optional<Expression>& condition = compiled_[index].condition;
  const bool asks = condition && (!of_event || condition->uses_state() || condition->uses_names());
  const bool by_process = !request.process.empty() && request.kind != BreakpointKind::Code;
  if (!asks && !by_process) return {};
  return [condition = asks ? condition : std::nullopt, process = by_process ? request.process : std::string{},
          names = &context.names](const machine::Machine& machine, const Hit& hit) {
    if (!process.empty() || (condition && condition->uses_names())) names->move_to(hit.at);
    if (!process.empty()) {
      const uint64_t cr3 = machine.processor(hit.vp).contexts[hit.vtl].cr3;
      const ProcessList::Process* found = names->processes().find(process, hit.vtl);
      if (found == nullptr || found->cr3 >> 12 != cr3 >> 12) return false;
    }
    if (!condition) return true;
    const support::Event event = hit.event ? hit.event->view() : support::Event{};
    return condition->holds({.machine = &machine, .event = hit.event ? &event : nullptr, .names = names, .vp = hit.vp,
                             .vtl = hit.vtl});
  };
}

/// One condition for each address space that has the image, and for each VTL that knows the process.
void Breakpoints::arm_code(size_t index, const Context& context, Conditions& conditions) {
  Breakpoint& one = list_[index];
  Compiled& compiled = compiled_[index];
  std::vector<NamedAddress> addresses;
  compiled.code.clear();
  if (compiled.fixed) {
    addresses.push_back({*compiled.fixed, 0});
  } else {
    const auto assumed = compile_expression(compiled.address, context, false, 0, true);
    for (const NamedAddress& found : context.names.find(assumed ? assumed.value().symbol() : std::string{})) {
      const auto expression = compile_expression(compiled.address, context, false, found.cr3);
      const auto value = expression ? value_of(expression.value(), context) : std::nullopt;
      if (value) addresses.push_back({*value, found.cr3});
    }
  }
  const Check check = check_for(index, context, false);
  const auto add = [&](const NamedAddress& address, std::optional<Vtl> vtl, uint64_t cr3) {
    if (one.request.vtl && vtl && *vtl != *one.request.vtl) return;
    AddressBreak stop{.rip = address.address, .vtl = vtl ? vtl : one.request.vtl, .cr3 = {}, .vp = one.request.vp, .check = check};
    if (cr3 != 0) stop.cr3 = cr3;
    compiled.code.push_back(stop);
    conditions.emplace_back(std::move(stop));
  };
  for (const NamedAddress& address : addresses) {
    if (one.request.process.empty()) {
      add(address, std::nullopt, address.cr3);
      continue;
    }
    for (const Vtl vtl : {Vtl::Vtl0, Vtl::Vtl1}) {
      const ProcessList::Process* process = context.names.processes().find(one.request.process, vtl);
      if (process != nullptr && (address.cr3 == 0 || address.cr3 == process->cr3)) add(address, vtl, process->cr3);
    }
  }
  one.resolved = !compiled.code.empty();
  one.text.clear();
  for (const AddressBreak& stop : compiled.code)
    one.text += fmt::format("{}{}{}", one.text.empty() ? "" : ", ", context.names.place(stop.rip, stop.cr3.value_or(0)).text,
                            stop.cr3 ? fmt::format(" in the tables at {:#x}", *stop.cr3) : std::string{});
  if (!one.resolved) one.text = addresses.empty() ? "waits for an image that has it" : "waits for the process";
}

void Breakpoints::arm_memory(size_t index, const Context& context, Conditions& conditions) {
  Breakpoint& one = list_[index];
  const Compiled& compiled = compiled_[index];
  one.resolved = false;
  std::optional<uint64_t> address = compiled.fixed;
  if (!address) {
    const auto expression = compile_expression(compiled.address, context, false, compiled.cr3);
    if (expression) address = value_of(expression.value(), context);
  }
  if (!address) {
    one.text = "waits for an image that has it";
    return;
  }
  std::optional<uint64_t> cr3;
  if (compiled.space == 'v' && !upper_half(*address)) cr3 = compiled.cr3;
  if (!one.request.process.empty()) {
    const ProcessList::Process* process = context.names.processes().find(one.request.process, compiled.vtl);
    if (process == nullptr) {
      one.text = "waits for the process";
      return;
    }
    cr3 = process->cr3;
  }
  Result<Conditions> watches = compiled.space == 's'   ? Result<Conditions>{watch_spa(context.machine, Spa{*address}, compiled.bytes)}
                               : compiled.space == 'p' ? watch_gpa(context.machine, compiled.vtl, Gpa{*address}, compiled.bytes)
                                                       : watch_gva(context.machine, compiled.vtl, cr3, Gva{*address}, compiled.bytes);
  if (!watches || watches.value().empty()) {
    one.text = watches ? "outside the machine's memory" : watches.error().message;
    return;
  }
  one.resolved = true;
  const Check check = check_for(index, context, false);
  for (Condition& condition : watches.value()) {
    auto& watch = std::get<MemoryWatch>(condition);
    one.text = fmt::format("{} bytes at {:#x}, SPA {:#x}", compiled.bytes, *address, watch.first.value());
    if (one.request.kind == BreakpointKind::Access) {
      conditions.emplace_back(AccessWatch{.first = watch.first, .bytes = watch.bytes, .check = check});
    } else {
      watch.check = check;
      conditions.push_back(std::move(condition));
    }
  }
}

void Breakpoints::arm_register(size_t index, RegisterId id, std::optional<Vtl> vtl, const Context& context,
                               Conditions& conditions) {
  const BreakpointRequest& request = list_[index].request;
  list_[index].resolved = true;
  const Check check = check_for(index, context, false);
  for (uint32_t vp = 0; vp < context.machine.processor_count(); ++vp) {
    if (request.vp.value_or(vp) != vp) continue;
    for (const Vtl level : {Vtl::Vtl0, Vtl::Vtl1}) {
      if (is_shared(id) ? level != Vtl::Vtl0 : vtl.value_or(level) != level) continue;
      conditions.emplace_back(RegisterWatch{.id = id, .vtl = level, .vp = vp, .check = check});
    }
  }
}

void Breakpoints::arm_event(size_t index, const Context& context, Conditions& conditions) {
  Breakpoint& one = list_[index];
  const Compiled& compiled = compiled_[index];
  one.text = compiled.pattern->text();
  one.resolved = true;
  if (!compiled.pattern->watched_register().empty())
    return arm_register(index, compiled.register_id, one.request.vtl, context, conditions);
  const bool here = compiled.condition && !compiled.condition->uses_state() && !compiled.condition->uses_names();
  conditions.emplace_back(EventBreak{
      .filter =
          [pattern = *compiled.pattern, vtl = one.request.vtl, vp = one.request.vp,
           condition = here ? compiled.condition : std::nullopt](const support::Event& event) {
            if (!pattern.matches(event) || vtl.value_or(event.vtl) != event.vtl || vp.value_or(event.vp) != event.vp)
              return false;
            return !condition || condition->holds({.machine = nullptr, .event = &event, .names = nullptr});
          },
      .check = check_for(index, context, true)});
}

Armed Breakpoints::arm(const Context& context) {
  Armed armed;
  for (size_t i = 0; i < list_.size(); ++i) {
    Breakpoint& one = list_[i];
    const Compiled& compiled = compiled_[i];
    Conditions conditions;
    switch (one.request.kind) {
      case BreakpointKind::Code: arm_code(i, context, conditions); break;
      case BreakpointKind::Write:
      case BreakpointKind::Access: arm_memory(i, context, conditions); break;
      case BreakpointKind::Event: arm_event(i, context, conditions); break;
      case BreakpointKind::Register:
        arm_register(i, compiled.register_id, compiled.vtl, context, conditions);
        one.text = fmt::format("{} of VTL {}", one.request.what, static_cast<unsigned>(compiled.vtl));
        break;
      case BreakpointKind::Vtl:
        conditions.emplace_back(VtlBreak{.vtl = compiled.vtl, .check = check_for(i, context, false)});
        one.text = fmt::format("VTL {} is entered", static_cast<unsigned>(compiled.vtl));
        one.resolved = true;
        break;
    }
    if (!one.enabled) continue;
    const bool of_addresses = one.request.kind == BreakpointKind::Code || one.request.kind == BreakpointKind::Write ||
                              one.request.kind == BreakpointKind::Access;
    armed.names_matter = armed.names_matter || (of_addresses && (!compiled.fixed || !one.request.process.empty()));
    for (Condition& condition : conditions) {
      armed.conditions.push_back(std::move(condition));
      armed.ids.push_back(one.id);
    }
  }
  return armed;
}

}  // namespace debugger
