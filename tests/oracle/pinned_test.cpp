// What Airlock's instruction engine is known to do otherwise than a processor, one case each, as it is today. If one of
// these fails because the engine got better: remove it here, in instruction_filters.cpp or known.cpp, and in
// docs/engine-differences.md.
#include <fmt/ranges.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <sstream>

#include "tests/oracle/arena_places.h"
#include "tests/oracle/comparison.h"

using namespace oracle;
using namespace cpu_test;

namespace {

using Bytes = std::vector<uint8_t>;

/// How it ended: the vector of the handler (13 behind the program: HLT of CPL 3), and where.
struct Outcome {
  unsigned vector = 0;
  uint64_t rip = 0, error = 0, flags = 0;
};

struct Pin {
  const char* name;
  Bytes code;
  std::function<void(Arena&)> set_up;
  std::function<bool(Arena&, const Outcome&)> today;
};

constexpr uint64_t data = user_data, readable_end = user_data + 0x5000;  // page 5 is absent

vtl::FloatingPoint& fp(Arena& arena) {
  return arena.vp.shared.fp;
}
uint64_t rip_of_end(const Arena& arena, const Bytes& code) {
  return arena.start() + code.size();
}
void nothing(Arena&) {}

const Pin pins[] = {
    {"mxcsr-flags",
     {0xf3, 0x0f, 0x5e, 0xc1},  // divss xmm0, xmm1: 1 / 3
     [](Arena& a) {
       fp(a).xmm[0].low = 0x3f800000;
       fp(a).xmm[1].low = 0x40400000;
       fp(a).mxcsr = 0x1f80;
     },
     [](Arena& a, const Outcome&) { return fp(a).mxcsr == 0x1f80; }},
    {"fsw-flags",
     {0xd9, 0xe8, 0xd8, 0x33},  // fld1; fdiv dword [rbx]: 1 / 3
     [](Arena& a) {
       a.poke(data, uint32_t{0x40400000});
       fp(a).tag = 0;
       fp(a).control = 0x37f;
     },
     [](Arena& a, const Outcome&) { return (fp(a).status & 0x20) == 0; }},
    {"x87-stack-fault",
     {0xd9, 0xe8},  // fld1 onto a full stack
     [](Arena& a) { fp(a).tag = 0xff; },
     [](Arena& a, const Outcome&) {
       return (fp(a).status & 0x41) == 0 && fp(a).st[0].high == 0x3fff;
     }},
    {"x87-tags",
     {0xdd, 0xd4},  // fst st(4)
     [](Arena& a) { fp(a).tag = 0x01; },
     [](Arena& a, const Outcome&) { return (fp(a).tag & 0x10) == 0; }},
    {"mmx-exponent",
     {0x0f, 0xfc, 0xc1},  // paddb mm0, mm1
     [](Arena& a) {
       fp(a).st[0] = {1, 0x1234};
       fp(a).tag = 0;
     },
     [](Arena& a, const Outcome&) { return fp(a).st[0].high == 0x1234; }},
    {"sse-alignment",
     {0x0f, 0x28, 0x03},  // movaps xmm0, [rbx]
     [](Arena& a) { a.gpr(vtl::Rbx) = data + 1; },
     [](Arena& a, const Outcome& o) { return o.rip == a.start() + 3; }},
    {"sse-partial-load",
     {0x0f, 0x10, 0x03},  // movups xmm0, [rbx], its second half absent
     [](Arena& a) {
       a.gpr(vtl::Rbx) = readable_end - 8;
       a.poke(readable_end - 8, uint64_t{0x77});
       fp(a).xmm[0].low = 1;
     },
     [](Arena& a, const Outcome& o) { return o.vector == 14 && fp(a).xmm[0].low == 0x77; }},
    {"sse-partial-store",
     {0x0f, 0x11, 0x03},  // movups [rbx], xmm0
     [](Arena& a) {
       a.gpr(vtl::Rbx) = readable_end - 8;
       a.poke(readable_end - 8, uint64_t{0});
       fp(a).xmm[0].low = 0x77;
     },
     [](Arena& a, const Outcome& o) { return o.vector == 14 && a.peek(readable_end - 8) == 0x77; }},
    {"fcomi-flags",
     {0xd9, 0xe8, 0xdb, 0xf0},  // fld1; fcomi st(0)
     [](Arena& a) { a.context().rflags |= x64::rflags::of; },
     [](Arena&, const Outcome& o) { return (o.flags & x64::rflags::of) != 0; }},
    {"near-noncanonical",
     {0xff, 0xe3},  // jmp rbx
     [](Arena& a) { a.gpr(vtl::Rbx) = uint64_t{1} << 50; },
     [](Arena&, const Outcome& o) { return o.vector == 13 && o.rip == uint64_t{1} << 50; }},
    {"repeated-compare-flags",
     {0xf2, 0xae},  // repne scasb, whose third byte is absent: the flags as before it (SDM vol. 2, REP)
     [](Arena& a) {
       a.poke(readable_end - 2, uint16_t{0});
       a.gpr(vtl::Rdi) = readable_end - 2;
       a.gpr(vtl::Rax) = 1;
       a.gpr(vtl::Rcx) = 5;
       a.context().rflags &= ~uint64_t{x64::rflags::arithmetic | x64::rflags::df};
       a.context().rflags |= x64::rflags::of;
     },
     [](Arena& a, const Outcome& o) {
       return o.vector == 14 && o.rip == a.start() && a.gpr(vtl::Rcx) == 3 && (o.flags & x64::rflags::of) == 0;
     }},
    {"test-alias",
     {0xf7, 0xcb, 1, 0, 0, 0},  // the second encoding of TEST
     nothing,
     [](Arena&, const Outcome& o) { return o.vector == 6; }},
    {"ret-imm16-signed",
     {0xc2, 0x00, 0x80},  // ret 0x8000
     [](Arena& a) { a.poke(a.context().rsp, a.start() + 3); },
     [](Arena& a, const Outcome&) {
       return a.peek(kernel_stack - 16) < user_stack - 0x4000;  // the RSP that was pushed
     }},
    {"enter-66",
     {0x66, 0xc8, 0, 0, 0},  // enter with 66 changes all of RBP
     [](Arena& a) { a.gpr(vtl::Rbp) = 0x1234567800000000; },
     [](Arena& a, const Outcome&) { return a.gpr(vtl::Rbp) >> 32 != 0x12345678; }},
    {"ldmxcsr-reserved",
     {0x0f, 0xae, 0x13},  // ldmxcsr [rbx]
     [](Arena& a) { a.poke(data, uint32_t{0x80001f80}); },
     [](Arena& a, const Outcome& o) { return o.rip == a.start() + 3; }},
    {"fxrstor-reserved",
     {0x0f, 0xae, 0x0b},  // fxrstor [rbx]
     [](Arena& a) {
       a.poke(data, uint64_t{0x37f});
       a.poke(data + 24, uint64_t{0xffff} << 32 | 0x80001f80);
     },
     [](Arena& a, const Outcome& o) { return o.rip == a.start() + 3; }},
    {"cmpps-imm8",
     {0x0f, 0xc2, 0xc1, 0x08},  // cmpps xmm0, xmm1, 8: bits 7:3 are ignored
     nothing,
     [](Arena&, const Outcome& o) { return o.vector == 6; }},
    {"fisttp-overflow",
     {0xdd, 0x0b},  // fisttp qword [rbx] of infinity
     [](Arena& a) {
       fp(a).st[0] = {uint64_t{1} << 63, 0x7fff};
       fp(a).tag = 0xff;
     },
     [](Arena& a, const Outcome&) { return a.peek(data) == 0x7fffffffffffffff; }},
    {"fldcw-reserved",
     {0xd9, 0x2b},  // fldcw [rbx]: bit 6 is always one, bits 15:13 are zero
     [](Arena& a) { a.poke(data, uint16_t{0xe33f}); },
     [](Arena& a, const Outcome&) { return fp(a).control == 0xe33f; }},
    {"x87-constants",
     {0xd9, 0xed},  // fldln2, rounding down
     [](Arena& a) {
       fp(a).control = 0x77f;
       fp(a).tag = 0;
     },
     [](Arena& a, const Outcome&) { return fp(a).st[0].low == 0xb17217f7d1cf79ac; }},
};

Outcome outcome_of(Arena& arena) {
  const vtl::VtlContext& c = arena.context();
  Outcome outcome;
  if (c.rip < handlers || c.rip >= handlers + 0x1000) return outcome;
  outcome.vector = static_cast<unsigned>((c.rip - handlers) / 16);
  const bool error = outcome.vector == 8 || (outcome.vector >= 10 && outcome.vector <= 14);
  const uint64_t frame = c.rsp + (error ? 8 : 0);
  outcome.rip = arena.peek(frame);
  outcome.flags = arena.peek(frame + 16);
  if (error) outcome.error = arena.peek(c.rsp);
  return outcome;
}

Outcome run(Arena& arena, const Bytes& code, const std::function<void(Arena&)>& set_up) {
  Program program{Mode::User64, {}};
  Op op;
  std::copy(code.begin(), code.end(), op.bytes.begin());
  op.length = static_cast<uint8_t>(code.size());
  program.ops.push_back(op);
  // The start depends on the seed: one that leaves the program in the middle of its page.
  arena.prepare(Mode::User64, 2, program);
  arena.vp.shared.gpr[vtl::Rbx] = data;
  arena.vp.shared.fp.control = 0x37f;
  arena.vp.shared.fp.status = 0;
  set_up(arena);
  REQUIRE(arena.run(100) == Ending::Halt);
  return outcome_of(arena);
}

}  // namespace

