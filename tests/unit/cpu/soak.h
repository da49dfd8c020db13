#pragma once
// Random instruction streams, run in both gears at once and compared wherever they are stopped.
#include <cstring>
#include <string>

#include "sim/support/prng.h"
#include "tests/unit/cpu/drive.h"

namespace cpu_test {

enum class SoakMode : uint8_t {
  Real16,
  Protected32,
  Compatibility32,
  Long64,
  LongUser64,
  Paged32,
  Pae32,
  ProtectedUser32,
  CompatibilityUser32,
  Virtual86,
  count
};

/// A world that can be put back into a known state without losing what its engines have translated.
class SoakWorld : public World {
 public:
  explicit SoakWorld(cpu::Gear gear) : World{gear} {
    put(handlers, {0xf4});
    put(handlers + 0x40, {0x48, 0xcf});  // iretq
  }

  void prepare(SoakMode mode, uint64_t seed) {
    support::Prng random{seed, "stream"};
    vp.contexts[vtl::Vtl::Vtl0] = {};
    vp.shared = {};
    processor->withdraw_interrupt(vp);
    sink.events.clear();
    bus.log.clear();
    bus.values.clear();
    reset_registers();
    restore_tables();
    invalidate();
    processor->restore({.random = support::Prng{1, "cpu.rdrand"}});
    const bool user = mode == SoakMode::LongUser64 || mode == SoakMode::ProtectedUser32 ||
                      mode == SoakMode::CompatibilityUser32;
    const bool low = mode == SoakMode::Real16 || mode == SoakMode::Virtual86;
    const uint64_t code = user ? uint64_t{user_code} : low ? uint64_t{0x20000} : uint64_t{kernel_code};
    place_code(random, code);
    fill_registers(random);
    enter(mode, code, random);
    if (random.one_in(3)) processor->offer_interrupt(vp, 0x31);
  }

 private:
  void restore_tables() {
    build_tables();
    for (unsigned vector = 0; vector < 256; ++vector) {
      const uint64_t handler = vector == 0x31 ? handlers + 0x40 : handlers;
      const uint64_t low = (handler & 0xffff) | uint64_t{kernel_cs} << 16 |
                           uint64_t{vector % 3 == 0 ? 3u : 0u} << 45 | uint64_t{0x8e} << 40 |
                           (handler >> 16 & 0xffff) << 48;
      restore<uint64_t>(idt + vector * 16, low);
      restore<uint64_t>(idt + vector * 16 + 8, 0);
    }
    restore<uint8_t>(handlers, 0xf4);
    restore<uint16_t>(handlers + 0x40, 0xcf48);
  }

  void place_code(support::Prng& random, uint64_t code) {
    start_ = code + random.below(4) * 0x1000 +
             (random.one_in(4) ? 0xff0 - random.below(32) : random.below(0xf00));
    uint8_t bytes[112];
    random.fill(bytes);
    for (size_t at = 0; at + 16 < sizeof bytes;)
      at += random.one_in(3) ? 1 + random.below(6) : ordinary(random, bytes + at);
    put(start_, bytes);
  }

  /// An instruction that usually executes: flags, memory, stack, strings, branches.
  static size_t ordinary(support::Prng& random, uint8_t* to) {
    static constexpr uint8_t one_byte[] = {0x01, 0x03, 0x09, 0x11, 0x19, 0x21, 0x29, 0x2b,
                                           0x31, 0x33, 0x39, 0x3b, 0x85, 0x87, 0x88, 0x89,
                                           0x8a, 0x8b, 0xd1, 0xd3, 0xf7, 0xff, 0x63, 0x8d};
    static constexpr uint8_t two_byte[] = {0xa3, 0xab, 0xb3, 0xbb, 0xaf, 0xb1, 0xc1, 0xb6, 0xbe,
                                           0x40, 0x4c, 0x90, 0x9c, 0xa5, 0xad, 0xbc, 0xbd, 0x10,
                                           0x11, 0x28, 0x58, 0x59, 0x6f, 0x7e, 0xef, 0xfe};
    static constexpr uint8_t alone[] = {0x9c, 0x9d, 0x50, 0x58, 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xae,
                                        0xa6, 0xf5, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0x9e, 0x9f,
                                        0x99, 0x90, 0xec, 0xee, 0x6c, 0x6e, 0xcc, 0xf1};
    size_t n = 0;
    if (random.one_in(8)) to[n++] = 0x66;
    if (random.one_in(8)) to[n++] = random.one_in(2) ? 0xf3 : 0xf2;
    if (random.one_in(16)) to[n++] = 0xf0;
    if (random.one_in(2)) to[n++] = static_cast<uint8_t>(0x40 + random.below(16));
    const auto modrm =
        static_cast<uint8_t>(random.one_in(2) ? 0xc0 + random.below(64) : random.below(64));
    switch (random.below(6)) {
      case 0:
      case 1:
        to[n++] = one_byte[random.below(std::size(one_byte))];
        to[n++] = modrm;
        return n;
      case 2:
      case 3:
        to[n++] = 0x0f;
        to[n++] = two_byte[random.below(std::size(two_byte))];
        to[n++] = modrm;
        return n;
      case 4:
        to[n++] = alone[random.below(std::size(alone))];
        return n;
      default:
        to[n++] = static_cast<uint8_t>(0x70 + random.below(16));
        to[n++] = static_cast<uint8_t>(random.below(9));
        return n;
    }
  }

