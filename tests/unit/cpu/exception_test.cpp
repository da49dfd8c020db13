// Exceptions and interrupts through the guest's IDT, in both gears.
#include "tests/unit/cpu/drive.h"

using namespace cpu_test;

namespace {

/// The six words that a handler finds, from the top of the stack.
struct Frame {
  uint64_t words[6];
};

/// A machine that stops in HLT at `handler` for one vector.
class HandlerWorld : public World {
 public:
  HandlerWorld(cpu::Gear gear, unsigned vector, unsigned ist = 0, unsigned dpl = 0) : World{gear} {
    put(handlers, {0xf4});
    gate(vector, handlers, ist, dpl);
  }
};

cpu::Gear any_gear() {
  return GENERATE(cpu::Gear::Exact, cpu::Gear::Fast);
}

constexpr uint64_t rf = x64::rflags::rf;

}  // namespace

TEST_CASE("a divide error pushes SS, RSP, RFLAGS, CS, RIP and no error code") {
  HandlerWorld world{any_gear(), 0};
  world.put(kernel_code, {0x31, 0xc9, 0xf7, 0xf1});  // xor ecx, ecx; div ecx
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.now.ticks == 1);
  const auto frame = world.peek<Frame>(world.context().rsp);
  EXPECT(world.context().rsp == kernel_stack - 40);
  EXPECT(frame.words[0] == kernel_code + 2);
  EXPECT(frame.words[1] == kernel_cs);
  EXPECT(frame.words[2] == (0x46 | rf));
  EXPECT(frame.words[3] == kernel_stack);
  EXPECT(frame.words[4] == kernel_ss);
  REQUIRE(world.sink.events.size() == 1);
  EXPECT(world.sink.events[0].kind == support::EventKind::Exception);
  EXPECT(world.sink.events[0].a == 0);
}

TEST_CASE("a general protection fault has the selector as its error code") {
  HandlerWorld world{any_gear(), 13};
  world.put(kernel_code, {0x66, 0xb8, 0x34, 0x12, 0x8e, 0xd8});  // mov ax, 0x1234; mov ds, ax
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  const auto frame = world.peek<Frame>(world.context().rsp);
  EXPECT(frame.words[0] == 0x1234);
  EXPECT(frame.words[1] == kernel_code + 4);
}

TEST_CASE("a page fault sets CR2 to the exact byte and its error code says what was tried") {
  const auto gear = any_gear();
  struct Case {
    std::vector<uint8_t> code;
    uint32_t error;
    bool user;
  };
  const Case tried = GENERATE(Case{{0x8b, 0x03}, 0, false}, Case{{0x89, 0x03}, 2, false},
                              Case{{0xff, 0xe3}, 0x10, false}, Case{{0x8b, 0x03}, 4, true},
                              Case{{0x89, 0x03}, 6, true});
  HandlerWorld world{gear, 14};
  world.context().efer |= 0x800;
  world.map(0x150000, 0, 0);
  const uint64_t at = tried.user ? user_code : kernel_code;
  world.put(at, tried.code);
  world.gpr(vtl::Rbx) = 0x150123;
  if (tried.user) world.enter_user_mode();
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.vp.shared.cr2 == 0x150123);
  const auto frame = world.peek<Frame>(world.context().rsp);
  EXPECT(frame.words[0] == tried.error);
  EXPECT(frame.words[1] == ((tried.error & 0x10) != 0 ? 0x150123 : at));
}

TEST_CASE("a user-mode fault changes to the stack of TSS.RSP0 and a null SS") {
  HandlerWorld world{any_gear(), 14};
  world.put(user_code, {0x8b, 0x04, 0x25, 0x00, 0x00, 0x10, 0x00});  // mov eax, [kernel_code]
  world.enter_user_mode();
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.vp.cpl() == 0);
  EXPECT(world.context().segments[vtl::Ss].selector == 0);
  EXPECT(world.context().segments[vtl::Cs].selector == kernel_cs);
  EXPECT(world.context().rsp == kernel_stack - 48);
  const auto frame = world.peek<Frame>(world.context().rsp);
  EXPECT(frame.words[0] == 5);  // present, user
  EXPECT(frame.words[2] == user_cs);
  EXPECT(frame.words[4] == user_stack);
  EXPECT(frame.words[5] == user_ss);
}

