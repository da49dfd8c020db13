// Random exits of both VTLs. Two things must hold whatever they are: the hypervisor never breaks an
// invariant of its own (a CHECK would end the process), and nothing that VTL 0 does changes the
// state of VTL 1.
#include <fmt/format.h>

#include <map>

#include "sim/support/prng.h"
#include "sim/support/state.h"
#include "tests/unit/vtl/world.h"
#include "vtl/call_fields.h"

using namespace test;
using mmu::AccessKind;

namespace {

constexpr uint64_t secret_page = victim_page, read_only_page = victim_page + 0x1000;
constexpr uint64_t canary = 0x5EC2E75EC2E75EC2;

/// Everything of VTL 1 that VTL 0 must not be able to change, as one hash.
support::StateHash upper_state(World& world) {
  support::StateHasher hasher;
  const vtl::Partition& partition = world.hypervisor.partition();
  for (const auto& vp : partition.vps) {
    const vtl::VtlContext& c = vp->registers->contexts[Vtl::Vtl1];
    for (const uint64_t value : {c.rip,
                                 c.rsp,
                                 c.rflags,
                                 c.cr0,
                                 c.cr3,
                                 c.cr4,
                                 c.efer,
                                 c.dr7,
                                 c.star,
                                 c.lstar,
                                 c.cstar,
                                 c.sfmask,
                                 c.kernel_gs_base,
                                 c.sysenter_cs,
                                 c.sysenter_esp,
                                 c.sysenter_eip,
                                 c.pat,
                                 c.tsc_aux,
                                 c.tsc_offset,
                                 c.misc_enable,
                                 uint64_t{c.tpr},
                                 uint64_t{c.interrupt_shadow},
                                 uint64_t{c.exception_pending},
                                 uint64_t{c.tr.selector},
                                 c.tr.base,
                                 c.gdtr.base,
                                 c.idtr.base}) {
      hasher.add(value);
    }
    for (const vtl::Segment& segment : c.segments)
      hasher.add(segment.base).add(segment.attributes);
    const vtl::VtlState& state = vp->vtls[Vtl::Vtl1];
    hasher.add(vp->enabled_vtls);
    hasher.add(state.synic.scontrol)
        .add(state.synic.simp)
        .add(state.synic.siefp)
        .add(state.synic.sint[0]);
    hasher.add(state.vp_assist_page).add(state.vina.raw).add(state.cr_intercepts.raw);
    hasher.add(state.secure_config[Vtl::Vtl0].raw);
  }
  const vtl::PartitionVtl& vtl1 = partition.vtls[Vtl::Vtl1];
  hasher.add(vtl1.guest_os_id).add(vtl1.hypercall).add(vtl1.reference_tsc).add(vtl1.config.raw);
  hasher.add(partition.enabled_vtls).add(partition.mbec_enabled_vtls);
  for (const uint64_t gpa :
       {secret_page, read_only_page, assist_page1, message_page1, hypercall_page, input_page}) {
    const auto mapping = partition.memory->slat(Vtl::Vtl1)->lookup(Gpa{gpa});
    hasher.add(mapping.spa.value()).add(mapping.rights.read && mapping.rights.write);
    hasher.add(partition.memory->protection(Vtl::Vtl1, Gpa{gpa}));
    const auto lower = partition.memory->slat(Vtl::Vtl0)->lookup(Gpa{gpa}).rights;
    if (gpa == secret_page) hasher.add(lower.read);
    if (gpa == read_only_page) hasher.add(lower.write);
  }
  for (uint64_t offset = 0; offset < 4096; offset += 8) {
    hasher.add(world.memory.read<uint64_t>(Spa{secret_page + offset}));
    hasher.add(world.memory.read<uint64_t>(Spa{read_only_page + offset}));
  }
  return hasher.finish();
}
/// What only an intercept may change: messages, entry reason, pending interrupts.
support::StateHash upper_inbox(World& world) {
  support::StateHasher hasher;
  hasher.add(support::hash_of(world.hypervisor.partition().vps[0]->vtls[Vtl::Vtl1].apic));
  for (const uint64_t gpa : {assist_page1, message_page1}) {
    for (uint64_t offset = 0; offset < 4096; offset += 8) {
      hasher.add(world.memory.read<uint64_t>(world.spa(gpa + offset, Vtl::Vtl1)));
    }
  }
  return hasher.finish();
}

class Fuzzer {
 public:
  /// Counts in `answers` how often each status was seen.
  Fuzzer(World& world, uint64_t seed, std::map<uint16_t, int>& answers)
      : world_{world}, answers_{answers}, prng_{seed, "hypercall fuzz"} {}