  void fill_registers(support::Prng& random) {
    for (uint64_t& value : vp.shared.gpr) {
      const uint64_t base = random.one_in(8)   ? start_ & ~uint64_t{0xfff}
                            : random.one_in(3) ? kernel_data
                                               : user_data;
      value = random.one_in(4) ? random.next() : base + random.below(0x4000);
    }
    vp.shared.gpr[vtl::Rsp] = 0;
    if (random.one_in(2)) vp.shared.gpr[vtl::Rcx] = random.below(9);
    for (vtl::Xmm& xmm : vp.shared.fp.xmm)
      xmm = {random.next(), random.next()};
    for (vtl::Xmm& st : vp.shared.fp.st)
      st = {random.next(), random.next() & 0xffff};
    vp.shared.fp.tag = static_cast<uint8_t>(random.next());
    context().rflags =
        2 | (random.next() & (x64::rflags::arithmetic | x64::rflags::df | x64::rflags::if_));
    if (random.one_in(20)) context().rflags |= x64::rflags::tf;
    if (random.one_in(5)) arm_breakpoints(random);
    if (random.one_in(4)) context().cr4 |= x64::cr4::smap;
    if (random.one_in(4)) context().cr4 |= x64::cr4::fsgsbase;
  }

  void arm_breakpoints(support::Prng& random) {
    for (uint64_t& address : vp.shared.dr) {
      const uint64_t base = random.one_in(2) ? start_ : random.one_in(2) ? kernel_data : user_data;
      address = base + random.below(random.one_in(2) ? 64 : 0x4000);
    }
    context().dr7 = 0x400 | (random.next() & 0xffff00ff);
    if (random.one_in(2)) context().cr4 |= x64::cr4::de;
  }

  void enter(SoakMode mode, uint64_t code, support::Prng& random) {
    vtl::VtlContext& c = context();
    c.rip = start_;
    c.rsp = kernel_stack - random.below(64);
    switch (mode) {
      case SoakMode::Real16:
        c.cr0 = 0x10;
        c.efer = 0;
        c.segments.fill({0x24000, 0xffff, 0x2400, 0x93});
        c.segments[vtl::Cs] = {code, 0xffff, static_cast<uint16_t>(code >> 4), 0x9b};
        c.segments[vtl::Ss] = {0x30000, 0xffff, 0x3000, 0x93};
        c.rip = start_ - code;
        c.rsp &= 0xffff;
        break;
      case SoakMode::Protected32:
        c.cr0 = 0x11;
        c.efer = 0;
        c.segments.fill({0, ~0u, kernel_ss, 0xc093});
        c.segments[vtl::Cs] = {0, ~0u, kernel_cs, 0xc09b};
        break;
      case SoakMode::Compatibility32:
        c.segments[vtl::Cs] = {0, ~0u, kernel_cs, 0xc09b};
        break;
      case SoakMode::LongUser64:
        enter_user_mode(start_, user_stack - random.below(64));
        break;
      case SoakMode::Paged32:
      case SoakMode::Pae32:
      case SoakMode::ProtectedUser32:
      case SoakMode::Virtual86:
        enter_32_bits(mode, code);
        break;
      case SoakMode::CompatibilityUser32:
        enter_user_mode(start_, user_stack - random.below(64));
        c.segments[vtl::Cs] = {0, ~0u, 0x1b, 0xc0fb};
        break;
      default:
        break;
    }
  }

