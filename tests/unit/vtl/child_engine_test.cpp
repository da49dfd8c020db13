// Children's processors with the real engine: their instructions see their own memory, and leave for their parent.
#include "sim/cpu/unicorn_cpu.h"
#include "tests/support/conformance.h"
#include "tests/unit/cpu/world.h"
#include "tests/unit/vtl/child_world.h"

using namespace test;

namespace {

// Reads a word of its page 9, writes the sum to its page 10, then does one thing after the other that leaves.
GUEST_CODE(child_program, R"(
  mov eax, dword ptr [0x9000]
  add eax, 1
  mov dword ptr [0xA000], eax
  mov eax, 0x40000001
  cpuid
  mov dword ptr [0xA004], eax
  mov dx, 0xCF8
  mov eax, 0x80001234
  out dx, eax
  mov ecx, 0xC0000082
  xor edx, edx
  wrmsr
  mov dword ptr [0x100000], eax
  mov dword ptr [0xA008], 0x600D
  ud2
  mov dword ptr [0xA00C], 0xD00D
  hlt
)")

constexpr uint64_t code_at = 0x8000;

/// Children whose VP 0 runs `child_program` in 64-bit mode, their first 2 MiB mapped to themselves.
class EngineWorld : public ChildWorld, public cpu::AddressSpaceProvider, public cpu::MmioBus {
 public:
  explicit EngineWorld(cpu::Gear gear) {
    for (size_t i = 0; i < 3; ++i) {
      auto made = cpu::make_unicorn_cpu({.gear = gear, .vp_index = spares[i].number}, memory, translator, *this, *this,
                                        nullptr);
      REQUIRE(made.ok());
      engines[i] = std::move(made.value());
    }
  }
  mmu::AddressSpace address_space(const VirtualProcessor& vp) const override { return hypervisor.address_space(vp); }
  uint64_t mmio_read(VirtualProcessor&, Instant, mmu::Spa, uint8_t) override { return 0; }
  void mmio_write(VirtualProcessor&, Instant, mmu::Spa, uint8_t, uint64_t) override {}

  /// The child's RAM begins at page `ram` of the root.
  uint64_t make_child(size_t number, uint64_t ram, uint64_t pool) {
    uint64_t id = 0;
    REQUIRE(create(0, id) == HvStatus::Success);
    REQUIRE(deposit(id, pool, 24) == HvStatus::Success);
    REQUIRE(with_id(CallCode::InitializePartition, id) == HvStatus::Success);
    REQUIRE(map(id, 0, ram, 0xF, 16) == HvStatus::Success);
    REQUIRE(create_vp(id, 0) == HvStatus::Success);
    const uint64_t base = ram * 4096;
    memory.write(Spa{base + 0x1000}, uint64_t{0x2003});
    memory.write(Spa{base + 0x2000}, uint64_t{0x3003});
    memory.write(Spa{base + 0x3000}, uint64_t{0x83});
    REQUIRE(memory.write(Spa{base + code_at}, child_program()));
    memory.write(Spa{base + 0x9000}, static_cast<uint32_t>(0x1000 * (number + 1)));
    VirtualProcessor& vp = spares[number];
    in_long_mode(vp.context());
    vp.context().rip = code_at;
    vp.context().rsp = 0xF000;
    REQUIRE(set_child(id, 0, RegisterName::Cr3, 0x1000) == HvStatus::Success);
    REQUIRE(set_child(id, 0, RegisterName::ExplicitSuspend, 0) == HvStatus::Success);
    return id;
  }
  /// Until it is suspended, or has to wait until its parent read an earlier message.
  void run(size_t number) {
    VirtualProcessor& vp = spares[number];
    for (int exits = 0; !vp.suspended(); ++exits) {
      REQUIRE(exits < 100);
      const Exit exit = engines[number]->run(vp, now, now + 1000);
      if (exit.reason == ExitReason::Deadline) continue;
      const Outcome outcome = hypervisor.handle(exit, vp, now);
      INFO(static_cast<int>(exit.reason) << " " << exit.detail << " " << outcome.detail);
      REQUIRE((outcome.kind == OutcomeKind::Retire || outcome.kind == OutcomeKind::Resume));
      if (outcome.yields) return;
      if (outcome.kind == OutcomeKind::Retire) engines[number]->retire(vp, now, outcome.length);
    }
  }
  /// The message that the root found; it reads it and goes past the instruction if `skip`.
  uint32_t answer(uint64_t id, size_t number, bool skip) {
    const auto message = root_slot();
    uint32_t type = 0;
    std::memcpy(&type, message.data(), 4);
    const auto length = static_cast<uint64_t>(message[16 + 4] & 0xF);
    memory.write(spa(message_page0, Vtl::Vtl0), uint32_t{0});
    if (skip)
      REQUIRE(set_child(id, 0, RegisterName::Rip, spares[number].context().rip + length) == HvStatus::Success);
    REQUIRE(set_child(id, 0, RegisterName::InterceptSuspend, 0) == HvStatus::Success);
    return type;
  }
  uint32_t word(uint64_t ram, uint64_t gpa) { return memory.read<uint32_t>(Spa{ram * 4096 + gpa}); }

