#include "sim/cpu/breakpoints.h"

#include "abi/layout/address.h"
#include "abi/x64/registers.h"
#include "sim/cpu/system_instructions.h"

namespace cpu {
namespace {

namespace x64 = abi::x64;

bool overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes) {
  return a < b + b_bytes && b < a + a_bytes;
}

/// A read that the engine made of `run`: all of it, or what an unaligned operand in it has.
uint64_t hits_of_read(const Breakpoints& breakpoints, const MemoryTouch& run,
                      std::span<const uint64_t> operands) {
  for (const uint64_t offset : {uint64_t{0}, uint64_t{8}}) {  // the second half of 16 bytes is 8 further
    uint64_t hits = 0;
    bool explained = false;
    for (const uint64_t operand : operands) {
      const uint64_t start = operand + offset;
      if (start == run.address) return breakpoints.at_memory(run);
      const bool inside = start - run.address < run.bytes;
      // Begun in the page before, which is not watched.
      const bool before = run.address % abi::page_size == 0 && run.address - start < run.bytes;
      if (!inside && !before) continue;
      explained = true;
      hits |= breakpoints.at_memory(MemoryTouch{start, before ? run.bytes : run.bytes / 2, false});
    }
    if (explained) return hits;
  }
  return breakpoints.at_memory(run);
}

}  // namespace

Breakpoints::Breakpoints(const vtl::VirtualProcessor& vp) {
  const vtl::VtlContext& context = vp.context();
  if ((context.dr7 & x64::dr7::enables) == 0) return;
  static constexpr uint8_t lengths[] = {1, 2, 8, 4};
  for (unsigned i = 0; i < list_.size(); ++i) {
    if ((context.dr7 >> (2 * i) & 3) == 0) continue;
    One& one = list_[i];
    const auto what = context.dr7 >> (16 + 4 * i) & 3;
    one.bytes = what == 0 ? uint8_t{1} : lengths[context.dr7 >> (18 + 4 * i) & 3];
    one.address = vp.shared.dr[i] & ~uint64_t{one.bytes - 1u};
    switch (what) {
      case 0:
        one.kind = Kind::Execution;
        execution_ = true;
        break;
      case 2:  // without DE it has no meaning
        one.kind = (context.cr4 & x64::cr4::de) != 0 ? Kind::Port : Kind::None;
        break;
      default:
        one.kind = what == 1 ? Kind::Write : Kind::Access;
        data_ = true;
    }
  }
}

uint64_t Breakpoints::at_instruction(uint64_t linear_rip) const {
  uint64_t hits = 0;
  for (unsigned i = 0; i < list_.size(); ++i) {
    if (list_[i].kind == Kind::Execution && list_[i].address == linear_rip) hits |= uint64_t{1} << i;
  }
  return hits;
}

uint64_t Breakpoints::at_port(uint16_t port, uint8_t bytes) const {
  uint64_t hits = 0;
  for (unsigned i = 0; i < list_.size(); ++i) {
    if (list_[i].kind == Kind::Port && overlap(list_[i].address, list_[i].bytes, port, bytes))
      hits |= uint64_t{1} << i;
  }
  return hits;
}

uint64_t Breakpoints::at_memory(const MemoryTouch& touch) const {
  uint64_t hits = 0;
  for (unsigned i = 0; i < list_.size(); ++i) {
    const One& one = list_[i];
    const bool wanted = one.kind == Kind::Access || (one.kind == Kind::Write && touch.write);
    if (wanted && overlap(one.address, one.bytes, touch.address, touch.bytes)) hits |= uint64_t{1} << i;
  }
  return hits;
}

uint64_t Breakpoints::at_memory(std::span<const MemoryTouch> touches) const {
  uint64_t hits = 0;
  for (const MemoryTouch& touch : touches)
    hits |= at_memory(touch);
  return hits;
}

bool Breakpoints::in_code(uint64_t address, uint64_t bytes) const {
  for (const One& one : list_) {
    if (one.kind == Kind::Execution && one.address - address < bytes) return true;
  }
  return false;
}

bool Breakpoints::in_page_of(uint64_t address) const {
  for (const One& one : list_) {
    const bool memory = one.kind == Kind::Access || one.kind == Kind::Write;
    if (memory && one.address / abi::page_size == address / abi::page_size) return true;
  }
  return false;
}

uint64_t hits_of(const Breakpoints& breakpoints, std::span<const MemoryTouch> touches,
                 std::span<const uint64_t> operands) {
  uint64_t hits = 0;
  for (size_t i = 0; i < touches.size();) {
    MemoryTouch run = touches[i++];
    while (i < touches.size() && touches[i].write == run.write && touches[i].address == run.address + run.bytes)
      run.bytes += touches[i++].bytes;
    hits |= run.write ? breakpoints.at_memory(run) : hits_of_read(breakpoints, run, operands);
  }
  return hits;
}

std::array<uint64_t, 4> operand_addresses(const Instruction& in, const vtl::VirtualProcessor& vp) {
  const uint64_t mask = in.address_size == 8 ? ~uint64_t{0} : in.address_size == 4 ? 0xffffffff : 0xffff;
  const uint8_t source = in.segment == no_segment ? uint8_t{vtl::Ds} : in.segment;
  const bool has_memory = in.has_modrm && !in.register_form_only && in.mod() != 3;
  return {has_memory ? linear_address(in, vp)
                     : in_segment(vp, source, static_cast<uint64_t>(in.displacement) & mask, in.code_size),
          in_segment(vp, source, vp.shared.gpr[vtl::Rsi] & mask, in.code_size),
          in_segment(vp, vtl::Es, vp.shared.gpr[vtl::Rdi] & mask, in.code_size),
          in_segment(vp, vtl::Ss, vp.context().rsp, in.code_size)};
}

}  // namespace cpu
