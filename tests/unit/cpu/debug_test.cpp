// Debug registers and single step (SDM vol. 3, chapter 18), in both gears.
#include "tests/unit/cpu/drive.h"

using namespace cpu_test;

namespace {

cpu::Gear any_gear() {
  return GENERATE(cpu::Gear::Exact, cpu::Gear::Fast);
}

struct Frame {
  uint64_t rip, cs, rflags, rsp, ss;
};

enum Kind : uint64_t { at_execution = 0, at_write = 1, at_port = 2, at_access = 3 };
constexpr uint64_t bs = x64::dr6::bs, bd = x64::dr6::bd, rf = x64::rflags::rf, tf = x64::rflags::tf;

/// Stops in HLT at the handler of #DB.
class DebugWorld : public World {
 public:
  explicit DebugWorld(cpu::Gear gear) : World{gear} {
    put(handlers, {0xf4});
    gate(1, handlers);
    context().dr7 = 0x400;
  }
  void breakpoint(unsigned index, Kind kind, uint64_t address, unsigned bytes = 1) {
    const uint64_t length = bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 3 : 2;
    vp.shared.dr[index] = address;
    context().dr7 |= uint64_t{2} << (2 * index) | (kind | length << 2) << (16 + 4 * index);
  }
  /// Runs until the handler; where it would return to, relative to the code.
  uint64_t trapped_at(uint64_t base = kernel_code) {
    REQUIRE(run().reason == vtl::ExitReason::Halt);
    REQUIRE(context().rip == handlers);
    return frame().rip - base;
  }
  Frame frame() { return peek<Frame>(context().rsp); }
  uint64_t dr6() const { return vp.shared.dr6 & 0xe00f; }
};

}  // namespace

TEST_CASE("an instruction breakpoint faults before its instruction, with RF in the frame") {
  DebugWorld world{any_gear()};
  world.put(kernel_code, {0x90, 0x90, 0x48, 0xff, 0xc0, 0x90});
  world.breakpoint(2, at_execution, kernel_code + 2);
  EXPECT(world.trapped_at() == 2);
  EXPECT(world.dr6() == 4);
  EXPECT((world.frame().rflags & rf) != 0);
  EXPECT(world.now.ticks == 2);
  EXPECT(world.gpr(vtl::Rax) == 0);
}

TEST_CASE("IRET with RF executes the instruction once; the next time round it is stopped at again") {
  const auto gear = any_gear();
  World world{gear};
  world.put(handlers, {0x48, 0xff, 0xc3, 0x48, 0xcf});                       // inc rbx; iretq
  world.put(kernel_code, {0x48, 0xff, 0xc0, 0x48, 0x83, 0xf8, 0x05, 0x75, 0xf7, 0xf4});  // inc rax until 5
  world.gate(1, handlers);
  world.vp.shared.dr[0] = kernel_code + 3;
  world.context().dr7 = 0x401;
  for (uint64_t stop = 1; world.context().rip != kernel_code + 9; ++stop) {
    REQUIRE(stop < 100);
    (void)world.run_until(stop);  // stops everywhere: RF must survive them
  }
  EXPECT(world.gpr(vtl::Rax) == 5);
  EXPECT(world.gpr(vtl::Rbx) == 5);
  EXPECT(world.now.ticks == 3 * 5 + 2 * 5);
}

TEST_CASE("a disabled breakpoint, and one of another VTL's DR7, do nothing") {
  DebugWorld world{any_gear()};
  world.put(kernel_code, {0x90, 0x90, 0xf4});
  world.breakpoint(0, at_execution, kernel_code + 1);
  world.context().dr7 &= ~uint64_t{0xff};
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.now.ticks == 2);
}