TEST_CASE("a gate with an IST index uses that stack, aligned to 16 bytes") {
  HandlerWorld world{any_gear(), 6, 3};
  world.put(kernel_code, {0x0f, 0x0b});
  world.context().rsp = kernel_stack - 3;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.context().rsp == interrupt_stack + 3 * 0x1000 - 40);
  EXPECT(world.peek<Frame>(world.context().rsp).words[3] == kernel_stack - 3);
}

TEST_CASE("INT n returns behind itself, counts as one instruction, and respects the gate's DPL") {
  const auto gear = any_gear();
  HandlerWorld world{gear, 0x2e, 0, 3};
  world.gate(13, handlers);
  world.put(user_code, {0xcd, 0x2e});
  world.enter_user_mode();
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.now.ticks == 1);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == user_code + 2);
  EXPECT((world.peek<Frame>(world.context().rsp).words[2] & rf) == 0);

  HandlerWorld refused{gear, 0x2e, 0, 0};
  refused.gate(13, handlers);
  refused.put(user_code, {0xcd, 0x2e});
  refused.enter_user_mode();
  EXPECT(refused.run().reason == vtl::ExitReason::Halt);
  const auto frame = refused.peek<Frame>(refused.context().rsp);
  EXPECT(frame.words[0] == 0x2e * 8 + 2);
  EXPECT(frame.words[1] == user_code);
  EXPECT(refused.now.ticks == 0);
}

TEST_CASE("INT3 is a trap") {
  HandlerWorld world{any_gear(), 3, 0, 3};
  world.put(kernel_code, {0xcc});
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == kernel_code + 1);
}

TEST_CASE(
    "a page fault whose handler cannot be reached becomes a double fault, and that one a triple "
    "fault") {
  const auto gear = any_gear();
  HandlerWorld world{gear, 8};
  world.map(0x150000, 0, 0);
  world.poke<uint64_t>(idt + 14 * 16, 0);  // no gate
  world.put(kernel_code, {0x8b, 0x03});
  world.gpr(vtl::Rbx) = 0x150000;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  auto frame = world.peek<Frame>(world.context().rsp);
  EXPECT(frame.words[0] == 0);
  EXPECT(frame.words[1] == kernel_code);

  World triple{gear};
  triple.context().idtr.limit = 0;
  triple.put(kernel_code, {0x0f, 0x0b});
  EXPECT(triple.run().reason == vtl::ExitReason::TripleFault);
}

TEST_CASE(
    "a stack that cannot be written makes a fault in ring 0 a double fault on its IST stack") {
  HandlerWorld world{any_gear(), 8, 2};
  world.gate(14, handlers + 0x80);
  world.map(0x150000, 0, 0);
  world.put(kernel_code, {0x50});  // push rax
  world.context().rsp = 0x150800;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.context().rip == handlers);
  EXPECT(world.context().rsp == interrupt_stack + 2 * 0x1000 - 48);
  EXPECT(world.vp.shared.cr2 >= 0x1507c0);
  EXPECT(world.vp.shared.cr2 < 0x150800);
}

TEST_CASE("a non-canonical address is #GP, and #SS through the stack segment") {
  const auto gear = any_gear();
  HandlerWorld world{gear, 13};
  world.put(kernel_code, {0x48, 0x8b, 0x03});
  world.gpr(vtl::Rbx) = 0x0000800000000000;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == 0);

  HandlerWorld stack{gear, 12, 1};
  stack.put(kernel_code, {0x50});
  stack.context().rsp = 0x0000900000000000;
  EXPECT(stack.run().reason == vtl::ExitReason::Halt);
  EXPECT(stack.peek<Frame>(stack.context().rsp).words[1] == kernel_code);
}

