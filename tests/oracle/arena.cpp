// The state in which both processors start.
#include <cstring>

#include "tests/oracle/arena_places.h"
#include "tests/oracle/comparison.h"

namespace oracle {

using namespace cpu_test;
namespace pte = abi::x64::pte;

Arena::Arena(cpu::Gear gear) : World{gear} {
  lay_out();
  pristine_.assign(memory.data(), memory.data() + ram_size);
}

void Arena::lay_out() {
  constexpr uint64_t used = pte::accessed | pte::dirty;
  for (const uint64_t table : {uint64_t{pml4}, uint64_t{pdpt}, uint64_t{page_directory}}) {
    for (uint64_t i = 0; i < 512; ++i) {
      const uint64_t entry = peek(table + 8 * i);
      if (entry != 0) poke(table + 8 * i, entry | pte::accessed);
    }
  }
  poke(uint64_t{0x8000 + 8 * 0x1f7}, peek(0x8000 + 8 * 0x1f7) | used);
  for (uint64_t page = 0; page < ram_size; page += 4096)
    poke(entry_address(page), peek(entry_address(page)) | used);
  for (const uint64_t area : {uint64_t{kernel_data}, uint64_t{user_data}}) {
    const uint64_t own = area == user_data ? uint64_t{pte::user} : 0;
    for (unsigned i = 0; i < data_pages; ++i) {
      uint64_t flags = pte::present | pte::writable | pte::no_execute | used | own;
      if (i == read_only_page) flags &= ~uint64_t{pte::writable};
      if (i == absent_page) flags = 0;
      if (i == foreign_page) flags ^= pte::user;
      if (i == code_page) flags &= ~uint64_t{pte::no_execute};
      const uint64_t page = area + i * 4096;
      poke(entry_address(page), (flags == 0 ? 0 : page) | flags);
    }
  }
  for (const uint64_t stack : {uint64_t{kernel_stack}, uint64_t{user_stack}}) {
    for (uint64_t page = stack - 0x2000; page <= stack; page += 4096)
      poke(entry_address(page), peek(entry_address(page)) | pte::no_execute);
  }
  // Accessed bits set: loading a segment writes nothing. 32-bit kernel code, and a data segment that is not there.
  poke(uint64_t{gdt + 0x20}, uint64_t{0x00cf9b000000ffff});
  poke(uint64_t{gdt + 0x38}, uint64_t{0x00cf73000000ffff});
  poke(uint64_t{gdt + 0x40}, peek(gdt + 0x40) | uint64_t{2} << 40);  // busy
  for (unsigned vector = 0; vector < 256; ++vector) {
    const uint64_t handler = handlers + vector * 16;
    const bool open = vector == 3 || vector == 4 || (vector >= 0x40 && vector < 0x48);
    gate(vector, handler, 0, open ? 3 : 0);
    poke(uint64_t{idt_32 + vector * 8},
         (handler & 0xffff) | uint64_t{kernel_cs_32} << 16 | uint64_t{open ? 0xeeu : 0x8eu} << 40);
    poke(uint64_t{vector * 4}, static_cast<uint32_t>(handler));
    put(handler, {0xf4});
  }
  support::Prng random{1, "oracle memory"};
  for (const Mode mode : {Mode::User64, Mode::Kernel64, Mode::Real16}) {
    for (const uint64_t page : pages_of(mode)) {
      if (page < 0x20000) continue;
      uint8_t bytes[4096];
      random.fill(bytes);
      // Small numbers and pointers, too.
      for (unsigned at = 0; at < sizeof bytes; at += 8) {
        uint64_t value;
        std::memcpy(&value, bytes + at, 8);
        if (random.one_in(4)) value &= 0xff;
        if (random.one_in(8)) value = user_data + (value & 0xffff);
        std::memcpy(bytes + at, &value, 8);
      }
      put(page, bytes);
    }
  }
}

std::vector<uint64_t> Arena::pages_of(Mode mode) {
  std::vector<uint64_t> pages;
  const auto range = [&](uint64_t first, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i)
      pages.push_back(first + i * 4096);
  };
  if (mode == Mode::Real16) {
    range(real_code, 2);
    range(real_data, 4);
    range(real_stack, 16);
    return pages;
  }
  range(is_user(mode) ? user_code : kernel_code, 2);
  range(is_user(mode) ? user_data : kernel_data, data_pages);
  range((is_user(mode) ? user_stack : kernel_stack) - 0x2000, 3);
  if (is_user(mode)) range(kernel_stack - 0x1000, 1);
  return pages;
}