TEST_CASE("data breakpoints see exactly the bytes that an instruction touches") {
  const auto gear = any_gear();
  struct Case {
    const char* what;
    std::vector<uint8_t> code;
    uint64_t address;  ///< in RBX, RSI, RDI and RSP, relative to kernel_data
    Kind kind;
    uint64_t watched;
    unsigned bytes;
    bool hit;
  };
  const Case tried = GENERATE(
      Case{"store into it", {0x89, 0x03}, 0x10, at_write, 0x10, 4, true},
      Case{"store before it", {0x89, 0x03}, 0xc, at_write, 0x10, 4, false},
      Case{"store behind it", {0x89, 0x03}, 0x14, at_write, 0x10, 4, false},
      Case{"store over its first byte", {0x89, 0x03}, 0xd, at_write, 0x10, 1, true},
      Case{"unaligned store before it", {0x89, 0x03}, 0xb, at_write, 0x10, 1, false},
      Case{"load, write watched", {0x8b, 0x03}, 0x10, at_write, 0x10, 4, false},
      Case{"load, access watched", {0x8b, 0x03}, 0x10, at_access, 0x10, 4, true},
      Case{"byte load of its last byte", {0x8a, 0x03}, 0x17, at_access, 0x10, 8, true},
      Case{"byte load behind it", {0x8a, 0x03}, 0x18, at_access, 0x10, 8, false},
      Case{"unaligned load that ends before it", {0x8b, 0x03}, 0xb, at_access, 0xf, 1, false},
      Case{"unaligned load that begins behind it", {0x8b, 0x03}, 0x11, at_access, 0x10, 1, false},
      Case{"unaligned load over it", {0x8b, 0x03}, 0xe, at_access, 0x11, 1, true},
      Case{"load across a page into it", {0x48, 0x8b, 0x03}, 0xffc, at_access, 0x1003, 1, true},
      Case{"load across a page before it", {0x48, 0x8b, 0x03}, 0xffc, at_access, 0x1004, 1, false},
      Case{"store across a page into it", {0x48, 0x89, 0x03}, 0xffc, at_write, 0x1000, 1, true},
      Case{"read-modify-write", {0xff, 0x03}, 0x10, at_write, 0x10, 1, true},
      Case{"locked exchange and add", {0xf0, 0x0f, 0xc1, 0x03}, 0x10, at_write, 0x10, 8, true},
      Case{"compare only", {0x39, 0x03}, 0x10, at_write, 0x10, 4, false},
      Case{"push", {0x50}, 0x18, at_write, 0x10, 8, true},
      Case{"push above it", {0x50}, 0x20, at_write, 0x10, 8, false},
      Case{"pop", {0x58}, 0x10, at_access, 0x17, 1, true},
      Case{"movs reads it", {0xa4}, 0x10, at_access, 0x10, 1, true},
      Case{"SSE store, high half", {0x0f, 0x11, 0x03}, 0x10, at_write, 0x1f, 1, true},
      Case{"SSE store below", {0x0f, 0x11, 0x03}, 0x10, at_write, 0x20, 1, false},
      Case{"unaligned SSE load below", {0x0f, 0x10, 0x03}, 0x11, at_access, 0x10, 1, false},
      Case{"unaligned SSE load, last byte", {0x0f, 0x10, 0x03}, 0x11, at_access, 0x20, 1, true},
      Case{"unaligned SSE load above", {0x0f, 0x10, 0x03}, 0x11, at_access, 0x21, 1, false},
      Case{"SGDT", {0x0f, 0x01, 0x03}, 0x10, at_write, 0x19, 1, true},
      Case{"LGDT, write watched", {0x0f, 0x01, 0x13}, 0x10, at_write, 0x10, 8, false},
      Case{"LGDT, access watched", {0x0f, 0x01, 0x13}, 0x10, at_access, 0x12, 1, true},
      Case{"x87 store of ten bytes", {0xdb, 0x3b}, 0x10, at_write, 0x19, 1, true},
      Case{"prefetch", {0x0f, 0x18, 0x0b}, 0x10, at_access, 0x10, 8, false},
      Case{"LEA", {0x8d, 0x03}, 0x10, at_access, 0x10, 8, false});
  CAPTURE(tried.what);
  DebugWorld world{gear};
  world.put(kernel_code, {0x90});
  world.put(kernel_code + 1, tried.code);
  world.put(kernel_code + 1 + tried.code.size(), {0x90, 0x0f, 0xa2});
  world.breakpoint(1, tried.kind, kernel_data + tried.watched, tried.bytes);
  for (const vtl::Gpr r : {vtl::Rbx, vtl::Rsi, vtl::Rsp})
    world.gpr(r) = kernel_data + tried.address;
  world.gpr(vtl::Rdi) = kernel_data + 0x2000;
  world.gate(1, handlers, 2);
  world.poke<uint16_t>(kernel_data + 0x10, 0x4f);
  world.poke<uint64_t>(kernel_data + 0x12, gdt);
  if (!tried.hit) {
    EXPECT(world.run().reason == vtl::ExitReason::Cpuid);
    EXPECT(world.now.ticks == 3);
    EXPECT(world.dr6() == 0);
    return;
  }
  EXPECT(world.trapped_at() == 1 + tried.code.size());
  EXPECT(world.dr6() == 2);
  EXPECT((world.frame().rflags & rf) == 0);
  EXPECT(world.now.ticks == 2);
}