TEST_CASE("IRETQ returns to ring 3 and the interrupted instruction is tried again") {
  World world{any_gear()};
  // #PF handler: maps the page for ring 3, drops the error code, returns.
  world.put(handlers, {0x48, 0xc7, 0x04, 0x25, 0x00, 0x52, 0x00, 0x00, 0x07, 0x00, 0x24,
                       0x00,  // mov [0x5200], 0x240007
                       0x48, 0x83, 0xc4, 0x08, 0x48, 0xcf});
  world.gate(14, handlers);
  world.map(user_data, 0, 0);
  REQUIRE(world.entry_address(user_data) == 0x5200);
  world.poke<uint64_t>(user_data, 0x1234567);
  world.put(user_code, {0x48, 0x8b, 0x04, 0x25, 0x00, 0x00, 0x24, 0x00, 0x0f, 0x01, 0xc1});
  world.enter_user_mode();
  EXPECT(world.run().reason == vtl::ExitReason::Hypercall);
  EXPECT(world.gpr(vtl::Rax) == 0x1234567);
  EXPECT(world.vp.cpl() == 3);
  EXPECT(world.context().rsp == user_stack);
  EXPECT(world.now.ticks == 4);
}

TEST_CASE("SYSCALL and SYSRET change rings with SWAPGS in between") {
  World world{any_gear()};
  world.context().lstar = handlers;
  world.context().sfmask = 0x700;
  world.context().segments[vtl::Gs].base = 0x1111000;
  world.context().kernel_gs_base = kernel_data;
  world.poke<uint64_t>(kernel_data, 0x99);
  world.put(handlers, {0x0f, 0x01, 0xf8, 0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0, 0x0f, 0x01, 0xf8,
                       0x48, 0x0f, 0x07});
  world.put(user_code, {0xb8, 0x07, 0x00, 0x00, 0x00, 0x0f, 0x05, 0x0f, 0xa2});
  world.enter_user_mode();
  world.context().rflags = 0x602;
  EXPECT(world.run().reason == vtl::ExitReason::Cpuid);
  EXPECT(world.context().rip == user_code + 7);
  EXPECT(world.vp.cpl() == 3);
  EXPECT(world.gpr(vtl::Rax) == 0x99);
  EXPECT(world.gpr(vtl::Rcx) == user_code + 7);
  EXPECT(world.gpr(vtl::R11) == 0x602);
  EXPECT(world.context().rflags == 0x602);
  EXPECT(world.context().segments[vtl::Cs].selector == user_cs);
  EXPECT(world.context().segments[vtl::Ss].selector == user_ss);
  EXPECT(world.context().kernel_gs_base == kernel_data);
  EXPECT(world.now.ticks == 6);
  REQUIRE(world.sink.events.size() == 1);
  EXPECT(world.sink.events[0].kind == support::EventKind::SystemCall);
  EXPECT(world.sink.events[0].a == 7);
}

TEST_CASE("SYSCALL without EFER.SCE is undefined") {
  HandlerWorld world{any_gear(), 6};
  world.context().efer &= ~uint64_t{1};
  world.put(user_code, {0x90, 0x0f, 0x05});
  world.enter_user_mode();
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == user_code + 1);
  EXPECT(world.now.ticks == 1);
}

TEST_CASE("TF raises #DB after each instruction, and PUSHF shows it only when it was set") {
  HandlerWorld world{any_gear(), 1};
  world.put(kernel_code, {0x9c, 0x90});
  world.context().rflags = 0x102;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == kernel_code + 1);
  EXPECT(world.peek<uint64_t>(kernel_stack - 8) == 0x102);
  EXPECT((world.vp.shared.dr6 & x64::dr6::bs) != 0);
  EXPECT((world.context().rflags & 0x100) == 0);
  EXPECT(world.now.ticks == 1);
}

TEST_CASE("POPF that sets TF traps after the next instruction") {
  HandlerWorld world{any_gear(), 1};
  world.put(kernel_code, {0x9d, 0x90, 0x90});
  world.context().rsp = kernel_data;
  world.poke<uint64_t>(kernel_data, 0x102);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == kernel_code + 2);
  EXPECT(world.now.ticks == 2);
}

