#include "sim/cpu/delivery.h"

#include "abi/x64/exceptions.h"
#include "abi/x64/paging.h"
#include "abi/x64/registers.h"
#include "sim/cpu/descriptor.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;
namespace se = abi::x64::selector_error;
using vtl::PendingException;
using vtl::VtlContext;
using x64::Vector;

/// A gate of the IDT in long mode (SDM vol. 3, figure 6-8).
struct Gate {
  uint64_t low{}, high{};
  [[nodiscard]] uint64_t offset() const {
    return (low & 0xffff) | ((low >> 32) & 0xffff0000) | ((high & 0xffffffff) << 32);
  }
  [[nodiscard]] uint16_t selector() const { return static_cast<uint16_t>(low >> 16); }
  [[nodiscard]] unsigned stack_table_index() const { return (low >> 32) & 7; }
  [[nodiscard]] unsigned type() const { return (low >> 40) & 0x1f; }
  [[nodiscard]] uint8_t dpl() const { return (low >> 45) & 3; }
  [[nodiscard]] bool present() const { return (low >> 47 & 1) != 0; }
};

class Delivery {
 public:
  Delivery(vtl::VirtualProcessor& vp, const ProcessorMemory& memory, const EventDelivery& event)
      : vp_{vp},
        context_{vp.context()},
        memory_{memory},
        event_{event},
        external_{event.source == EventSource::SoftwareInterrupt ? 0 : se::external} {}

  Attempt run() {
    if ((context_.efer & x64::efer::lma) == 0) return deliver_in_legacy_mode(vp_, memory_, event_);
    Gate gate;
    if (Attempt attempt = read_gate(gate); !attempt.delivered()) return attempt;
    vtl::Segment code;
    if (Attempt attempt = read_code_segment(gate, code); !attempt.delivered()) return attempt;
    const bool conforming = (code.attributes & x64::segment::expand_down_or_conforming) != 0;
    const auto dpl = static_cast<uint8_t>((code.attributes >> x64::segment::dpl_shift) & 3);
    const uint8_t cpl = vp_.cpl();
    const uint8_t new_cpl = conforming ? cpl : dpl;
    uint64_t stack = context_.rsp;
    if (Attempt attempt = choose_stack(gate, new_cpl, stack); !attempt.delivered()) return attempt;
    if (Attempt attempt = push_frame(new_cpl, stack); !attempt.delivered()) return attempt;
    code.selector = static_cast<uint16_t>((code.selector & ~3u) | new_cpl);
    enter(gate, code, new_cpl, stack);
    return {};
  }

 private:
  [[nodiscard]] uint32_t idt_error() const {
    return event_.exception.vector * 8u + se::idt + external_;
  }
  [[nodiscard]] uint32_t selector_code(uint16_t selector) const {
    return (selector & 0xfffcu) | external_;
  }

  Attempt read_gate(Gate& gate) const {
    const uint64_t offset = event_.exception.vector * 16u;
    if (offset + 15 > context_.idtr.limit) return delivery_failed(Vector::GeneralProtection, idt_error());
    if (auto fault = memory_.read_value(context_.idtr.base + offset, gate, Privilege::Implicit))
      return delivery_failed(*fault);
    if (gate.type() != x64::segment::type_interrupt_gate &&
        gate.type() != x64::segment::type_trap_gate)
      return delivery_failed(Vector::GeneralProtection, idt_error());
    if (event_.source == EventSource::SoftwareInterrupt && gate.dpl() < vp_.cpl())
      return delivery_failed(Vector::GeneralProtection, idt_error());
    if (!gate.present()) return delivery_failed(Vector::SegmentNotPresent, idt_error());
    return {};
  }

