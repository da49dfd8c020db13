// Evaluating a compiled expression.
#include "sim/debugger/expression.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "sim/debugger/event_pattern.h"
#include "sim/debugger/expression_program.h"
#include "sim/support/check.h"
#include "sim/trace/event_names.h"

namespace debugger {
namespace {

using abi::hv::Vtl;
using support::EventKind;

/// A value on the way; not `known`: it has none here.
struct Operand {
  uint64_t number{};
  std::string_view text;
  bool known{true};
};
constexpr Operand nothing{0, {}, false};

bool same_text(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) {
           return x == y || std::tolower(x) == std::tolower(y);
         });
}

Operand number(std::optional<uint64_t> value) { return value ? Operand{*value, {}, true} : nothing; }
Operand text_of(std::string_view value) { return {0, value, true}; }

const vtl::VirtualProcessor* processor_of(const Environment& in, uint64_t vp) {
  const uint64_t wanted = vp == RegisterOperand::own ? in.vp : vp;
  return in.machine != nullptr && wanted < in.machine->processor_count() ? &in.machine->processor(wanted) : nullptr;
}

Operand register_of(const Environment& in, const RegisterOperand& operand) {
  const vtl::VirtualProcessor* vp = processor_of(in, operand.vp);
  if (vp == nullptr) return nothing;
  const Vtl vtl = operand.vtl == RegisterOperand::own ? in.vtl : static_cast<Vtl>(operand.vtl);
  return {register_value(operand.id, *vp, vtl).low, {}, true};
}

Operand load(const Environment& in, uint64_t address, uint8_t bytes, AddressSpaceKind kind) {
  const vtl::VirtualProcessor* vp = processor_of(in, RegisterOperand::own);
  if (vp == nullptr) return nothing;
  const mmu::Translator& translator = in.machine->translator();
  const mmu::AddressSpace space = in.machine->view(in.vtl, vp->contexts[in.vtl].cr3);
  uint64_t value = 0;
  const std::span<uint8_t> to{reinterpret_cast<uint8_t*>(&value), bytes};
  bool done = false;
  switch (kind) {
    case AddressSpaceKind::Gva: done = mmu::read_gva(translator, space, abi::Gva{address}, to) == bytes; break;
    case AddressSpaceKind::Gpa: done = mmu::read_gpa(translator, space, abi::Gpa{address}, to) == bytes; break;
    case AddressSpaceKind::Spa:
      done = translator.memory().contains(abi::Spa{address}, bytes) && translator.memory().read(abi::Spa{address}, to);
      break;
  }
  return done ? Operand{value, {}, true} : nothing;
}

Operand image_of(const Environment& in) {
  if (in.event != nullptr && (in.event->kind == EventKind::ImageLoaded || in.event->kind == EventKind::ImageUnloaded))
    return text_of(in.event->text);
  if (in.names == nullptr) return nothing;
  const vtl::VirtualProcessor* vp = processor_of(in, RegisterOperand::own);
  if (in.event == nullptr && vp == nullptr) return nothing;
  const uint64_t rip = in.event != nullptr ? in.event->rip : vp->contexts[in.vtl].rip;
  const loader::LoadedImage* image = in.names->images().find(rip, vp != nullptr ? vp->contexts[in.vtl].cr3 : 0);
  return image != nullptr ? text_of(image->module) : nothing;
}

Operand process_of(const Environment& in) {
  if (in.event != nullptr && (in.event->kind == EventKind::ProcessCreated || in.event->kind == EventKind::ProcessExited))
    return text_of(in.event->text);
  const vtl::VirtualProcessor* vp = processor_of(in, RegisterOperand::own);
  if (in.names == nullptr || vp == nullptr) return nothing;
  const ProcessList::Process* process = in.names->processes().with_cr3(vp->contexts[in.vtl].cr3, in.vtl);
  return process != nullptr ? text_of(process->name) : nothing;
}

Operand cr3_of(const support::Event& event) {
  switch (event.kind) {
    case EventKind::TlbFlush: return number(event.a);
    case EventKind::ImageLoaded:
    case EventKind::ImageUnloaded: return number(event.c);
    case EventKind::ProcessCreated:
    case EventKind::ProcessExited: return number(event.b);
    default: return nothing;
  }
}

Operand vector_of(const support::Event& event) {
  const bool has = event.kind == EventKind::Exception || event.kind == EventKind::Interrupt ||
                   event.kind == EventKind::VtlInterruptEntry;
  return has ? number(event.a) : nothing;
}

Operand field_of_focus(const Environment& in, EventField field) {
  if (in.machine == nullptr) return nothing;
  switch (field) {
    case EventField::Vtl: return number(static_cast<uint64_t>(in.vtl));
    case EventField::Vp: return number(in.vp);
    case EventField::At: return number(in.machine->now().ticks);
    default: return nothing;
  }
}

Operand field_of(const Environment& in, EventField field) {
  if (field == EventField::Image) return image_of(in);
  if (field == EventField::Process) return process_of(in);
  if (in.event == nullptr) return field_of_focus(in, field);
  const support::Event& event = *in.event;
  switch (field) {
    case EventField::Kind: return text_of(trace::name_of(event.kind));
    case EventField::Name: return text_of(event_name(event));
    case EventField::Code: return number(event_code(event));
    case EventField::Vtl: return number(static_cast<uint64_t>(event.vtl));
    case EventField::Vp: return number(event.vp);
    case EventField::At: return number(event.at.ticks);
    case EventField::A: return number(event.a);
    case EventField::B: return number(event.b);
    case EventField::C: return number(event.c);
    case EventField::Status: return number(event_status(event));
    case EventField::Vector: return vector_of(event);
    case EventField::Msr: return event.kind == EventKind::MsrWrite ? number(event.a) : nothing;
    case EventField::Cr3: return cr3_of(event);
    case EventField::Service: return event.kind == EventKind::VtlCall ? text_of(event_name(event)) : nothing;
    case EventField::Image:
    case EventField::Process: break;
  }
  return nothing;
}