  /// Protected mode with 32-bit gates and TSS; paged in the modes that say so.
  void enter_32_bits(SoakMode mode, uint64_t code) {
    vtl::VtlContext& c = context();
    c.cr0 = 0x10011;
    c.cr4 = c.efer = 0;
    c.segments.fill({0, ~0u, kernel_ss, 0xc093});
    c.segments[vtl::Cs] = {0, ~0u, 0x38, 0xc09b};
    restore<uint64_t>(gdt + 0x38, 0x00cf9b000000ffff);
    restore<uint64_t>(tss + 4, kernel_stack | uint64_t{kernel_ss} << 32);
    for (unsigned vector = 0; vector < 256; ++vector) {
      const uint64_t handler = vector == 0x31 ? handlers + 0x41 : handlers;  // IRET without REX
      restore<uint64_t>(idt + vector * 8, (handler & 0xffff) | uint64_t{0x38} << 16 | uint64_t{0x8e} << 40 |
                                              uint64_t{vector % 3 == 0 ? 3u : 0u} << 45);
    }
    const bool pae = mode == SoakMode::Pae32;
    if (mode == SoakMode::Paged32 || pae) {
      const uint64_t directory = 0x1e000;
      for (unsigned i = 0; i < 512; ++i)
        restore<uint64_t>(directory + 8 * i, 0);
      for (uint32_t i = 0; i < (pae ? 4u : 2u); ++i) {
        if (pae)
          restore<uint64_t>(directory + 8 * i, i << 21 | 0x87);
        else
          restore<uint32_t>(directory + 4 * i, i << 22 | 0x87);
      }
      c.pdpte = {directory | 1, 0, directory | 1, 0};
      c.cr3 = directory;
      c.cr4 = pae ? x64::cr4::pae : x64::cr4::pse;
      c.cr0 |= x64::cr0::pg;
    }
    if (mode == SoakMode::ProtectedUser32) {
      c.segments.fill({0, ~0u, user_ss, 0xc0f3});
      c.segments[vtl::Cs] = {0, ~0u, 0x1b, 0xc0fb};
    }
    if (mode == SoakMode::Virtual86) {
      c.segments.fill({0x24000, 0xffff, 0x2400, 0xf3});
      c.segments[vtl::Cs] = {code, 0xffff, static_cast<uint16_t>(code >> 4), 0xf3};
      c.rip = start_ - code;
      c.rsp &= 0xffff;
      c.rflags |= x64::rflags::vm | ((start_ & 1) != 0 ? x64::rflags::iopl : 0);
    }
  }
  uint64_t start_{};
};

/// Why two gears differ; empty if they do not. One pair of worlds serves many streams.
class Soak {
 public:
  std::string run(SoakMode mode, uint64_t seed) {
    support::Prng random{seed, "stops"};
    exact_.prepare(mode, seed);
    fast_.prepare(mode, seed);
    for (unsigned stop = 0; stop < 4; ++stop) {
      const uint64_t until = exact_.now.ticks + 1 + random.below(16);
      vtl::Exit last[2];
      const bool more = drive(exact_, until, &last[0]);
      const bool more_fast = drive(fast_, until, &last[1]);
      if (more != more_fast || last[0].reason != last[1].reason || exact_.state() != fast_.state())
        return describe(mode, seed, stop, last);
      if (!more) break;
    }
    instructions += exact_.now.ticks - counted_;
    counted_ = exact_.now.ticks;
    return {};
  }
  uint64_t instructions{};

 private:
  std::string describe(SoakMode mode, uint64_t seed, unsigned stop, const vtl::Exit (&last)[2]) {
    std::string text = "mode " + std::to_string(static_cast<int>(mode)) + " seed " +
                       std::to_string(seed) + " stop " + std::to_string(stop);
    const World* worlds[] = {&exact_, &fast_};
    for (unsigned i = 0; i < 2; ++i) {
      const World& w = *worlds[i];
      char line[200];
      std::snprintf(line, sizeof line,
                    "\n  %s: exit %d rip %llx flags %llx rcx %llx instant %llu misses %llu",
                    i == 0 ? "exact" : "fast ", static_cast<int>(last[i].reason),
                    static_cast<unsigned long long>(w.vp.context().rip),
                    static_cast<unsigned long long>(w.vp.context().rflags),
                    static_cast<unsigned long long>(w.vp.shared.gpr[vtl::Rcx]),
                    static_cast<unsigned long long>(w.now.ticks),
                    static_cast<unsigned long long>(w.translator.misses()));
      text += line;
    }
    return text;
  }
  SoakWorld exact_{cpu::Gear::Exact}, fast_{cpu::Gear::Fast};
  uint64_t counted_{};
};

}  // namespace cpu_test