  Attempt read_code_segment(const Gate& gate, vtl::Segment& code) const {
    const uint16_t selector = gate.selector();
    if ((selector & ~3u) == 0) return delivery_failed(Vector::GeneralProtection, external_);
    const auto address = descriptor_address(context_, selector, 8);
    if (!address) return delivery_failed(Vector::GeneralProtection, selector_code(selector));
    Descriptor descriptor;
    if (auto fault = memory_.read_value(*address, descriptor.raw, Privilege::Implicit))
      return delivery_failed(*fault);
    const uint16_t attributes = descriptor.attributes();
    const bool is_code =
        (attributes & x64::segment::s) != 0 && (attributes & x64::segment::code) != 0;
    const bool is_64 = (attributes & x64::segment::long_mode) != 0 &&
                       (attributes & x64::segment::default_big) == 0;
    if (!is_code || descriptor.dpl() > vp_.cpl())
      return delivery_failed(Vector::GeneralProtection, selector_code(selector));
    if ((attributes & x64::segment::present) == 0)
      return delivery_failed(Vector::SegmentNotPresent, selector_code(selector));
    if (!is_64) return delivery_failed(Vector::GeneralProtection, selector_code(selector));
    if ((attributes & x64::segment::accessed) == 0) {
      const auto type = static_cast<uint8_t>(descriptor.raw >> 40 | x64::segment::accessed);
      if (auto fault = memory_.write_value(*address + 5, type, Privilege::Implicit))
        return delivery_failed(*fault);
    }
    code = segment_of(descriptor, selector);
    code.attributes |= x64::segment::accessed;
    return {};
  }

  Attempt choose_stack(const Gate& gate, uint8_t new_cpl, uint64_t& stack) const {
    const unsigned index = gate.stack_table_index();
    if (index == 0 && new_cpl == vp_.cpl()) return {};
    const uint64_t offset = index != 0 ? 0x24 + 8 * (index - 1) : 4 + 8 * uint64_t{new_cpl};
    if (offset + 7 > context_.tr.limit)
      return delivery_failed(Vector::InvalidTss, selector_code(context_.tr.selector));
    if (auto fault = memory_.read_value(context_.tr.base + offset, stack, Privilege::Implicit))
      return delivery_failed(*fault);
    return {};
  }

  Attempt push_frame(uint8_t new_cpl, uint64_t& stack) const {
    const uint64_t fault_flag = event_.source == EventSource::Fault ? x64::rflags::rf : 0;
    const uint64_t frame[6] = {event_.exception.error_code,
                               event_.return_rip,
                               context_.segments[vtl::Cs].selector,
                               context_.rflags | fault_flag,
                               context_.rsp,
                               context_.segments[vtl::Ss].selector};
    const size_t skipped = event_.exception.has_error_code ? 0 : 1;
    const std::span<const uint64_t> pushed = std::span{frame}.subspan(skipped);
    stack = (stack & ~uint64_t{15}) - pushed.size_bytes();
    const int bits = x64::linear_address_bits(context_.cr4);
    if (!x64::is_canonical(stack, bits) || !x64::is_canonical(stack + pushed.size_bytes() - 1, bits))
      return delivery_failed(Vector::StackFault, external_);
    const std::span<const uint8_t> bytes{reinterpret_cast<const uint8_t*>(pushed.data()),
                                         pushed.size_bytes()};
    if (auto fault = memory_.write(stack, bytes, explicit_privilege(new_cpl)))
      return delivery_failed(*fault);
    return {};
  }

  void enter(const Gate& gate, const vtl::Segment& code, uint8_t new_cpl, uint64_t stack) {
    if (new_cpl != vp_.cpl()) {
      const auto dpl = static_cast<uint16_t>(new_cpl << x64::segment::dpl_shift);
      context_.segments[vtl::Ss] = {0, ~uint32_t{0}, new_cpl, static_cast<uint16_t>(0xc093 | dpl)};
    }
    context_.segments[vtl::Cs] = code;
    context_.rsp = stack;
    context_.rip = gate.offset();
    context_.rflags &= ~(x64::rflags::tf | x64::rflags::nt | x64::rflags::rf | x64::rflags::vm);
    if (gate.type() == x64::segment::type_interrupt_gate) context_.rflags &= ~x64::rflags::if_;
    context_.interrupt_shadow = false;
  }

  vtl::VirtualProcessor& vp_;
  VtlContext& context_;
  const ProcessorMemory& memory_;
  const EventDelivery& event_;
  uint32_t external_;
};