TEST_CASE("what the engine does otherwise than a processor is as it is listed") {
  for (const cpu::Gear gear : {cpu::Gear::Exact, cpu::Gear::Fast}) {
    Arena arena{gear};
    for (const Pin& pin : pins) {
      const Outcome outcome = run(arena, pin.code, pin.set_up);
      INFO(pin.name << ": vector " << outcome.vector << ", RIP " << outcome.rip << ", flags "
                    << outcome.flags);
      EXPECT(pin.today(arena, outcome));
    }
  }
}

TEST_CASE("each difference that is pinned is described in the documents") {
  std::ifstream file{std::string{AIRLOCK_SOURCE_DIR} + "/docs/engine-differences.md"};
  REQUIRE(file.good());
  std::stringstream text;
  text << file.rdbuf();
  for (const Pin& pin : pins) {
    INFO(pin.name);
    EXPECT(text.str().find("`" + std::string{pin.name} + "`") != std::string::npos);
  }
}

TEST_CASE("limits of segments are not checked (segment-limits)") {
  for (const cpu::Gear gear : {cpu::Gear::Exact, cpu::Gear::Fast}) {
    Arena arena{gear};
    Program program{Mode::Real16, {}};
    Op op;
    op.bytes = {0x67, 0x8b, 0x03};  // mov ax, [ebx], in real mode beyond 64 KiB: #GP on a processor
    op.length = 3;
    program.ops.push_back(op);
    arena.prepare(Mode::Real16, 2, program);
    arena.vp.shared.gpr[vtl::Rbx] = 0x12340;
    REQUIRE(arena.run(100) == Ending::Halt);
    EXPECT(arena.context().segments[vtl::Cs].base == real_code);
    EXPECT((arena.gpr(vtl::Rax) & 0xffff) == arena.peek<uint16_t>(real_data + 0x12340));
  }
}