TEST_CASE("a watched page still gives and takes the right values") {
  DebugWorld world{any_gear()};
  world.breakpoint(0, at_write, kernel_data + 0xff8, 8);
  // mov rax, [rbx]; add [rbx+8], rax; lock cmpxchg [rbx+16], rcx; xchg [rbx+24], rcx; movups xmm0, [rbx+1];
  // movups [rbx+64], xmm0; cpuid
  world.put(kernel_code, {0x48, 0x8b, 0x03, 0x48, 0x01, 0x43, 0x08, 0xf0, 0x48, 0x0f, 0xb1, 0x4b, 0x10, 0x48, 0x87,
                          0x4b, 0x18, 0x0f, 0x10, 0x43, 0x01, 0x0f, 0x11, 0x43, 0x40, 0x0f, 0xa2});
  world.gpr(vtl::Rbx) = kernel_data;
  world.gpr(vtl::Rcx) = 77;
  for (uint64_t i = 0; i < 5; ++i)
    world.poke<uint64_t>(kernel_data + 8 * i, i == 2 ? 0x0706050403020100 : 0x0706050403020100 + i);
  EXPECT(world.run().reason == vtl::ExitReason::Cpuid);
  EXPECT(world.gpr(vtl::Rax) == 0x0706050403020100);
  EXPECT(world.peek(kernel_data + 8) == 2 * 0x0706050403020100 + 1);
  EXPECT(world.peek(kernel_data + 16) == 77);
  EXPECT(world.gpr(vtl::Rcx) == 0x0706050403020103);
  EXPECT(world.peek(kernel_data + 24) == 77);
  EXPECT(world.peek(kernel_data + 64) == 0x0107060504030201);
  EXPECT(world.dr6() == 0);
}

TEST_CASE("a repeated string instruction traps behind the iteration that touches the watched bytes") {
  DebugWorld world{any_gear()};
  world.put(kernel_code, {0xf3, 0xaa, 0x90});  // rep stosb
  world.gpr(vtl::Rdi) = kernel_data;
  world.gpr(vtl::Rcx) = 20;
  world.breakpoint(3, at_write, kernel_data + 6);
  EXPECT(world.trapped_at() == 0);
  EXPECT(world.gpr(vtl::Rcx) == 13);
  EXPECT(world.gpr(vtl::Rdi) == kernel_data + 7);
  EXPECT(world.dr6() == 8);
  EXPECT(world.now.ticks == 7);
}

TEST_CASE("an instruction breakpoint on a repeated string instruction is met once") {
  World world{any_gear()};
  world.put(handlers, {0x48, 0xff, 0xc3, 0x48, 0xcf});  // inc rbx; iretq
  world.gate(1, handlers);
  world.put(kernel_code, {0xf3, 0xaa, 0xf4});
  world.gpr(vtl::Rdi) = kernel_data;
  world.gpr(vtl::Rcx) = 5;
  world.vp.shared.dr[0] = kernel_code;
  world.context().dr7 = 0x401;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rbx) == 1);
  EXPECT(world.gpr(vtl::Rcx) == 0);
}