void Arena::prepare(Mode mode, uint64_t seed, const Program& program) {
  support::Prng random{seed, "oracle state"};
  vp.contexts[vtl::Vtl::Vtl0] = {};
  vp.shared = {};
  processor->withdraw_interrupt(vp);
  processor->restore(processor->state());
  reset_registers();
  invalidate();
  base_ = mode == Mode::Real16 ? uint64_t{real_code}
          : is_user(mode)      ? uint64_t{user_code}
                               : uint64_t{kernel_code};
  start_ = base_ + (random.one_in(4) ? 0xfff - random.below(40) : random.below(0xe00));
  std::vector<uint32_t> offsets;
  std::vector<uint8_t> code = layout(program, offsets);
  code.push_back(0xf4);  // HLT ends it; at CPL 3 by way of #GP
  put(start_, code);
  fill_registers(mode, random);
  fill_extremes(seed);
  enter(mode, random);
}

void Arena::fill_registers(Mode mode, support::Prng& random) {
  const uint64_t area = mode == Mode::Real16 ? uint64_t{0}
                        : is_user(mode)      ? uint64_t{user_data}
                                             : uint64_t{kernel_data};
  for (size_t i = 0; i < vp.shared.gpr.size(); ++i) {
    uint64_t& value = vp.shared.gpr[i];
    const uint64_t page =
        area + random.below(mode == Mode::Real16 ? uint64_t{3} : uint64_t{data_pages}) * 4096;
    const uint64_t pointer =
        page + (random.one_in(3) ? 0x1000 - random.below(24) : random.below(4096));
    const bool points = (i >= 5 && i <= 7) || i >= 12;
    switch (random.below(points ? 12 : 6)) {
      case 0:
        value = random.next();
        break;
      case 1:
        value = random.below(32);
        break;
      case 2:
        value = uint64_t{0} - random.below(32);
        break;
      case 3:
        value = random.next() >> random.below(64);
        break;
      default:
        value = pointer;
    }
  }
  vp.shared.gpr[vtl::Rsp] = 0;
  if (random.one_in(2)) vp.shared.gpr[vtl::Rcx] = random.below(20);
  vtl::FloatingPoint& fp = vp.shared.fp;
  for (vtl::Xmm& xmm : fp.xmm) {
    xmm = {random.next(), random.next()};
    if (random.one_in(3)) xmm.low = 0x3ff0000000000000 + (random.next() >> 12);
    if (random.one_in(3)) xmm.high = 0x3f8000003f800000 ^ (random.next() & 0x807fffff807fffff);
    if (random.one_in(8)) xmm.low = 0;
    if (random.one_in(8)) xmm.low = random.next() & 0x800fffffffffffff;  // denormal
  }
  for (vtl::Xmm& st : fp.st) {
    st = {random.next() | uint64_t{1} << 63, 0x3f00 + random.below(0x200)};
    if (random.one_in(3)) st.high ^= 0x8000;
    if (random.one_in(8)) st = {0, 0};
    if (random.one_in(8)) st = {uint64_t{1} << 63, 0x7fff};
  }
  fp.tag = static_cast<uint8_t>(random.one_in(2) ? 0xff : random.next());
  fp.control = static_cast<uint16_t>(0x37f ^ (random.one_in(3) ? random.below(4) << 10 : 0));
  if (random.one_in(3)) fp.mxcsr |= static_cast<uint32_t>(random.below(4)) << 13;
  context().rflags = 2 | (random.next() & (x64::rflags::arithmetic | x64::rflags::if_));
  if (random.one_in(4)) context().rflags |= x64::rflags::df;
}