TEST_CASE("what the engine would do otherwise and is corrected") {
  constexpr uint64_t all = x64::rflags::arithmetic;
  struct Correct {
    const char* name;
    Bytes code;
    std::function<void(Arena&)> set_up;
    std::function<bool(Arena&, const Outcome&)> right;
  };
  const auto add_ones = [](Arena& a) { fp(a).xmm[0] = {uint64_t{3} << 32 | 5, uint64_t{11} << 32 | 7}; };
  const auto with_flags = [](uint64_t flags) { return [flags](Arena& a) { a.context().rflags = 0x202 | flags, a.gpr(vtl::Rax) = 0x7711; }; };
  const Correct rows[] = {
      {"lahf with REX", {0x48, 0x9f}, with_flags(C | Z), [](Arena& a, const Outcome&) { return a.gpr(vtl::Rax) == 0x4311; }},
      {"sahf with REX", {0x41, 0x9e}, with_flags(O), [](Arena&, const Outcome& o) { return (o.flags & all) == (O | Z | A | P | C); }},
      {"lock neg word [rbx]", {0xf0, 0x66, 0xf7, 0x1b}, [](Arena& a) { a.poke(data, uint16_t{0x8002}); },
       [](Arena& a, const Outcome& o) { return a.peek<uint16_t>(data) == 0x7ffe && (o.flags & all) == (C | A); }},
      {"lock neg byte [rbx] of the least", {0xf0, 0xf6, 0x1b}, [](Arena& a) { a.poke(data, uint8_t{0x80}); },
       [](Arena& a, const Outcome& o) { return a.peek<uint8_t>(data) == 0x80 && (o.flags & all) == (C | S | O); }},
      {"shld [rip + 100h], eax, 4", {0x0f, 0xa4, 0x05, 0x00, 0x01, 0, 0, 0x04},
       [](Arena& a) { a.gpr(vtl::Rax) = 0xa0000000, a.poke(a.start() + 8 + 0x100, uint32_t{0x11111111}); },
       [](Arena& a, const Outcome& o) { return a.peek<uint32_t>(a.start() + 0x108) == 0x1111111a && (o.flags & (C | Z | S)) == C; }},
      {"shrd [rip + 100h], rax, 1", {0x48, 0x0f, 0xac, 0x05, 0x00, 0x01, 0, 0, 0x01},
       [](Arena& a) { a.gpr(vtl::Rax) = 1, a.poke(a.start() + 9 + 0x100, uint64_t{2}); },
       [](Arena& a, const Outcome& o) { return a.peek(a.start() + 0x109) == (uint64_t{1} << 63 | 1) && (o.flags & all) == (S | O); }},
      {"clflush of an absent page", {0x0f, 0xae, 0x3b}, [](Arena& a) { a.gpr(vtl::Rbx) = readable_end; },
       [](Arena& a, const Outcome& o) { return o.vector == 14 && o.error == 4 && a.vp.shared.cr2 == readable_end; }},
      {"clflush of the stack segment", {0x0f, 0xae, 0x7d, 0x00}, [](Arena& a) { a.gpr(vtl::Rbp) = uint64_t{1} << 50; },
       [](Arena&, const Outcome& o) { return o.vector == 12; }},
      {"phaddd xmm0, xmm0", {0x66, 0x0f, 0x38, 0x02, 0xc0}, add_ones,
       [](Arena& a, const Outcome&) { return fp(a).xmm[0].low == (uint64_t{18} << 32 | 8) && fp(a).xmm[0].high == fp(a).xmm[0].low; }},
      {"phsubsw xmm9, xmm9", {0x66, 0x45, 0x0f, 0x38, 0x07, 0xc9}, [](Arena& a) { fp(a).xmm[9] = {0x00017fffffff8000, 0x00057fff80000002}; },
       [](Arena& a, const Outcome&) { return fp(a).xmm[9].low == 0x7ffa7fff7ffe8001 && fp(a).xmm[9].high == fp(a).xmm[9].low; }},
      {"pcmpestri xmm1, xmm2 with the least length", {0x66, 0x0f, 0x3a, 0x61, 0xca, 0x00},
       [](Arena& a) { a.gpr(vtl::Rax) = 0x80000000, a.gpr(vtl::Rdx) = 2, fp(a).xmm[1] = {0x11, 0}, fp(a).xmm[2] = {0x1122, 0}; },
       [](Arena& a, const Outcome& o) { return a.gpr(vtl::Rcx) == 1 && (o.flags & all) == (C | Z); }},
      {"pcmpestrm xmm1, xmm2 with lengths of 64 bits", {0x66, 0x48, 0x0f, 0x3a, 0x60, 0xca, 0x49},
       [](Arena& a) { a.gpr(vtl::Rax) = uint64_t{1} << 63, a.gpr(vtl::Rdx) = ~uint64_t{2}, fp(a).xmm[1] = fp(a).xmm[2] = {1, 2}; },
       [](Arena& a, const Outcome& o) { return fp(a).xmm[0].low == 0xffffffffffff && fp(a).xmm[0].high == 0 && (o.flags & all) == (C | Z | O); }},
      {"C7 /7, which without RTM does not exist", {0xc7, 0xfb, 1, 0, 0, 0}, nothing, [](Arena& a, const Outcome& o) { return o.vector == 6 && o.rip == a.start(); }},
      {"FF /7", {0xff, 0x3b}, nothing, [](Arena&, const Outcome& o) { return o.vector == 6; }},
      {"66 0F 16 of a register", {0x66, 0x0f, 0x16, 0xc1}, nothing, [](Arena&, const Outcome& o) { return o.vector == 6; }},
  };
  for (const cpu::Gear gear : {cpu::Gear::Exact, cpu::Gear::Fast}) {
    Arena arena{gear};
    for (const Correct& row : rows) {
      const Outcome outcome = run(arena, row.code, row.set_up);
      INFO(row.name << ": vector " << outcome.vector << ", RIP " << outcome.rip << ", flags " << std::hex << outcome.flags);
      EXPECT(row.right(arena, outcome));
    }
  }
}