uint64_t sign_extended(uint64_t value, uint8_t bits) {
  return static_cast<uint64_t>(static_cast<int64_t>(value << (64 - bits)) >> (64 - bits));
}

Operand binary(OpCode code, const Operand& a, const Operand& b) {
  if (!a.known || !b.known) return nothing;
  const uint64_t x = a.number, y = b.number;
  switch (code) {
    case OpCode::Add: return number(x + y);
    case OpCode::Subtract: return number(x - y);
    case OpCode::Multiply: return number(x * y);
    case OpCode::Divide: return y != 0 ? number(x / y) : nothing;
    case OpCode::Remainder: return y != 0 ? number(x % y) : nothing;
    case OpCode::ShiftLeft: return number(y < 64 ? x << y : 0);
    case OpCode::ShiftRight: return number(y < 64 ? x >> y : 0);
    case OpCode::BitAnd: return number(x & y);
    case OpCode::BitOr: return number(x | y);
    case OpCode::BitXor: return number(x ^ y);
    case OpCode::Less: return number(x < y);
    case OpCode::LessEqual: return number(x <= y);
    case OpCode::Greater: return number(x > y);
    case OpCode::GreaterEqual: return number(x >= y);
    case OpCode::Equal: return number(x == y);
    case OpCode::NotEqual: return number(x != y);
    case OpCode::TextEqual: return number(same_text(a.text, b.text));
    case OpCode::TextNotEqual: return number(!same_text(a.text, b.text));
    case OpCode::TextMatches: return number(matches_pattern(a.text, b.text));
    case OpCode::TextContains: return number(contains_text(a.text, b.text));
    default: return nothing;
  }
}

/// One that decides is enough, whatever the other is.
Operand logical(OpCode code, const Operand& a, const Operand& b) {
  const uint64_t decides = code == OpCode::Or ? 1 : 0;
  if ((a.known && a.number == decides) || (b.known && b.number == decides)) return number(decides);
  return a.known && b.known ? number(1 - decides) : nothing;
}

void unary(const Expression::Operation& operation, const Environment& in, Operand& top) {
  if (!top.known) return;
  switch (operation.code) {
    case OpCode::Load:
      top = load(in, top.number, operation.first, static_cast<AddressSpaceKind>(operation.second));
      break;
    case OpCode::Bits:
      top.number = top.number >> operation.first;
      if (operation.second < 64) top.number &= (uint64_t{1} << operation.second) - 1;
      break;
    case OpCode::Extend: top.number = sign_extended(top.number, operation.first); break;
    case OpCode::AddConstant: top.number += operation.operand; break;
    case OpCode::Negate: top.number = uint64_t{0} - top.number; break;
    case OpCode::Complement: top.number = ~top.number; break;
    case OpCode::Not: top.number = top.number == 0; break;
    case OpCode::ToBoolean: top.number = top.number != 0; break;
    default: break;
  }
}

}  // namespace

std::optional<Value> Expression::evaluate(const Environment& in) const {
  std::array<Operand, deepest + 1> stack;
  size_t used = 0;
  for (size_t at = 0; at < program_->size(); ++at) {
    const Operation& operation = (*program_)[at];
    switch (operation.code) {
      case OpCode::Number: stack[used++] = number(operation.operand); break;
      case OpCode::True: stack[used++] = number(1); break;
      case OpCode::False: stack[used++] = number(0); break;
      case OpCode::Text: stack[used++] = text_of((*texts_)[operation.operand]); break;
      case OpCode::Register: stack[used++] = register_of(in, RegisterOperand::unpack(operation.operand)); break;
      case OpCode::Field: stack[used++] = field_of(in, static_cast<EventField>(operation.operand)); break;
      case OpCode::Argument:
        stack[used++] = in.event != nullptr ? number(event_argument(*in.event, (*texts_)[operation.operand])) : nothing;
        break;
      case OpCode::SkipIfFalse:
      case OpCode::SkipIfTrue: {
        const uint64_t decides = operation.code == OpCode::SkipIfTrue ? 1 : 0;
        if (stack[used - 1].known && stack[used - 1].number == decides) at = operation.operand - 1;
        break;
      }
      case OpCode::And:
      case OpCode::Or:
        --used;
        stack[used - 1] = logical(operation.code, stack[used - 1], stack[used]);
        break;
      default:
        if (operation.code < OpCode::Add) {
          unary(operation, in, stack[used - 1]);
        } else {
          --used;
          stack[used - 1] = binary(operation.code, stack[used - 1], stack[used]);
        }
    }
  }
  CHECK(used == 1);
  if (!stack[0].known) return std::nullopt;
  return Value{type_, stack[0].number, stack[0].text};
}

bool Expression::holds(const Environment& in) const {
  const std::optional<Value> value = evaluate(in);
  return value && value->type != ValueType::Text && value->number != 0;
}

bool Expression::same_as(const Expression& other) const {
  const auto same = [](const Operation& a, const Operation& b) {
    return a.code == b.code && a.first == b.first && a.second == b.second && a.operand == b.operand;
  };
  return type_ == other.type_ && *texts_ == *other.texts_ &&
         std::equal(program_->begin(), program_->end(), other.program_->begin(), other.program_->end(), same);
}

}  // namespace debugger