TEST_CASE("an interrupt waits for IF and for the instruction after STI") {
  World world{any_gear()};
  world.put(handlers, {0xf4});
  world.gate(0x41, handlers);
  world.put(kernel_code, {0x90, 0x90, 0xfb, 0x48, 0xff, 0xc0, 0x48, 0xff, 0xc0});
  world.processor->offer_interrupt(world.vp, 0x41);
  const vtl::Exit exit = world.run();
  EXPECT(exit.reason == vtl::ExitReason::InterruptAccepted);
  EXPECT(exit.vector == 0x41);
  EXPECT(world.gpr(vtl::Rax) == 1);
  EXPECT(world.now.ticks == 4);
  EXPECT(world.context().rip == handlers);
  EXPECT((world.context().rflags & 0x200) == 0);
  EXPECT((world.peek<Frame>(world.context().rsp).words[2] & (0x200 | rf)) == 0x200);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
}

TEST_CASE("a withdrawn interrupt is not taken") {
  World world{any_gear()};
  world.context().rflags |= 0x200;
  world.put(kernel_code, {0xeb, 0xfe});
  world.processor->offer_interrupt(world.vp, 0x41);
  world.processor->withdraw_interrupt(world.vp);
  EXPECT(world.run(100).reason == vtl::ExitReason::Deadline);
  EXPECT(world.now.ticks == 100);
}

TEST_CASE("an injected exception is delivered at once, a pending one before the next instruction") {
  HandlerWorld world{any_gear(), 13};
  world.put(kernel_code, {0x90});
  EXPECT(world.processor->inject_exception(world.vp, {13, true, 0x77, 0}));
  EXPECT(world.context().rip == handlers);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == 0x77);
  world.context().rip = kernel_code;
  world.context().exception_pending = true;
  world.context().pending = {13, true, 0x78, 0};
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == 0x78);
  EXPECT(!world.context().exception_pending);
}

TEST_CASE("an exception injected because the delivery of another was refused makes a double fault, then a shutdown") {
  HandlerWorld world{any_gear(), 8};
  world.put(kernel_code, {0x90});
  world.context().exception_pending = true;
  world.context().pending = {13, true, 0, 0};
  EXPECT(world.processor->inject_exception(world.vp, {13, true, 0, 0}));
  EXPECT(world.context().rip == handlers);  // of vector 8
  EXPECT(!world.context().exception_pending);
  world.context().exception_pending = true;
  world.context().pending = {8, true, 0, 0};
  EXPECT(!world.processor->inject_exception(world.vp, {13, true, 0, 0}));
}

TEST_CASE("SMAP refuses a supervisor access to a user page unless STAC set AC") {
  HandlerWorld world{any_gear(), 14};
  world.context().cr4 |= x64::cr4::smap;
  world.put(kernel_code,
            {0x0f, 0x01, 0xcb, 0x8b, 0x03, 0x0f, 0x01, 0xca, 0x8b, 0x0b});  // stac; mov; clac; mov
  world.gpr(vtl::Rbx) = user_data;
  world.poke<uint32_t>(user_data, 77);
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.gpr(vtl::Rax) == 77);
  EXPECT(world.peek<Frame>(world.context().rsp).words[1] == kernel_code + 8);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == 1);
}

TEST_CASE("SMEP refuses to execute a user page in ring 0") {
  HandlerWorld world{any_gear(), 14};
  world.context().cr4 |= x64::cr4::smep;
  world.put(kernel_code, {0xff, 0xe3});
  world.gpr(vtl::Rbx) = user_code;
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == 0x11);
  EXPECT(world.vp.shared.cr2 == user_code);
}

TEST_CASE("a segment load in ring 3 reads the descriptor table with the processor's own rights") {
  HandlerWorld world{any_gear(), 13};
  world.gate(14, handlers);
  world.put(user_code, {0x66, 0xb8, 0x2b, 0x00, 0x8e, 0xd8, 0x0f, 0xa2});
  world.enter_user_mode();
  EXPECT(world.run().reason == vtl::ExitReason::Cpuid);
  EXPECT(world.context().segments[vtl::Ds].selector == user_ss);
  EXPECT(world.now.ticks == 2);
}

TEST_CASE("LOCK with a bit test on a register is undefined and does not harm the host") {
  HandlerWorld world{any_gear(), 6};
  world.put(kernel_code, {0x90, 0x90, 0xf0, 0x0f, 0xa3, 0xc0});
  EXPECT(world.run().reason == vtl::ExitReason::Halt);
  EXPECT(world.peek<Frame>(world.context().rsp).words[0] == kernel_code + 2);
  EXPECT(world.now.ticks == 2);
}