TEST_CASE("instructions that CPUID does not offer are undefined, whatever the engine has") {
  const Bytes codes[] = {
      {0x66, 0x0f, 0x79, 0xc1},        // extrq xmm0, xmm1
      {0x66, 0x0f, 0x78, 0xc0, 1, 2},  // extrq xmm0, 1, 2
      {0xf2, 0x0f, 0x79, 0xc1},        // insertq xmm0, xmm1
      {0xf2, 0x0f, 0x78, 0xc1, 1, 2},
      {0xf3, 0x0f, 0x2b, 0x03},              // movntss [rbx], xmm0
      {0xf2, 0x0f, 0x2b, 0x03},              // movntsd
      {0xc5, 0xf0, 0x58, 0xc1},              // vaddps xmm0, xmm1, xmm1
      {0xc5, 0xf8, 0x77},                    // vzeroupper
      {0xc5, 0xf8, 0x28, 0x03},              // vmovaps xmm0, [rbx]
      {0xc4, 0xe3, 0x71, 0x61, 0xc1, 0x00},  // vpcmpestri
      {0xc4, 0xe2, 0x78, 0xf2, 0xc1},        // andn
      {0xc4, 0xe2, 0x71, 0x98, 0xc1},        // vfmadd132ps
      {0x0f, 0x0f, 0xc1, 0x9e},              // pfadd
      {0x0f, 0x0e},                          // femms
      {0x8f, 0xe8, 0x78, 0xc0, 0xc1, 0x01},  // vprotb
      {0x0f, 0x01, 0xfc},                    // clzero
      {0x0f, 0x01, 0xee},                    // rdpkru
      {0x66, 0x0f, 0x38, 0xf6, 0xc1},        // adcx
      {0x66, 0x0f, 0xae, 0x33},              // clwb
      {0x66, 0x0f, 0xae, 0x3b},              // clflushopt
      {0x0f, 0x3a, 0xcc, 0xc1, 0},           // sha1rnds4
  };
  for (const cpu::Gear gear : {cpu::Gear::Exact, cpu::Gear::Fast}) {
    Arena arena{gear};
    for (const Bytes& code : codes) {
      const Outcome outcome = run(arena, code, nothing);
      INFO(fmt::format("{:02x}", fmt::join(code, " ")));
      EXPECT(outcome.vector == 6);
      EXPECT(outcome.rip == arena.start());
    }
  }
}

