// When several things could happen at once: SDM vol. 3, table 6-2 and 6.15, class by class.
#include "sim/cpu/exceptions.h"
#include "tests/unit/cpu/drive.h"

using namespace cpu_test;

namespace {

cpu::Gear any_gear() {
  return GENERATE(cpu::Gear::Exact, cpu::Gear::Fast);
}

constexpr uint64_t absent = 0x150000;           // no page
constexpr uint64_t crooked = 0x0000900000000000;  // not canonical

/// At kernel_code + 1, behind a NOP. All exceptions are intercepted; the others stop in their handlers.
struct PriorityWorld : World {
  explicit PriorityWorld(cpu::Gear gear) : World{gear} {
    map(absent, 0, 0);
    put(kernel_code, {0x90});
    put(handlers, {0xf4});
    put(handlers + 0x40, {0xf4});
    gate(2, handlers);
    gate(0x40, handlers + 0x40);
    context().interceptions.exceptions = ~0u;
    gpr(vtl::Rbx) = absent;
    gpr(vtl::Rcx) = 0;
    gpr(vtl::Rdx) = 0;
    gpr(vtl::Rsi) = crooked;
  }
  void code(std::initializer_list<uint8_t> bytes) { put(kernel_code + 1, bytes); }
  void break_at_code() {
    vp.shared.dr[0] = kernel_code + 1;
    context().dr7 |= 1;
  }
  void break_on_data(uint64_t address) {
    vp.shared.dr[1] = address;
    context().dr7 |= 4 | 3u << 20;
  }
  /// The page of the second instruction is not there.
  void unfetchable() {
    context().rip = kernel_code + 0xfff;
    put(kernel_code + 0xfff, {0x90});
    map(kernel_code + 0x1000, 0, 0);
  }
};

struct Case {
  const char* what;
  void (*prepare)(PriorityWorld&);
  int vector;  ///< of the exception that comes first
};

}  // namespace

TEST_CASE("of several exceptions the one with the highest priority comes") {
  const auto gear = any_gear();
  const Case tried = GENERATE(
      Case{"a code breakpoint before a fetch fault",
           [](PriorityWorld& w) { w.unfetchable(); w.vp.shared.dr[0] = kernel_code + 0x1000; w.context().dr7 |= 1; }, 1},
      Case{"a code breakpoint before an undefined instruction",
           [](PriorityWorld& w) { w.code({0x0f, 0x0b}); w.break_at_code(); }, 1},
      Case{"a fetch fault before an undefined instruction that begins before it",
           [](PriorityWorld& w) {
             w.context().rip = kernel_code + 0xffe;
             w.put(kernel_code + 0xffe, {0x90, 0x0f});
             w.map(kernel_code + 0x1000, 0, 0);
           },
           14},
      Case{"a length over 15 bytes is #GP, whatever the instruction",
           [](PriorityWorld& w) {
             w.code({0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x8b,
                     0x03});
           },
           13},
      Case{"LOCK where none may be before the operand's page", [](PriorityWorld& w) { w.code({0xf0, 0x8b, 0x03}); }, 6},
      Case{"#NM before the operand's page",
           [](PriorityWorld& w) { w.context().cr0 |= x64::cr0::ts; w.code({0xd9, 0x03}); }, 7},
      Case{"#UD of EM before #NM of TS",
           [](PriorityWorld& w) { w.context().cr0 |= x64::cr0::ts | x64::cr0::em; w.code({0x0f, 0x58, 0xc0}); }, 6},
      Case{"#UD without OSFXSR before #NM",
           [](PriorityWorld& w) {
             w.context().cr0 |= x64::cr0::ts;
             w.context().cr4 &= ~x64::cr4::osfxsr;
             w.code({0x0f, 0x58, 0xc0});
           },
           6},
      Case{"the privilege of LGDT before its operand",
           [](PriorityWorld& w) {
             w.put(user_code, {0x0f, 0x01, 0x13});
             w.enter_user_mode();
           },
           13},
      Case{"the privilege of MOV CR8 before its value",
           [](PriorityWorld& w) {
             w.put(user_code, {0x44, 0x0f, 0x22, 0xc0});
             w.enter_user_mode();
           },
           13},
      Case{"an undefined control register before its privilege",
           [](PriorityWorld& w) {
             w.put(user_code, {0x0f, 0x20, 0xc8});
             w.enter_user_mode();
           },
           6},
      Case{"#GP of an address before #PF of the other operand",
           [](PriorityWorld& w) { w.gpr(vtl::Rdi) = absent; w.code({0x48, 0xa5}); }, 13},
      Case{"#SS of a stack address", [](PriorityWorld& w) { w.context().rsp = crooked; w.code({0x50}); }, 12},
      Case{"the operand's page before #DE", [](PriorityWorld& w) { w.code({0xf7, 0x33}); }, 14},
      Case{"#DE", [](PriorityWorld& w) { w.code({0xf7, 0xf1}); }, 0},
      Case{"a page fault before the data breakpoint in that page",
           [](PriorityWorld& w) { w.break_on_data(absent); w.code({0x8b, 0x03}); }, 14},
      Case{"the fault of the second operand before the data breakpoint of the first",
           [](PriorityWorld& w) {
             w.gpr(vtl::Rsi) = kernel_data;
             w.gpr(vtl::Rdi) = absent;
             w.break_on_data(kernel_data);
             w.code({0xa4});
           },
           14},
      Case{"#DB of general detect before the privilege of nothing else",
           [](PriorityWorld& w) { w.context().dr7 |= x64::dr7::gd; w.code({0x0f, 0x21, 0xc0}); }, 1},
      Case{"the privilege of MOV DR before general detect",
           [](PriorityWorld& w) {
             w.context().dr7 |= x64::dr7::gd;
             w.put(user_code, {0x0f, 0x21, 0xc0});
             w.enter_user_mode();
           },
           13});
  CAPTURE(tried.what);
  PriorityWorld world{gear};
  tried.prepare(world);
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(int{exit.exception.vector} == tried.vector);
}

