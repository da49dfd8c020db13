#include "tests/unit/vtl/world.h"

using namespace test;

namespace {

constexpr uint64_t bit(unsigned n) {
  return uint64_t{1} << n;
}
constexpr uint64_t get_registers = 0x50;
constexpr uint64_t one_rep = bit(32);

/// Puts a GetVpRegisters block for VpIndex (any number of names) where calls in memory find it.
void write_names(World& world, size_t count) {
  world.write(input_page, GetVpRegisters{partition_self, vp_self, {}, {}});
  for (size_t i = 0; i < count; ++i) {
    world.write(input_page + 16 + 4 * i, static_cast<uint32_t>(RegisterName::VpIndex));
  }
}

}  // namespace

TEST_CASE("control words are checked before anything else is looked at") {
  struct Row {
    const char* what;
    uint64_t control;
    HvStatus status;
  };
  const Row rows[] = {
      {"one register", get_registers | one_rep, HvStatus::Success},
      {"unknown code", 0x00FE, HvStatus::InvalidHypercallCode},
      {"code beyond the table", 0x7FFF, HvStatus::InvalidHypercallCode},
      {"unknown code wins over a malformed word", 0x00FE | bit(27), HvStatus::InvalidHypercallCode},
      {"listed, not implemented", 0x00CC, HvStatus::InvalidHypercallCode},
      {"reserved bit 27", get_registers | one_rep | bit(27), HvStatus::InvalidHypercallInput},
      {"reserved bit 30", get_registers | one_rep | bit(30), HvStatus::InvalidHypercallInput},
      {"nested", get_registers | one_rep | bit(31), HvStatus::InvalidHypercallInput},
      {"reserved bit 44", get_registers | one_rep | bit(44), HvStatus::InvalidHypercallInput},
      {"reserved bit 60", get_registers | one_rep | bit(60), HvStatus::InvalidHypercallInput},
      {"reserved bit 63", get_registers | one_rep | bit(63), HvStatus::InvalidHypercallInput},
      {"variable header", get_registers | one_rep | bit(17), HvStatus::InvalidHypercallInput},
      {"no element", get_registers, HvStatus::InvalidHypercallInput},
      {"start = count", get_registers | one_rep | bit(48), HvStatus::InvalidHypercallInput},
      {"start beyond count", get_registers | one_rep | bit(49), HvStatus::InvalidHypercallInput},
      {"simple call with elements", 0x000D | one_rep, HvStatus::InvalidHypercallInput},
      {"simple call with a start", 0x000D | bit(48), HvStatus::InvalidHypercallInput},
      {"from VTL 0, needs VTL 1", 0x000C | one_rep, HvStatus::AccessDenied},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    World world;
    write_names(world, 1);
    const Outcome outcome = world.vmcall(row.control, input_page, output_page);
    EXPECT(outcome.kind == OutcomeKind::Retire);
    EXPECT(outcome.length == 3);
    EXPECT(world.status() == row.status);
  }
}