TEST_CASE("port breakpoints need CR4.DE") {
  const auto gear = any_gear();
  const bool extensions = GENERATE(false, true);
  DebugWorld world{gear};
  world.context().cr4 |= extensions ? x64::cr4::de : 0;
  world.put(kernel_code, {0xe6, 0x71, 0xe4, 0x73, 0xe6, 0x70, 0xf4});  // out 0x71; in 0x73; out 0x70
  world.breakpoint(0, at_port, 0x72, 2);
  world.breakpoint(1, at_port, 0x70, 1);
  vtl::Exit last;
  (void)drive(world, 1000, &last);
  EXPECT(last.reason == vtl::ExitReason::Halt);
  if (!extensions) {
    EXPECT(world.context().rip == kernel_code + 6);
    return;
  }
  EXPECT(world.frame().rip == kernel_code + 4);
  EXPECT(world.dr6() == 1);
  EXPECT(world.now.ticks == 2);
}

TEST_CASE("GD stops the next use of a debug register, and is off in the handler") {
  DebugWorld world{any_gear()};
  world.context().dr7 |= x64::dr7::gd;
  world.put(kernel_code, {0x90, 0x0f, 0x21, 0xc0});  // mov rax, dr0
  EXPECT(world.trapped_at() == 1);
  EXPECT(world.dr6() == bd);
  EXPECT((world.context().dr7 & x64::dr7::gd) == 0);
  EXPECT((world.frame().rflags & rf) != 0);
}

TEST_CASE("DR4 and DR5 are DR6 and DR7 unless CR4.DE, and their upper halves must be zero") {
  const auto gear = any_gear();
  World world{gear};
  world.put(kernel_code, {0x0f, 0x21, 0xe0, 0x0f, 0x23, 0xe9});  // mov rax, dr4; mov dr5, rcx
  world.vp.shared.dr6 = 0xffff4ff0;
  world.gpr(vtl::Rcx) = 0xffffffff;
  EXPECT(world.run(2).reason == vtl::ExitReason::Deadline);
  EXPECT(world.gpr(vtl::Rax) == 0xffff4ff0);
  EXPECT(world.context().dr7 == 0xffff27ff);

  World refused{gear};
  refused.context().cr4 |= x64::cr4::de;
  refused.context().interceptions.exceptions = 1u << 6 | 1u << 13;
  refused.put(kernel_code, {0x0f, 0x21, 0xe0});
  EXPECT(refused.run().exception.vector == 6);
  refused.put(kernel_code, {0x0f, 0x23, 0xf9});  // mov dr7, rcx
  refused.gpr(vtl::Rcx) = uint64_t{1} << 32;
  EXPECT(refused.run().exception.vector == 13);
}

TEST_CASE("a single step and a data breakpoint of one instruction are one exception") {
  DebugWorld world{any_gear()};
  world.put(kernel_code, {0x89, 0x03});
  world.gpr(vtl::Rbx) = kernel_data;
  world.breakpoint(0, at_write, kernel_data, 4);
  world.breakpoint(1, at_access, kernel_data + 2, 1);
  world.context().rflags |= tf;
  world.vp.shared.dr6 |= 8;
  EXPECT(world.trapped_at() == 2);
  EXPECT(world.dr6() == (bs | 3));
  EXPECT((world.frame().rflags & tf) != 0);
  EXPECT((world.context().rflags & tf) == 0);
}

TEST_CASE("MOV SS puts off the single step, and data breakpoints, until the next instruction has executed") {
  const auto gear = any_gear();
  DebugWorld world{gear};
  world.put(kernel_code, {0x8e, 0x13, 0x90, 0x90});  // mov ss, [rbx]
  world.gpr(vtl::Rbx) = kernel_data;
  world.poke<uint16_t>(kernel_data, kernel_ss);
  world.context().rflags |= tf;
  EXPECT(world.trapped_at() == 3);
  EXPECT(world.dr6() == bs);
  EXPECT(world.now.ticks == 2);

  DebugWorld data{gear};
  data.put(kernel_code, {0x8e, 0x13, 0x90, 0x90});
  data.gpr(vtl::Rbx) = kernel_data;
  data.poke<uint16_t>(kernel_data, kernel_ss);
  data.breakpoint(0, at_access, kernel_data, 2);
  data.breakpoint(1, at_execution, kernel_code + 2);  // inhibited too
  EXPECT(data.run(1).reason == vtl::ExitReason::Deadline);
  EXPECT(data.trapped_at() == 3);
  EXPECT(data.dr6() == 1);
}