  Outcome step() {
    switch (prng_.below(6)) {
      case 0:
        return msr();
      case 1:
        return violation();
      case 2:
        apic();
        return {};
      default:
        return hypercall();
    }
  }

  Outcome hypercall() {
    auto& gpr = world_.current->shared.gpr;
    size_t index = prng_.below(call_count);
    while (calls[index].shape == CallShape::NotImplemented && !prng_.one_in(40)) {
      index = prng_.below(call_count);
    }
    const CallInfo& call = calls[index];
    const uint64_t count = call.element == 0 ? 0
                           : prng_.one_in(8) ? prng_.below(4096)
                                             : 1 + prng_.below(8);
    HypercallControl control{static_cast<uint64_t>(call.code) | count << 32};
    if (has_variable_header(call.shape))
      control = control.with_variable_header_qwords(static_cast<uint16_t>(prng_.below(3)));
    if (prng_.one_in(6)) control.raw ^= uint64_t{1} << prng_.below(64);
    if (prng_.one_in(10))
      control = control.with_rep_start(static_cast<uint16_t>(prng_.below(4096)));
    if (prng_.one_in(4)) control = control.with_fast(true);
    if (prng_.one_in(20)) control.raw = prng_.next();
    // A real VTL call is not what this test is about.
    if (control.raw == 0x11 || control.raw == 0x12) gpr[vtl::Rax] = 0xFF;
    fill_block(vtl::call_fields[index], call, count);
    gpr[vtl::Rcx] = control.raw;
    if (!control.fast()) {
      gpr[vtl::Rdx] = prng_.one_in(5) ? address() : input_page;
      gpr[vtl::R8] = prng_.one_in(5) ? address() : output_page;
    }
    const Outcome outcome = world_.exit(ExitReason::Hypercall);
    if (outcome.kind == OutcomeKind::Retire) ++answers_[world_.result().status()];
    return outcome;
  }
  Outcome msr() {
    Exit exit;
    exit.reason = prng_.one_in(3) ? ExitReason::MsrRead : ExitReason::MsrWrite;
    switch (prng_.below(4)) {
      case 0:
        exit.msr = static_cast<uint32_t>(prng_.next());
        break;
      case 1:
        exit.msr = 0x800 + static_cast<uint32_t>(prng_.below(0x48));
        break;
      case 2:
        exit.msr = prng_.one_in(2) ? 0x1B : 0x6E0;
        break;
      default:
        exit.msr = synthetic_msrs[prng_.below(std::size(synthetic_msrs))].number;
    }
    if (exit.msr == msr::Reset || exit.msr == msr::Hypercall) exit.reason = ExitReason::MsrRead;
    exit.value = prng_.one_in(2) ? address() | prng_.below(2) : value();
    return world_.hypervisor.handle(exit, *world_.current, world_.now);
  }

  Outcome violation() {
    Exit exit =
        World::violation_exit(address(), static_cast<AccessKind>(prng_.below(3)), prng_.next());
    exit.fault.paging_structure = prng_.one_in(4);
    exit.fault.kind = prng_.one_in(4) ? mmu::FaultKind::GpaUnmapped : mmu::FaultKind::SlatViolation;
    exit.instruction_length = static_cast<uint8_t>(prng_.below(16));
    return world_.hypervisor.handle(exit, *world_.current, world_.now);
  }

  void apic() {
    const auto offset =
        static_cast<uint16_t>(prng_.one_in(4) ? prng_.below(4096) : 16 * prng_.below(64));
    const auto size = static_cast<uint8_t>(prng_.one_in(8) ? 1 << prng_.below(4) : 4);
    if (prng_.one_in(3)) {
      (void)world_.hypervisor.apic_mmio_read(*world_.current, offset, size, world_.now);
    } else {
      world_.hypervisor.apic_mmio_write(*world_.current, offset, size, value(), world_.now);
    }
  }

  uint64_t below(uint64_t bound) { return prng_.below(bound); }