TEST_CASE("parameter addresses must be aligned, inside one page, in RAM, and no overlay") {
  struct Row {
    const char* what;
    uint64_t input, output;
    uint16_t names;
    HvStatus status;
  };
  const Row rows[] = {
      {"fine", input_page, output_page, 1, HvStatus::Success},
      {"input off by 4", input_page + 4, output_page, 1, HvStatus::InvalidAlignment},
      {"output off by 1", input_page, output_page + 1, 1, HvStatus::InvalidAlignment},
      {"input crosses", input_page + 0xFF0, output_page, 1, HvStatus::InvalidAlignment},
      {"input just fits", input_page + 0xFE8, output_page, 2, HvStatus::Success},
      {"output crosses", input_page, output_page + 0xFF8, 1, HvStatus::InvalidAlignment},
      {"output just fits", input_page, output_page + 0xFF0, 1, HvStatus::Success},
      {"257 outputs do not fit a page", input_page, output_page, 257, HvStatus::InvalidAlignment},
      {"input beyond RAM", guest_bytes, output_page, 1, HvStatus::InvalidAlignment},
      {"output in the hypervisor's memory", input_page, guest_bytes + 0x1000, 1,
       HvStatus::InvalidAlignment},
      {"input at the end of the address space", ~uint64_t{7}, output_page, 1,
       HvStatus::InvalidAlignment},
      {"input in an overlay page", assist_page0, output_page, 1, HvStatus::InvalidParameter},
      {"output in an overlay page", input_page, assist_page0, 1, HvStatus::InvalidParameter},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    World world;
    REQUIRE(world.wrmsr(msr::VpAssistPage, assist_page0 | 1));
    write_names(world, row.names);
    if (row.input == input_page + 0xFE8) {
      world.write(row.input, GetVpRegisters{partition_self, vp_self, {}, {}});
      for (uint64_t i = 0; i < 2; ++i) {
        world.write(row.input + 16 + 4 * i, static_cast<uint32_t>(RegisterName::VpIndex));
      }
    }
    const Outcome outcome =
        world.vmcall(get_registers | uint64_t{row.names} << 32, row.input, row.output);
    EXPECT(outcome.kind == OutcomeKind::Retire);
    EXPECT(world.status() == row.status);
  }
}

TEST_CASE("fast calls take their parameters from RDX, R8 and XMM, and answer in XMM") {
  World world;
  world.vps[1].shared.gpr[vtl::Rax] = 1;
  auto& xmm = world.vp().shared.fp.xmm;
  const uint64_t names = static_cast<uint64_t>(RegisterName::VsmVpStatus) << 32 |
                         static_cast<uint64_t>(RegisterName::VpIndex);
  xmm[0] = {names, 0x1111};
  xmm[1] = xmm[2] = {0xAAAA, 0xBBBB};
  xmm[3] = {0xCCCC, 0xDDDD};
  const Outcome outcome =
      world.vmcall(control_for(CallCode::GetVpRegisters, 2, true).raw, partition_self, vp_self);
  REQUIRE(outcome.kind == OutcomeKind::Retire);
  EXPECT(world.result().raw == uint64_t{2} << 32);
  // 24 bytes of input, rounded up to 32: the output starts in XMM1.
  EXPECT(xmm[0] == vtl::Xmm{names, 0x1111});
  EXPECT(xmm[1] == vtl::Xmm{0, 0});
  EXPECT(xmm[2] == vtl::Xmm{0x10000, 0});
  EXPECT(xmm[3] == vtl::Xmm{0xCCCC, 0xDDDD});
}

TEST_CASE("a fast call whose parameters and results do not fit the registers fails") {
  for (uint16_t count = 1; count <= 8; ++count) {
    INFO(count);
    World world;
    const uint64_t name = static_cast<uint64_t>(RegisterName::VpIndex);
    world.vp().shared.fp.xmm[0] =
        world.vp().shared.fp.xmm[1] = {name << 32 | name, name << 32 | name};
    world.vmcall(control_for(CallCode::GetVpRegisters, count, true).raw, partition_self, vp_self);
    // The conformance tests of the reference (section 13): four names fit, five do not.
    EXPECT(world.status() == (count <= 4 ? HvStatus::Success : HvStatus::InvalidHypercallInput));
  }
  World world;
  world.vmcall(control_for(CallCode::EnableVpVtl, 0, true).raw, partition_self, vp_self);
  EXPECT(world.status() == HvStatus::InvalidHypercallInput);  // 240 bytes never fit
}

TEST_CASE("a long rep call goes on where it stopped and counts from element 0") {
  vtl::HypervisorConfig config;
  config.reps_per_entry = 16;
  World world{config};
  write_names(world, 100);
  world.vp().context().rip = code_page;
  Exit exit;
  exit.reason = ExitReason::Hypercall;
  world.vp().shared.gpr[vtl::Rcx] = get_registers | uint64_t{100} << 32;
  world.vp().shared.gpr[vtl::Rdx] = input_page;
  world.vp().shared.gpr[vtl::R8] = output_page;
  for (uint64_t done = 16; done < 100; done += 16) {
    const Outcome outcome = world.hypervisor.handle(exit, world.vp(), world.now);
    REQUIRE(outcome.kind == OutcomeKind::Resume);
    EXPECT(outcome.ticks == 1);
    EXPECT(HypercallControl{world.vp().shared.gpr[vtl::Rcx]}.rep_start() == done);
    EXPECT(world.vp().context().rip == code_page);
  }
  REQUIRE(world.hypervisor.handle(exit, world.vp(), world.now).kind == OutcomeKind::Retire);
  EXPECT(world.result().raw == uint64_t{100} << 32);
}