TEST_CASE("STI does not put off the single step") {
  DebugWorld world{any_gear()};
  world.put(kernel_code, {0xfb, 0x90});
  world.context().rflags |= tf;
  EXPECT(world.trapped_at() == 1);
}

TEST_CASE("POPF that clears TF is still stepped, CPUID and HLT are too") {
  const auto gear = any_gear();
  DebugWorld world{gear};
  world.put(kernel_code, {0x9d, 0x90});
  world.context().rsp = kernel_data;
  world.poke<uint64_t>(kernel_data, 2);
  world.context().rflags |= tf;
  EXPECT(world.trapped_at() == 1);

  DebugWorld leaves{gear};
  leaves.put(kernel_code, {0x0f, 0xa2, 0x90});
  leaves.context().rflags |= tf;
  vtl::Exit last;
  (void)drive(leaves, 1000, &last);
  EXPECT(last.reason == vtl::ExitReason::Halt);
  EXPECT(leaves.frame().rip == kernel_code + 2);
  EXPECT(leaves.dr6() == bs);
}

TEST_CASE("INT1 and INT3 are traps; INT1 changes no DR6 and asks for no gate privilege") {
  const auto gear = any_gear();
  DebugWorld world{gear};
  world.put(user_code, {0xf1, 0x90});
  world.enter_user_mode();
  EXPECT(world.trapped_at(user_code) == 1);
  EXPECT(world.dr6() == 0);
  EXPECT(world.now.ticks == 1);

  World three{gear};
  three.put(handlers, {0xf4});
  three.gate(13, handlers);
  three.gate(3, handlers);
  three.put(user_code, {0xcc});
  three.enter_user_mode();
  EXPECT(three.run().reason == vtl::ExitReason::Halt);
  EXPECT(three.peek(three.context().rsp) == 3 * 8 + 2);
}

TEST_CASE("the exception that a breakpoint raises is intercepted with the bits of DR6 and DR6 unchanged") {
  DebugWorld world{any_gear()};
  world.put(kernel_code, {0x90, 0x90});
  world.breakpoint(3, at_execution, kernel_code + 1);
  world.context().interceptions.exceptions = 2;
  const vtl::Exit exit = world.run();
  REQUIRE(exit.reason == vtl::ExitReason::Exception);
  EXPECT(exit.exception.vector == 1);
  EXPECT(exit.exception.parameter == 8);
  EXPECT(world.dr6() == 0);
  EXPECT(world.context().rip == kernel_code + 1);
  EXPECT(world.processor->inject_exception(world.vp, exit.exception));
  EXPECT(world.dr6() == 8);
}

TEST_CASE("a breakpoint on a device page is met, and the device is touched once") {
  DebugWorld world{any_gear()};
  world.put(kernel_code, {0x89, 0x03, 0x90});
  world.gpr(vtl::Rbx) = 0xfee00080;
  world.breakpoint(0, at_write, 0xfee00080, 4);
  vtl::Exit last;
  (void)drive(world, 1000, &last);
  EXPECT(last.reason == vtl::ExitReason::Halt);
  EXPECT(world.frame().rip == kernel_code + 2);
  EXPECT(world.bus.log.size() == 1);
}

TEST_CASE("code that writes to itself on a watched page runs what it wrote") {
  DebugWorld world{any_gear()};
  // mov byte [rip+1], 0x55 ... : the next instruction's immediate
  world.put(kernel_code, {0xc6, 0x05, 0x01, 0x00, 0x00, 0x00, 0x55, 0xb0, 0x11, 0x0f, 0xa2});
  world.breakpoint(0, at_write, kernel_code + 0x800);
  EXPECT(world.run().reason == vtl::ExitReason::Cpuid);
  EXPECT((world.gpr(vtl::Rax) & 0xff) == 0x55);
}
