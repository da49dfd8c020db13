#include <cstring>

#include "abi/x64/exceptions.h"
#include "abi/x64/registers.h"
#include "sim/cpu/delivery.h"
#include "sim/cpu/descriptor.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;
namespace se = abi::x64::selector_error;
using vtl::VtlContext;
using x64::Vector;

/// A gate of the IDT in protected mode (SDM vol. 3, figure 6-2).
struct Gate {
  uint64_t raw{};
  [[nodiscard]] bool wide() const { return (raw >> 43 & 1) != 0; }
  [[nodiscard]] uint32_t offset() const {
    const auto low = static_cast<uint32_t>(raw & 0xffff);
    return wide() ? low | static_cast<uint32_t>(raw >> 32 & 0xffff0000) : low;
  }
  [[nodiscard]] uint16_t selector() const { return static_cast<uint16_t>(raw >> 16); }
  [[nodiscard]] bool is_interrupt_or_trap() const {
    const auto type = static_cast<unsigned>(raw >> 40 & 0x1f);
    return type == 6 || type == 7 || type == 14 || type == 15;
  }
  [[nodiscard]] bool is_trap() const { return (raw >> 40 & 1) != 0; }
  [[nodiscard]] uint8_t dpl() const { return raw >> 45 & 3; }
  [[nodiscard]] bool present() const { return (raw >> 47 & 1) != 0; }
};

bool contains(const vtl::Segment& segment, uint32_t offset, uint32_t bytes) {
  const bool expands_down = (segment.attributes & x64::segment::expand_down_or_conforming) != 0 &&
                            (segment.attributes & x64::segment::code) == 0;
  const uint64_t last = uint64_t{offset} + bytes - 1;
  if (!expands_down) return last <= segment.limit;
  const bool big = (segment.attributes & x64::segment::default_big) != 0;
  return offset > segment.limit && last <= (big ? 0xffffffff : 0xffff);
}

class ProtectedDelivery {
 public:
  ProtectedDelivery(vtl::VirtualProcessor& vp, const ProcessorMemory& memory, const EventDelivery& event)
      : vp_{vp},
        context_{vp.context()},
        memory_{memory},
        event_{event},
        from_virtual_{(vp.context().rflags & x64::rflags::vm) != 0},
        external_{event.source == EventSource::SoftwareInterrupt ? 0 : se::external} {}

  Attempt run() {
    if (Attempt attempt = read_gate(); !attempt.delivered()) return attempt;
    if (Attempt attempt = read_code_segment(); !attempt.delivered()) return attempt;
    stack_ = context_.segments[vtl::Ss];
    stack_pointer_ = static_cast<uint32_t>(context_.rsp);
    if (new_cpl_ != vp_.cpl()) {
      if (Attempt attempt = change_stack(); !attempt.delivered()) return attempt;
    }
    if (Attempt attempt = push_frame(); !attempt.delivered()) return attempt;
    enter();
    return {};
  }

 private:
  [[nodiscard]] uint32_t idt_error() const {
    return event_.exception.vector * 8u + se::idt + external_;
  }
  [[nodiscard]] uint32_t selector_code(uint16_t selector) const {
    return (selector & 0xfffcu) | external_;
  }

  Attempt read_gate() {
    const uint64_t offset = event_.exception.vector * 8u;
    if (offset + 7 > context_.idtr.limit)
      return delivery_failed(Vector::GeneralProtection, idt_error());
    if (auto fault = memory_.read_value(linear(context_.idtr.base + offset), gate_, Privilege::Implicit))
      return delivery_failed(*fault);
    if (!gate_.is_interrupt_or_trap()) return delivery_failed(Vector::GeneralProtection, idt_error());
    if (event_.source == EventSource::SoftwareInterrupt && gate_.dpl() < vp_.cpl())
      return delivery_failed(Vector::GeneralProtection, idt_error());
    if (!gate_.present()) return delivery_failed(Vector::SegmentNotPresent, idt_error());
    return {};
  }

  /// Reads a descriptor that was found usable as far as its table's limit goes. False: beyond it.
  Attempt read_descriptor(uint16_t selector, Vector beyond, Descriptor& descriptor, uint64_t& address) {
    const auto found = descriptor_address(context_, selector, 8);
    if (!found) return delivery_failed(beyond, selector_code(selector));
    address = linear(*found);
    if (auto fault = memory_.read_value(address, descriptor.raw, Privilege::Implicit))
      return delivery_failed(*fault);
    return {};
  }