  std::unique_ptr<cpu::Cpu> engines[3];
};

}  // namespace

TEST_CASE("a child's code runs in its own memory, and what it may not do goes to its parent") {
  CONFORMANCE("HvCallCreateVp", "a child's VP executes in the child's GPA space", "TLFS 4, 5");
  for (const cpu::Gear gear : {cpu::Gear::Exact, cpu::Gear::Fast}) {
    EngineWorld world{gear};
    world.listen();
    constexpr uint64_t ram0 = 0x600, ram1 = 0x640;
    const uint64_t first = world.make_child(0, ram0, 0x500);
    const uint64_t second = world.make_child(1, ram1, 0x540);
    for (const uint64_t id : {first, second}) {
      REQUIRE(world.install(id, InterceptType::X64IoPort, 2, 0xCF8) == HvStatus::Success);
      REQUIRE(world.install(id, InterceptType::X64MsrIndex, 2, 0xC0000082) == HvStatus::Success);
      REQUIRE(world.install(id, InterceptType::Exception, 4, 6) == HvStatus::Success);
    }
    REQUIRE(world.install(second, InterceptType::X64Cpuid, 4, 0x40000001) == HvStatus::Success);

    // The same addresses are different memory.
    world.run(0);
    world.run(1);  // its message has to wait
    EXPECT(world.word(ram0, 0xA000) == 0x1001);
    EXPECT(world.word(ram1, 0xA000) == 0x2001);
    EXPECT(world.word(ram0, 0xA004) == 0x31237648);
    EXPECT(world.word(ram1, 0xA004) == 0);
    EXPECT(!world.spares[1].intercept_suspend);
    EXPECT(world.answer(first, 0, true) == 0x80010000);
    world.run(1);
    EXPECT(world.spares[1].intercept_suspend);
    EXPECT(world.answer(second, 1, true) == 0x80010002);
  }
}

TEST_CASE("the parent answers one message of its child after the other until the child halts") {
  for (const cpu::Gear gear : {cpu::Gear::Exact, cpu::Gear::Fast}) {
    EngineWorld world{gear};
    world.listen();
    constexpr uint64_t ram = 0x600;
    const uint64_t id = world.make_child(0, ram, 0x500);
    REQUIRE(world.install(id, InterceptType::X64Cpuid, 4, 0x40000001) == HvStatus::Success);
    REQUIRE(world.install(id, InterceptType::X64IoPort, 2, 0xCF8) == HvStatus::Success);
    REQUIRE(world.install(id, InterceptType::X64MsrIndex, 2, 0xC0000082) == HvStatus::Success);
    REQUIRE(world.install(id, InterceptType::Exception, 4, 6) == HvStatus::Success);
    VirtualProcessor& vp = world.spares[0];
    world.run(0);
    REQUIRE(world.set_child(id, 0, RegisterName::Rax, 0xCAFE) == HvStatus::Success);
    EXPECT(world.answer(id, 0, true) == 0x80010002);
    world.run(0);
    EXPECT(world.word(ram, 0xA004) == 0xCAFE);
    EXPECT(vp.shared.gpr[vtl::Rax] == 0x80001234);
    EXPECT(world.answer(id, 0, true) == 0x80010000);
    world.run(0);
    EXPECT(world.answer(id, 0, true) == 0x80010001);
    EXPECT(vp.context().lstar == 0);
    world.run(0);
    // A page is mapped, and the access happens again.
    REQUIRE(world.map(id, 0x100, ram + 15, 3) == HvStatus::Success);
    EXPECT(world.answer(id, 0, false) == 0x80000000);
    world.run(0);
    EXPECT(world.word(ram, 0xF000) == 0x80001234);
    EXPECT(world.word(ram, 0xA008) == 0x600D);
    REQUIRE(world.set_child(id, 0, RegisterName::Rip, vp.context().rip + 2) == HvStatus::Success);  // UD2
    EXPECT(world.answer(id, 0, false) == 0x80010003);
    world.run(0);
    EXPECT(world.word(ram, 0xA00C) == 0xD00D);
    EXPECT(world.answer(id, 0, true) == 0x80010007);
    // A page that is taken away is gone at once, whatever the engine remembers.
    REQUIRE(world.set_child(id, 0, RegisterName::Rip, code_at) == HvStatus::Success);
    REQUIRE(world.unmap(id, 9) == HvStatus::Success);
    world.run(0);
    EXPECT(vp.context().rip == code_at);
    EXPECT(world.answer(id, 0, false) == 0x80000000);
  }
}