 private:
  /// Parameters by the meaning of their fields, in memory and in the fast registers.
  void fill_block(const vtl::CallFields& fields, const CallInfo& call, uint64_t count) {
    std::array<uint8_t, 4096> block{};
    fill(fields.header, block.data());
    for (uint64_t i = 0; i < count && call.header + (i + 1) * call.element <= block.size(); ++i) {
      fill(fields.element, block.data() + call.header + i * call.element);
    }
    if (prng_.one_in(10)) block[prng_.below(64)] ^= static_cast<uint8_t>(1u << prng_.below(8));
    REQUIRE(world_.memory.write(Spa{input_page}, std::span<const uint8_t>{block}));
    auto& shared = world_.current->shared;
    std::memcpy(&shared.gpr[vtl::Rdx], block.data(), 8);
    std::memcpy(&shared.gpr[vtl::R8], block.data() + 8, 8);
    std::memcpy(shared.fp.xmm.data(), block.data() + 16, 96);
  }
  void fill(std::span<const abi::Field> fields, uint8_t* at) {
    for (const abi::Field& field : fields) {
      if (field.kind == abi::FieldKind::Bytes && field.size == sizeof(InitialVpContext)) {
        const InitialVpContext context = good_context();
        std::memcpy(at + field.offset, &context, sizeof context);
        continue;
      }
      const uint64_t chosen = field_value(field);
      std::memcpy(at + field.offset, &chosen, std::min<size_t>(field.size, 8));
    }
  }
  uint64_t field_value(const abi::Field& field) {
    using abi::FieldKind;
    switch (field.kind) {
      case FieldKind::Vtl:
        return prng_.one_in(4) ? prng_.next() : (prng_.below(2) << 4 | prng_.below(3));
      case FieldKind::Gpa:
        return prng_.one_in(4) ? prng_.next() : address() / 4096;
      case FieldKind::Reserved:
        return prng_.one_in(20) ? prng_.next() : 0;
      case FieldKind::Flags:
        return prng_.one_in(4) ? prng_.next() : prng_.below(16);
      case FieldKind::Register: {
        if (prng_.one_in(10)) return prng_.next();
        return static_cast<uint64_t>(vp_registers[prng_.below(vp_register_count)].number);
      }
      default:
        break;
    }
    const std::string_view name = field.name;
    if (name == "vector") return prng_.one_in(3) ? prng_.below(300) : 0x20 + prng_.below(0xD0);
    if (name.ends_with("partition")) return prng_.one_in(10) ? prng_.next() : partition_self;
    if (name == "target_vp") return prng_.one_in(4) ? prng_.below(4) : vp_self;
    return value();
  }
  uint64_t value() { return prng_.next() >> prng_.below(64); }
  uint64_t address() {
    static constexpr uint64_t pages[] = {secret_page,
                                         read_only_page,
                                         assist_page1,
                                         message_page1,
                                         assist_page0,
                                         hypercall_page,
                                         input_page,
                                         output_page,
                                         guest_bytes,
                                         guest_bytes - 4096,
                                         0,
                                         0xFEE00000,
                                         uint64_t{1} << 40};
    const uint64_t page = prng_.one_in(4) ? prng_.below(guest_bytes / 4096) * 4096
                                          : pages[prng_.below(std::size(pages))];
    return page + (prng_.one_in(3) ? prng_.below(4096) : 0);
  }

  World& world_;
  std::map<uint16_t, int>& answers_;
  support::Prng prng_;
};

void prepare(World& world) {
  world.enable_apic();
  REQUIRE(world.wrmsr(msr::GuestOsId, 1));
  REQUIRE(world.wrmsr(msr::Hypercall, hypercall_page | 1));
  world.enter_vtl1_ready(true);
  for (uint64_t offset = 0; offset < 4096; offset += 8)
    world.write(secret_page + offset, canary + offset);
  REQUIRE(world.protect(secret_page, 0) == HvStatus::Success);
  REQUIRE(world.protect(read_only_page, map_gpa::readable) == HvStatus::Success);
  REQUIRE(world.vtl_return(1).vtl_changed);
}

void report(const char* who, const std::map<uint16_t, int>& answers) {
  fmt::print("hypercall fuzz of {}:", who);
  for (const auto& [status, count] : answers) {
    const StatusInfo* info = find_status(status);
    fmt::print(" {} {},", info != nullptr ? info->name : "unlisted", count);
  }
  fmt::print("\n");
}

/// VTL 1's answer to an intercept: take it, make the slot free, go back.
void serve_intercept(World& world) {
  REQUIRE(world.vp().active == Vtl::Vtl1);
  const auto vector = world.hypervisor.check_interrupts(world.vp(), world.now);
  REQUIRE(vector == intercept_vector);
  Exit accepted;
  accepted.reason = ExitReason::InterruptAccepted;
  accepted.vector = *vector;
  (void)world.hypervisor.handle(accepted, world.vp(), world.now);
  world.write(message_page1, uint32_t{0});
  REQUIRE(world.wrmsr(msr::Eom, 0));
  REQUIRE(world.wrmsr(msr::Eoi, 0));
  REQUIRE(world.vtl_return(1).vtl_changed);
}

/// VTL 1's answer to interrupts that VTL 0 sent: take all, go back.
void serve_interrupts(World& world) {
  while (const auto vector = world.hypervisor.check_interrupts(world.vp(), world.now)) {
    Exit accepted;
    accepted.reason = ExitReason::InterruptAccepted;
    accepted.vector = *vector;
    (void)world.hypervisor.handle(accepted, world.vp(), world.now);
    REQUIRE(world.wrmsr(msr::Eoi, 0));
  }
  REQUIRE(world.vtl_return(1).vtl_changed);
}

}  // namespace