  Attempt set_accessed(const Descriptor& descriptor, uint64_t address, vtl::Segment& segment) {
    if ((segment.attributes & x64::segment::accessed) != 0) return {};
    segment.attributes |= x64::segment::accessed;
    const auto type = static_cast<uint8_t>(descriptor.raw >> 40 | x64::segment::accessed);
    if (auto fault = memory_.write_value(linear(address + 5), type, Privilege::Implicit))
      return delivery_failed(*fault);
    return {};
  }

  Attempt read_code_segment() {
    const uint16_t selector = gate_.selector();
    if ((selector & ~3u) == 0) return delivery_failed(Vector::GeneralProtection, external_);
    Descriptor descriptor;
    uint64_t address = 0;
    if (Attempt attempt = read_descriptor(selector, Vector::GeneralProtection, descriptor, address);
        !attempt.delivered())
      return attempt;
    const uint16_t attributes = descriptor.attributes();
    const bool is_code = (attributes & x64::segment::s) != 0 && (attributes & x64::segment::code) != 0;
    if (!is_code || descriptor.dpl() > vp_.cpl())
      return delivery_failed(Vector::GeneralProtection, selector_code(selector));
    if ((attributes & x64::segment::present) == 0)
      return delivery_failed(Vector::SegmentNotPresent, selector_code(selector));
    const bool conforming = (attributes & x64::segment::expand_down_or_conforming) != 0;
    new_cpl_ = conforming ? vp_.cpl() : descriptor.dpl();
    // Out of virtual-8086 mode only ring 0 is reached (SDM vol. 3, 20.3.1.1).
    if (from_virtual_ && new_cpl_ != 0)
      return delivery_failed(Vector::GeneralProtection, selector_code(selector));
    code_ = segment_of(descriptor, static_cast<uint16_t>((selector & ~3u) | new_cpl_));
    if (gate_.offset() > code_.limit) return delivery_failed(Vector::GeneralProtection, external_);
    return set_accessed(descriptor, address, code_);
  }

  /// From the task-state segment (SDM vol. 3, 6.12.1).
  Attempt change_stack() {
    const bool wide = (context_.tr.attributes & 8) != 0;
    const uint64_t offset = wide ? 4 + 8u * new_cpl_ : 2 + 4u * new_cpl_;
    const uint64_t bytes = wide ? 6 : 4;
    if (offset + bytes - 1 > context_.tr.limit)
      return delivery_failed(Vector::InvalidTss, selector_code(context_.tr.selector));
    uint8_t words[6] = {};
    if (auto fault = memory_.read(linear(context_.tr.base + offset), {words, bytes}, Privilege::Implicit))
      return delivery_failed(*fault);
    stack_pointer_ = 0;
    std::memcpy(&stack_pointer_, words, bytes - 2);
    uint16_t selector = 0;
    std::memcpy(&selector, words + bytes - 2, 2);
    return load_stack_segment(selector);
  }

  Attempt load_stack_segment(uint16_t selector) {
    if ((selector & ~3u) == 0) return delivery_failed(Vector::InvalidTss, external_);
    Descriptor descriptor;
    uint64_t address = 0;
    if (Attempt attempt = read_descriptor(selector, Vector::InvalidTss, descriptor, address);
        !attempt.delivered())
      return attempt;
    const uint16_t attributes = descriptor.attributes();
    const bool writable_data = (attributes & x64::segment::s) != 0 &&
                               (attributes & x64::segment::code) == 0 &&
                               (attributes & x64::segment::writable_or_readable) != 0;
    if ((selector & 3) != new_cpl_ || descriptor.dpl() != new_cpl_ || !writable_data)
      return delivery_failed(Vector::InvalidTss, selector_code(selector));
    if ((attributes & x64::segment::present) == 0)
      return delivery_failed(Vector::StackFault, selector_code(selector));
    stack_ = segment_of(descriptor, selector);
    return set_accessed(descriptor, address, stack_);
  }