TEST_CASE(
    "a rep call that fails says how many elements it did and leaves the rest of the output alone") {
  World world;
  write_names(world, 5);
  world.write(input_page + 16 + 4 * 3, uint32_t{0xDEADBEEF});
  for (uint64_t i = 0; i < 10; ++i)
    world.write(output_page + 8 * i, uint64_t{0x5555});
  world.vmcall(get_registers | uint64_t{5} << 32, input_page, output_page);
  EXPECT(world.status() == HvStatus::UnknownRegisterName);
  EXPECT(world.result().reps_completed() == 3);
  EXPECT(world.read<uint64_t>(output_page + 40) == 0);
  EXPECT(world.read<uint64_t>(output_page + 48) == 0x5555);
}

TEST_CASE("hypercalls from user mode, from compatibility mode and on a bare machine are #UD") {
  SECTION("CPL 3") {
    World world;
    world.vp().context().segments[vtl::Ss].attributes |= 3 << 5;
    const Outcome outcome = world.vmcall(0x11);
    EXPECT(outcome.kind == OutcomeKind::Inject);
    EXPECT(outcome.exception.vector == 6);
  }
  SECTION("32-bit code segment") {
    World world;
    world.vp().context().segments[vtl::Cs].attributes = 0xC09B;
    EXPECT(world.vmcall(get_registers | one_rep).exception.vector == 6);
  }
  SECTION("bare machine") {
    World world{{}, false};
    const Outcome outcome = world.vmcall(get_registers | one_rep);
    EXPECT(outcome.kind == OutcomeKind::Inject);
    EXPECT(outcome.exception.vector == 6);
  }
}

TEST_CASE("hypercalls preserve every register but RAX, and announce themselves") {
  World world;
  write_names(world, 1);
  for (uint64_t i = 0; i < vtl::gpr_count; ++i)
    world.vp().shared.gpr[i] = 0x1000 + i;
  const auto xmm = world.vp().shared.fp;
  world.vmcall(get_registers | one_rep, input_page, output_page);
  for (uint64_t i = 0; i < vtl::gpr_count; ++i) {
    if (i == vtl::Rax || i == vtl::Rcx || i == vtl::Rdx || i == vtl::R8) continue;
    EXPECT(world.vp().shared.gpr[i] == 0x1000 + i);
  }
  EXPECT(world.vp().shared.gpr[vtl::Rcx] == (get_registers | one_rep));
  EXPECT(world.vp().shared.fp == xmm);
  REQUIRE(world.events.count(support::EventKind::Hypercall) == 1);
  EXPECT(world.events.entries.back().a == (get_registers | one_rep));
  EXPECT(world.events.entries.back().b == uint64_t{1} << 32);
  // The captured parameters travel along, for the decoder.
  const std::string& input = world.events.entries.back().text;
  REQUIRE(input.size() == sizeof(GetVpRegisters) + sizeof(RegisterNameElement));
  EXPECT(static_cast<uint8_t>(input[0]) == 0xFF);
  EXPECT(static_cast<uint8_t>(input[18]) == 0x09);
}

TEST_CASE("every call that is listed as not implemented answers InvalidHypercallCode") {
  for (const CallInfo& call : calls) {
    if (call.shape != CallShape::NotImplemented) continue;
    INFO(call.name);
    World world;
    world.vmcall(static_cast<uint64_t>(call.code), input_page, output_page);
    EXPECT(world.status() == HvStatus::InvalidHypercallCode);
  }
}
