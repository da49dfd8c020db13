// Random calls of a parent and random acts of its children: no page ever has two owners, no child gets more than its
// parent has, and every state is one that a restore accepts.
#include <map>

#include "sim/support/prng.h"
#include "sim/support/state.h"
#include "tests/unit/vtl/child_world.h"

using namespace test;

namespace {

constexpr uint64_t candidates = 48;  ///< pages of the root from pool_page on, and pages of a child from 0 on

class ParentFuzzer {
 public:
  ParentFuzzer(ChildWorld& world, uint64_t seed) : world_{world}, prng_{seed, "partition fuzz"} {}

  HvStatus step() {
    const uint64_t id = 1 + prng_.below(6);
    const uint64_t page = pool_page + prng_.below(candidates);
    const uint64_t target = prng_.below(candidates);
    const auto count = static_cast<uint16_t>(1 + prng_.below(4));
    switch (prng_.below(14)) {
      case 0: {
        uint64_t made = 0;
        return world_.create(prng_.below(2) != 0 ? lapic : 0, made);
      }
      case 1: return world_.with_id(CallCode::InitializePartition, id);
      case 2: return prng_.below(6) == 0 ? world_.with_id(CallCode::FinalizePartition, id) : HvStatus::Success;
      case 3: return world_.with_id(CallCode::DeletePartition, id);
      case 4:
      case 5: return world_.deposit(id, page, 8);
      case 6: return world_.withdraw(id, count);
      case 7:
      case 8: return world_.map(id, target, page, static_cast<uint32_t>(prng_.below(18)), count);
      case 9: return world_.unmap(id, target, count);
      case 10: return world_.create_vp(id, static_cast<uint32_t>(prng_.below(3)));
      case 11:
        return world_.slow(CallCode::DeleteVp,
                           abi::hv::DeleteVp{id, static_cast<uint32_t>(prng_.below(3)), 0});
      case 12:
        return world_.install(id, static_cast<InterceptType>(prng_.below(14)), static_cast<uint32_t>(prng_.below(8)),
                              prng_.below(40));
      default: return protect(page);
    }
  }
  /// Something that a child's VP does.
  void child_step() {
    VirtualProcessor& vp = world_.spares[prng_.below(3)];
    if (vp.partition == 0) return;
    vp.intercept_suspend = false;
    World::in_long_mode(vp.context());
    for (uint64_t& gpr : vp.shared.gpr) gpr = prng_.below(4) == 0 ? prng_.next() : prng_.below(0x20) * 0x1000;
    Exit exit;
    constexpr ExitReason reasons[] = {ExitReason::Hypercall, ExitReason::Cpuid,     ExitReason::MsrRead,
                                      ExitReason::MsrWrite,  ExitReason::IoRead,    ExitReason::Exception,
                                      ExitReason::Halt,      ExitReason::TripleFault};
    exit.reason = reasons[prng_.below(std::size(reasons))];
    if (exit.reason == ExitReason::Hypercall) {
      vp.shared.gpr[vtl::Rcx] = calls[prng_.below(call_count)].code == CallCode::VtlCall
                                    ? 0x11
                                    : control_for(calls[prng_.below(call_count)].code,
                                                  static_cast<uint16_t>(prng_.below(3)))
                                          .raw;
    }
    exit.msr = static_cast<uint32_t>(0x40000000 + prng_.below(0x110));
    exit.value = prng_.below(2) != 0 ? prng_.below(0x40) * 0x1000 | 1 : prng_.next();
    exit.exception.vector = static_cast<uint8_t>(prng_.below(32));
    exit.io.size = 1;
    const Outcome outcome = world_.hypervisor.handle(exit, vp, world_.now);
    REQUIRE(outcome.kind != OutcomeKind::MachineFailure);
    REQUIRE(outcome.kind != OutcomeKind::Reset);
  }
  uint64_t below(uint64_t limit) { return prng_.below(limit); }