  Attempt push_frame() {
    const uint64_t fault_flag = event_.source == EventSource::Fault ? x64::rflags::rf : 0;
    uint32_t words[10];
    unsigned count = 0;
    if (event_.exception.has_error_code) words[count++] = event_.exception.error_code;
    words[count++] = static_cast<uint32_t>(event_.return_rip);
    words[count++] = context_.segments[vtl::Cs].selector;
    words[count++] = static_cast<uint32_t>(context_.rflags | fault_flag);
    if (new_cpl_ != vp_.cpl()) {
      words[count++] = static_cast<uint32_t>(context_.rsp);
      words[count++] = context_.segments[vtl::Ss].selector;
    }
    if (from_virtual_) {
      for (const unsigned segment : {vtl::Es, vtl::Ds, vtl::Fs, vtl::Gs})
        words[count++] = context_.segments[segment].selector;
    }
    uint8_t bytes[40];
    const unsigned size = gate_.wide() ? 4 : 2;
    for (unsigned i = 0; i < count; ++i)
      std::memcpy(bytes + i * size, &words[i], size);
    return push({bytes, size_t{count} * size});
  }

  Attempt push(std::span<const uint8_t> frame) {
    const bool big = (stack_.attributes & x64::segment::default_big) != 0;
    const auto size = static_cast<uint32_t>(frame.size());
    uint32_t pointer = stack_pointer_ - size;
    if (!big) pointer &= 0xffff;
    if (!contains(stack_, pointer, size)) {
      const bool inner = new_cpl_ != vp_.cpl();
      return delivery_failed(Vector::StackFault, inner ? selector_code(stack_.selector) : external_);
    }
    if (auto fault = memory_.write(linear(stack_.base + pointer), frame, explicit_privilege(new_cpl_)))
      return delivery_failed(*fault);
    stack_pointer_ = big ? pointer : (stack_pointer_ & 0xffff0000) | pointer;
    return {};
  }

  void enter() {
    if (from_virtual_) {
      for (const unsigned segment : {vtl::Es, vtl::Ds, vtl::Fs, vtl::Gs})
        context_.segments[segment] = {};
    }
    context_.segments[vtl::Ss] = stack_;
    context_.segments[vtl::Cs] = code_;
    context_.rsp = stack_pointer_;
    context_.rip = gate_.offset();
    context_.rflags &= ~(x64::rflags::tf | x64::rflags::nt | x64::rflags::rf | x64::rflags::vm);
    if (!gate_.is_trap()) context_.rflags &= ~x64::rflags::if_;
    context_.interrupt_shadow = false;
  }

  static uint64_t linear(uint64_t address) { return address & 0xffffffff; }

  vtl::VirtualProcessor& vp_;
  VtlContext& context_;
  const ProcessorMemory& memory_;
  const EventDelivery& event_;
  bool from_virtual_;
  uint32_t external_;

  Gate gate_;
  vtl::Segment code_, stack_;
  uint32_t stack_pointer_{};
  uint8_t new_cpl_{};
};

/// SDM vol. 3, 21.1.4.
Attempt deliver_in_real_mode(vtl::VirtualProcessor& vp, const ProcessorMemory& memory,
                             const EventDelivery& event) {
  VtlContext& context = vp.context();
  const uint64_t offset = event.exception.vector * 4u;
  if (offset + 3 > context.idtr.limit) return delivery_failed(Vector::GeneralProtection, 0);
  struct {
    uint16_t ip, cs;
  } entry{};
  if (auto fault = memory.read_value(context.idtr.base + offset, entry, Privilege::Implicit))
    return delivery_failed(*fault);
  const uint16_t frame[3] = {static_cast<uint16_t>(event.return_rip),
                             context.segments[vtl::Cs].selector,
                             static_cast<uint16_t>(context.rflags)};
  const auto sp = static_cast<uint16_t>(context.rsp - sizeof frame);
  if (auto fault =
          memory.write_value(context.segments[vtl::Ss].base + sp, frame, Privilege::Supervisor))
    return delivery_failed(*fault);
  context.rsp = (context.rsp & ~uint64_t{0xffff}) | sp;
  context.rflags &= ~(x64::rflags::tf | x64::rflags::if_ | x64::rflags::ac | x64::rflags::rf);
  context.segments[vtl::Cs].selector = entry.cs;
  context.segments[vtl::Cs].base = uint64_t{entry.cs} << 4;
  context.rip = entry.ip;
  context.interrupt_shadow = false;
  return {};
}

}  // namespace

Attempt deliver_in_legacy_mode(vtl::VirtualProcessor& vp, const ProcessorMemory& memory,
                               const EventDelivery& event) {
  if ((vp.context().cr0 & x64::cr0::pe) == 0) return deliver_in_real_mode(vp, memory, event);
  return ProtectedDelivery{vp, memory, event}.run();
}

}  // namespace cpu