TEST_CASE("a read-modify-write whose page is absent faults as a write") {
  Arena arena{cpu::Gear::Fast};
  const auto absent = [](Arena& a) { a.gpr(vtl::Rbx) = readable_end; };
  for (const Bytes& code :
       {Bytes{0x28, 0x13}, Bytes{0xd1, 0x23}, Bytes{0xff, 0x03}, Bytes{0x0f, 0xba, 0x2b, 0x01},
        Bytes{0x0f, 0xc1, 0x03}, Bytes{0x87, 0x03}}) {
    const Outcome outcome = run(arena, code, absent);
    EXPECT(outcome.vector == 14);
    EXPECT(outcome.error == 6);
  }
  EXPECT(run(arena, {0x38, 0x13}, absent).error == 4);  // CMP only reads
}

TEST_CASE("a base of R12 or R13 is of the data segment, RBP of the stack's") {
  Arena arena{cpu::Gear::Fast};
  const auto wild = [](Arena& a) {
    for (const auto index : {vtl::R12, vtl::R13, vtl::Rbp})
      a.vp.shared.gpr[index] = uint64_t{1} << 50;
  };
  EXPECT(run(arena, {0x41, 0x8a, 0x04, 0x24}, wild).vector == 13);  // [r12]
  EXPECT(run(arena, {0x41, 0x8a, 0x45, 0x00}, wild).vector == 13);  // [r13 + 0]
  EXPECT(run(arena, {0x8a, 0x45, 0x00}, wild).vector == 12);        // [rbp + 0]
  EXPECT(run(arena, {0xc9}, wild).vector == 12);                    // leave
}