/// Least and greatest numbers of each size, where counts and lengths overflow. A stream of its own, so that the rest of a case
/// stays what it was.
void Arena::fill_extremes(uint64_t seed) {
  support::Prng random{seed, "oracle extremes"};
  if (!random.one_in(4)) return;
  static constexpr uint64_t extremes[] = {0x8000'0000'0000'0000, 0x7fff'ffff'ffff'ffff, 0xffff'ffff'ffff'ffff, 0x8000'0000,
                                          0x7fff'ffff,           0xffff'ffff,           0xffff'ffff'8000'0000, 0x8000,
                                          0x7fff,                0x80,                  0,                     0x1'0000'0000};
  for (unsigned i = 0; i < 3; ++i) {
    const size_t index = random.below(vp.shared.gpr.size());
    const uint64_t value = extremes[random.below(std::size(extremes))];
    if (index != vtl::Rsp) vp.shared.gpr[index] = value;
    vp.shared.fp.xmm[random.below(16)].low = extremes[random.below(std::size(extremes))];
  }
}

void Arena::enter(Mode mode, support::Prng& random) {
  vtl::VtlContext& c = context();
  // As KVM has them whatever is asked for.
  c.efer = 0xd01;
  c.cr0 |= 0x10;
  const uint64_t depth = random.below(0x200) & ~uint64_t{random.one_in(3) ? 0u : 7u};
  c.rip = start_;
  c.rsp = kernel_stack - 0x100 - depth;
  c.ldtr = {0, 0, 0, 0x0002};
  c.lstar = handlers + 0x600;
  c.cstar = handlers + 0x610;
  c.sfmask = 0x47700;
  c.kernel_gs_base = kernel_data + 0x1000;
  switch (mode) {
    case Mode::Real16:
      c.cr0 = 0x10;
      c.efer = 0;
      c.segments.fill({real_data, 0xffff, real_data >> 4, 0x93});
      c.segments[vtl::Cs] = {real_code, 0xffff, real_code >> 4, 0x9b};
      c.segments[vtl::Ss] = {real_stack, 0xffff, real_stack >> 4, 0x93};
      c.idtr = {0, 0x3ff};
      c.rip = start_ - real_code;
      c.rsp = 0xff00 - depth;
      break;
    case Mode::Protected32:
      c.cr0 = 0x31;
      c.efer = 0;
      c.idtr = {idt_32, 0x7ff};
      c.segments.fill({0, ~0u, kernel_ss, 0xc093});
      c.segments[vtl::Cs] = {0, ~0u, kernel_cs_32, 0xc09b};
      break;
    case Mode::Kernel32:
      c.segments[vtl::Cs] = {0, ~0u, kernel_cs_32, 0xc09b};
      break;
    case Mode::User64:
      enter_user_mode(start_, user_stack - 0x100 - depth);
      c.rflags |= x64::rflags::if_;  // some hypervisors show CPL 3 the host's IF
      break;
    case Mode::User32:
      enter_user_mode(start_, user_stack - 0x100 - depth);
      c.rflags |= x64::rflags::if_;
      c.segments[vtl::Cs] = {0, ~0u, user_cs_32, 0xc0fb};
      break;
    default:
      break;
  }
  if (!is_64(mode)) {
    for (uint64_t& value : vp.shared.gpr)
      value &= 0xffffffff;
    for (size_t i = 8; i < 16; ++i)
      vp.shared.gpr[i] = 0;
    for (size_t i = 8; i < 16; ++i)
      vp.shared.fp.xmm[i] = {};
  }
}

Ending Arena::run(uint64_t most) {
  const uint64_t end = now.ticks + most;
  while (now.ticks < end) {
    const vtl::Exit exit = processor->run(vp, now, {end});
    switch (exit.reason) {
      case vtl::ExitReason::Deadline:
        continue;
      case vtl::ExitReason::Halt:
        return Ending::Halt;
      case vtl::ExitReason::MsrRead:
      case vtl::ExitReason::MsrWrite:
        if (!processor->inject_exception(vp, {13, true, 0, 0})) return Ending::Shutdown;
        continue;
      case vtl::ExitReason::IoRead:
      case vtl::ExitReason::IoWrite:
        return Ending::Port;
      case vtl::ExitReason::TripleFault:
        return Ending::Shutdown;
      case vtl::ExitReason::Hang:
        failure = exit.detail;
        return Ending::Hang;
      case vtl::ExitReason::MachineFailure:
        failure = exit.detail;
        return Ending::Failure;
      default:
        return Ending::NotComparable;
    }
  }
  return Ending::TooLong;
}

}  // namespace oracle