TEST_CASE("whatever VTL 0 does, VTL 1's state and pages stay as they are") {
  int intercepts = 0;
  std::map<uint16_t, int> answers;
  for (uint64_t seed = 1; seed <= 24; ++seed) {
    INFO("seed " << seed);
    World world;
    prepare(world);
    Fuzzer fuzzer{world, seed, answers};
    support::StateHash expected = upper_state(world), inbox = upper_inbox(world);
    for (int step = 0; step < 500; ++step) {
      INFO("step " << step);
      world.now = world.now + fuzzer.below(50);
      const Outcome outcome = fuzzer.step();
      REQUIRE(outcome.kind != OutcomeKind::MachineFailure);
      if (outcome.vtl_changed) {
        REQUIRE(world.vp().active == Vtl::Vtl1);
        serve_intercept(world);
        ++intercepts;
        expected = upper_state(world);  // VTL 1's own RIP moved by its VTL return
        inbox = upper_inbox(world);
      }
      (void)world.hypervisor.check_interrupts(world.vp(), world.now);
      if (world.vp().active == Vtl::Vtl1) {  // VTL 0 may send it interrupts (TLFS 15.12)
        serve_interrupts(world);
        expected = upper_state(world);
      }
      REQUIRE(world.vp().active == Vtl::Vtl0);
      REQUIRE(upper_state(world) == expected);
      REQUIRE(upper_inbox(world) == inbox);
      REQUIRE(world.memory.read<uint64_t>(Spa{secret_page + 64}) == canary + 64);
    }
  }
  report("VTL 0", answers);
  // The inputs are good enough to get past the first checks.
  EXPECT(intercepts > 200);
  EXPECT(answers[static_cast<uint16_t>(HvStatus::Success)] > 200);
  EXPECT(answers[static_cast<uint16_t>(HvStatus::AccessDenied)] > 200);
  EXPECT(answers.size() >= 8);
}

TEST_CASE("random exits of VTL 1 break no invariant, and VTL 0 never gets more than VTL 1 allows") {
  std::map<uint16_t, int> answers;
  for (uint64_t seed = 101; seed <= 124; ++seed) {
    INFO("seed " << seed);
    World world;
    prepare(world);
    REQUIRE(world.vtl_call().vtl_changed);
    Fuzzer fuzzer{world, seed, answers};
    const vtl::GuestMemory& memory = *world.hypervisor.partition().memory;
    for (int step = 0; step < 500; ++step) {
      INFO("step " << step);
      world.now = world.now + fuzzer.below(50);
      (void)fuzzer.step();
      (void)world.hypervisor.check_interrupts(world.vp(), world.now);
      REQUIRE(world.vp().active == Vtl::Vtl1);
      for (const uint64_t gpa :
           {secret_page, read_only_page, input_page, assist_page1, fuzzer.below(2048) * 4096}) {
        const auto lower = memory.slat(Vtl::Vtl0)->lookup(Gpa{gpa}).rights;
        const auto allowed = vtl::rights_of(memory.protection(Vtl::Vtl1, Gpa{gpa}));
        REQUIRE((allowed.read || !lower.read));
        REQUIRE((allowed.write || !lower.write));
        REQUIRE((allowed.kernel_execute || !lower.kernel_execute));
        REQUIRE((allowed.user_execute || !lower.user_execute));
        REQUIRE(memory.slat(Vtl::Vtl1)->lookup(Gpa{gpa}).rights.read);
      }
    }
  }
  report("VTL 1", answers);
  EXPECT(answers[static_cast<uint16_t>(HvStatus::Success)] > 200);
  EXPECT(answers.size() >= 10);
}