TEST_CASE("between two instructions: the trap of the first, NMI, interrupt, breakpoint of the second") {
  PriorityWorld world{any_gear()};
  world.code({0x90});
  world.context().rflags |= x64::rflags::tf | x64::rflags::if_;
  world.context().interceptions.exceptions = 0;
  world.put(handlers + 0x80, {0xf4});
  world.gate(1, handlers + 0x80);
  world.break_at_code();
  // TF's trap comes although NMI and interrupt wait: they do so from before the first instruction.
  world.context().nmi_masked = true;
  EXPECT(world.run(1).reason == vtl::ExitReason::Deadline);
  EXPECT(world.context().rip == handlers + 0x80);
  EXPECT((world.vp.shared.dr6 & 0xe00f) == x64::dr6::bs);

  world.context().rip = kernel_code + 1;
  world.context().rflags = 2 | x64::rflags::if_;
  world.context().nmi_masked = false;
  world.context().nmi_pending = true;
  world.processor->offer_interrupt(world.vp, 0x40);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.context().rip == handlers);  // NMI

  world.context().rip = kernel_code + 1;
  world.context().rflags = 2 | x64::rflags::if_;
  EXPECT(world.run().reason == vtl::ExitReason::InterruptAccepted);
  EXPECT(world.context().rip == handlers + 0x40);

  world.context().rip = kernel_code + 1;
  world.context().rflags = 2 | x64::rflags::if_;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.context().rip == handlers + 0x80);
  EXPECT((world.vp.shared.dr6 & 0xf) == 1);
}

TEST_CASE("which pairs of exceptions make a double fault") {
  constexpr uint8_t contributory[] = {0, 10, 11, 12, 13, 21}, benign[] = {1, 2, 3, 4, 5, 6, 7, 9, 16, 17, 18, 19};
  for (const uint8_t first : contributory) {
    for (const uint8_t second : contributory)
      EXPECT(cpu::makes_double_fault(first, second));
    EXPECT(!cpu::makes_double_fault(first, 14));
    EXPECT(cpu::makes_double_fault(14, first));
  }
  EXPECT(cpu::makes_double_fault(14, 14));
  for (const uint8_t first : benign) {
    for (uint8_t second = 0; second < 22; ++second)
      EXPECT(!cpu::makes_double_fault(first, second));
    EXPECT(!cpu::makes_double_fault(14, first));
    EXPECT(!cpu::makes_double_fault(13, first));
  }
}

TEST_CASE("delivery itself: the second exception, the double fault, the shutdown") {
  const auto gear = any_gear();
  struct Pair {
    std::vector<uint8_t> code;
    unsigned first;
    int arrives;
  };
  // The gate of the first exception is not present: #NP.
  const Pair tried = GENERATE(Pair{{0x0f, 0x0b}, 6, 11}, Pair{{0xf7, 0xf1}, 0, 8}, Pair{{0x8b, 0x03}, 14, 8});
  World world{gear};
  world.put(kernel_code, tried.code);
  world.gpr(vtl::Rbx) = absent;
  world.gpr(vtl::Rcx) = 0;
  world.map(absent, 0, 0);
  world.gate(tried.first, handlers);
  world.poke<uint8_t>(idt + tried.first * 16 + 5, 0x0e);
  world.context().interceptions.exceptions = 1u << 8 | 1u << 11;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(int{exit.exception.vector} == tried.arrives);
  EXPECT(exit.exception.error_code == (tried.arrives == 8 ? 0 : tried.first * 8 + 3));
}