TEST_CASE("CMPXCHG8B and CMPXCHG16B change no flag but ZF, whatever came before them") {
  for (const cpu::Gear gear : {cpu::Gear::Exact, cpu::Gear::Fast}) {
    Arena arena{gear};
    const auto zero = [](Arena& a) {
      a.poke(data, uint64_t{1});
      a.poke(data + 8, uint64_t{1});
      a.gpr(vtl::Rcx) = 0x7fffffff;
    };
    // inc ecx: OF, SF, AF, PF, not CF, not ZF
    for (const Bytes& code : {Bytes{0xf8, 0xff, 0xc1, 0x0f, 0xc7, 0x0b},
                              Bytes{0xf8, 0xff, 0xc1, 0x48, 0x0f, 0xc7, 0x0b}}) {
      const Outcome outcome = run(arena, code, zero);
      EXPECT(outcome.rip == rip_of_end(arena, code));
      EXPECT((outcome.flags & ~uint64_t{0x10600}) == (2 | O | S | A | P));
    }
  }
}

TEST_CASE("IRET in long mode never enters virtual-8086 mode") {
  for (const cpu::Gear gear : {cpu::Gear::Exact, cpu::Gear::Fast}) {
    Arena arena{gear};
    const Outcome outcome = run(arena, {0xcf}, [](Arena& a) {
      const uint64_t stack = a.context().rsp;
      a.poke(stack, static_cast<uint32_t>(a.start() + 1));
      a.poke(stack + 4, uint32_t{user_cs});
      a.poke(stack + 8, uint32_t{0x20202});
      a.poke(stack + 12, static_cast<uint32_t>(stack));
      a.poke(stack + 16, uint32_t{user_ss});
    });
    EXPECT(outcome.vector == 13);
    EXPECT(outcome.rip == arena.start() + 1);
    EXPECT((outcome.flags & x64::rflags::vm) == 0);
  }
}