 private:
  /// VTL 1 of the root restricts a page.
  HvStatus protect(uint64_t page) {
    REQUIRE(world_.vtl_call().vtl_changed);
    constexpr uint32_t masks[] = {0, 1, 3, 0xF, 0xD};
    const HvStatus status = world_.protect(page * 4096, masks[prng_.below(5)]);
    REQUIRE(world_.vtl_return(1).vtl_changed);
    return status;
  }
  ChildWorld& world_;
  support::Prng prng_;
};

bool within(mmu::Rights rights, mmu::Rights limit) {
  return (limit.read || !rights.read) && (limit.write || !rights.write) &&
         (limit.kernel_execute || !rights.kernel_execute) && (limit.user_execute || !rights.user_execute);
}

void check(ChildWorld& world) {
  const vtl::GuestMemory& root = *world.hypervisor.partition().memory;
  std::map<uint64_t, uint64_t> owner;  // of deposited pages
  for (uint64_t id = 2; id < 64; ++id) {
    const vtl::Partition* const child = world.hypervisor.find_partition(id);
    if (child == nullptr) continue;
    for (const Spa page : child->memory->deposited()) REQUIRE(owner.emplace(page.page_number(), id).second);
  }
  for (uint64_t page = pool_page; page < pool_page + candidates; ++page) {
    const Gpa gpa{page * 4096};
    REQUIRE(root.is_ram(gpa) == !owner.contains(page));
    for (const Vtl vtl : {Vtl::Vtl0, Vtl::Vtl1})
      REQUIRE(root.slat(vtl)->lookup(gpa).mapped == !owner.contains(page));
  }
  for (uint64_t id = 2; id < 64; ++id) {
    const vtl::Partition* const child = world.hypervisor.find_partition(id);
    if (child == nullptr || child->memory->slat(Vtl::Vtl0) == nullptr) continue;
    for (uint64_t page = 0; page < candidates + 4; ++page) {
      const auto mapping = child->memory->slat(Vtl::Vtl0)->lookup(Gpa{page * 4096});
      if (!mapping.mapped) continue;
      const uint64_t where = mapping.spa.page_number();
      if (child->memory->is_overlay(Vtl::Vtl0, Gpa{page * 4096})) {
        REQUIRE(owner.contains(where));
        REQUIRE(owner[where] == id);
        continue;
      }
      REQUIRE(!owner.contains(where));
      const auto limit = root.slat(Vtl::Vtl0)->lookup(Gpa{where * 4096});
      REQUIRE(limit.mapped);
      REQUIRE(within(mapping.rights, limit.rights));
    }
  }
  REQUIRE(std::string_view{world.hypervisor.what_is_unsound()} == "");
}

}  // namespace

TEST_CASE("whatever a parent asks for, no page has two owners and no child has more than its parent") {
  std::map<HvStatus, int> answers;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    INFO("seed " << seed);
    ChildWorld world;
    world.listen();
    world.enter_vtl1_ready();
    REQUIRE(world.vtl_return(1).vtl_changed);
    ParentFuzzer fuzzer{world, seed};
    for (int step = 0; step < 600; ++step) {
      INFO("step " << step);
      ++answers[fuzzer.step()];
      if (fuzzer.below(3) == 0) fuzzer.child_step();
      check(world);
    }
    std::vector<uint8_t> bytes;
    support::StateWriter writer{bytes};
    writer.visit(world.hypervisor);
    const auto hash = support::hash_of(world.hypervisor);
    support::StateReader reader{bytes};
    reader.visit(world.hypervisor);
    REQUIRE(reader.finish().ok());
    REQUIRE(support::hash_of(world.hypervisor) == hash);
    check(world);
  }
  // The calls get past their first checks.
  EXPECT(answers[HvStatus::Success] > 500);
  EXPECT(answers[HvStatus::InsufficientMemory] > 10);
  EXPECT(answers[HvStatus::AccessDenied] > 10);
  EXPECT(answers.size() >= 9);
}

TEST_CASE("a changed state with children is refused or sound") {
  ChildWorld world;
  world.listen();
  const uint64_t id = world.child();
  world.run_child(id);
  REQUIRE(world.install(id, InterceptType::Exception, 4, 14) == HvStatus::Success);
  std::vector<uint8_t> good;
  support::StateWriter writer{good};
  writer.visit(world.hypervisor);
  support::Prng prng{7, "hostile partitions"};
  int refused = 0, sound = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<uint8_t> bytes = good;
    for (uint64_t change = 0; change <= prng.below(2); ++change) {
      uint8_t& byte = bytes[prng.below(bytes.size())];
      byte = prng.below(2) != 0 ? static_cast<uint8_t>(prng.next()) : static_cast<uint8_t>(byte ^ 1u << prng.below(8));
    }
    support::StateReader reader{bytes};
    reader.visit(world.hypervisor);
    const bool accepted = reader.finish().ok() && *world.hypervisor.what_is_unsound() == '\0';
    ++(accepted ? sound : refused);
    if (accepted && world.spares[0].partition != 0) {
      Exit exit;
      exit.reason = ExitReason::Cpuid;
      (void)world.child_exit(exit);
      (void)world.hypervisor.check_interrupts(world.spares[0], world.now);
    }
    support::StateReader again{good};
    again.visit(world.hypervisor);
    REQUIRE(again.finish().ok());
  }
  EXPECT(refused > 100);
  EXPECT(sound > 100);
}