/// CR2, and DR6: B0 to B3 are of this exception only, the others stay until software clears them (SDM vol. 3, 18.2.3).
void note_parameter(vtl::VirtualProcessor& vp, const PendingException& exception) {
  vtl::SharedRegisters& shared = vp.shared;
  if (exception.vector == static_cast<uint8_t>(Vector::PageFault)) shared.cr2 = exception.parameter;
  if (exception.vector != static_cast<uint8_t>(Vector::Debug)) return;
  vp.context().dr7 &= ~x64::dr7::gd;  // its handler may use the debug registers
  if (exception.parameter != 0)
    shared.dr6 = (shared.dr6 & ~x64::dr6::breakpoints) | exception.parameter;
}

bool is_interrupt(EventSource source) {
  return source == EventSource::External || source == EventSource::SoftwareInterrupt;
}

}  // namespace

vtl::PendingException debug_trap(uint64_t dr6_bits) {
  return {static_cast<uint8_t>(Vector::Debug), false, 0, dr6_bits};
}

Attempt delivery_failed(Vector vector, uint32_t error_code) {
  return {PendingException{static_cast<uint8_t>(vector), true, error_code, 0}, std::nullopt};
}

Attempt delivery_failed(const MemoryFault& fault) {
  if (auto exception = exception_of(fault.fault)) return {exception, std::nullopt};
  return {std::nullopt, fault};
}

bool makes_double_fault(uint8_t first, uint8_t second) {
  const x64::ExceptionClass a = x64::exception_class(first), b = x64::exception_class(second);
  if (a == x64::ExceptionClass::Contributory) return b == x64::ExceptionClass::Contributory;
  return a == x64::ExceptionClass::PageFault && b != x64::ExceptionClass::Benign;
}

std::optional<uint64_t> descriptor_address(const VtlContext& context, uint16_t selector,
                                           uint64_t bytes) {
  const uint64_t offset = selector & 0xfff8u;
  if ((selector & se::ti) == 0) {
    if (offset + bytes - 1 > context.gdtr.limit) return std::nullopt;
    return context.gdtr.base + offset;
  }
  if ((context.ldtr.selector & ~3u) == 0 || offset + bytes - 1 > context.ldtr.limit)
    return std::nullopt;
  return context.ldtr.base + offset;
}

std::optional<PendingException> exception_of(const mmu::Fault& fault, bool stack_segment) {
  switch (fault.kind) {
    case mmu::FaultKind::NonCanonical:
      return PendingException{
          static_cast<uint8_t>(stack_segment ? Vector::StackFault : Vector::GeneralProtection),
          true, 0, 0};
    case mmu::FaultKind::PageFault:
      return PendingException{static_cast<uint8_t>(Vector::PageFault), true, fault.error_code,
                              fault.address.value()};
    default:
      return std::nullopt;
  }
}

DeliveryResult deliver_event(vtl::VirtualProcessor& vp, const ProcessorMemory& memory,
                             const EventDelivery& event, uint64_t instruction_rip) {
  EventDelivery current = event;
  bool replaced = false;
  const VtlContext before = vp.context();
  const uint64_t cr2_before = vp.shared.cr2, dr6_before = vp.shared.dr6;
  const auto undo = [&] {
    vp.context() = before;
    vp.shared.cr2 = cr2_before;
    vp.shared.dr6 = dr6_before;
  };
  for (;;) {
    if (!is_interrupt(current.source)) note_parameter(vp, current.exception);
    const Attempt attempt = Delivery{vp, memory, current}.run();
    if (attempt.delivered()) return {DeliveryStatus::Delivered, current.exception, replaced, {}};
    if (attempt.refused) {
      undo();
      return {DeliveryStatus::Intercepted, current.exception, replaced, *attempt.refused};
    }
    const uint8_t first = current.exception.vector;
    const bool first_is_exception = !is_interrupt(current.source);
    if (first_is_exception && first == static_cast<uint8_t>(Vector::DoubleFault))
      return {DeliveryStatus::TripleFault, current.exception, replaced, {}};
    const bool twice = first_is_exception && makes_double_fault(first, attempt.fault->vector);
    current.exception =
        twice ? PendingException{static_cast<uint8_t>(Vector::DoubleFault), true, 0, 0}
              : *attempt.fault;
    current.source = EventSource::Fault;
    current.return_rip = instruction_rip;
    replaced = true;
    if ((before.interceptions.exceptions >> current.exception.vector & 1) != 0) {
      undo();
      return {DeliveryStatus::ExceptionIntercepted, current.exception, replaced, {}};
    }
  }
}

}  // namespace cpu
