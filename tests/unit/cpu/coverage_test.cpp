// Coverage is what a naive observer of each instruction finds, in both gears, whatever was run before and wherever it stopped.
#include "sim/cpu/block_coverage.h"

#include <set>

#include "sim/cpu/instruction.h"
#include "tests/unit/cpu/soak.h"

using namespace cpu_test;

namespace {

/// Knows only what instructions are and where they are shown.
class NaiveObserver final : public vtl::InstructionObserver {
 public:
  explicit NaiveObserver(SoakWorld& world) : world_{world} {}
  /// Before the instruction at RIP.
  void begin() {
    known_ = false;
    heads.clear();
    last_ = linear_rip(world_.vp);
  }
  void before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) override {
    const vtl::VtlContext& c = vp.context();
    const vtl::Segment& cs = c.segments[vtl::Cs];
    const bool long_code = (cs.attributes & x64::segment::long_mode) != 0;
    const uint64_t address = linear_rip(vp);
    const bool again = known_ && now == last_instant_ && address == last_;
    // An event may come before the first instruction.
    if (known_ ? !again && begins_block(now, address) : address != last_) heads.insert({address, static_cast<uint8_t>(vp.active)});
    known_ = true;
    last_ = address;
    last_instant_ = now;
    uint8_t bytes[cpu::max_instruction_length]{};
    const mmu::AddressSpace space = world_.address_space(vp);
    for (size_t i = 0; i < sizeof bytes; ++i) {
      const mmu::TranslationResult at =
          world_.translator.probe(space, {mmu::Gva{long_code ? address + i : static_cast<uint32_t>(address + i)},
                                          mmu::AccessKind::Execute, (c.segments[vtl::Ss].attributes >> 5 & 3) == 3, false});
      if (!at.ok || !at.translation.ram) break;
      bytes[i] = world_.memory.data()[at.translation.spa.value()];
    }
    const bool big = (cs.attributes & x64::segment::default_big) != 0;
    in_ = cpu::decode(bytes, long_code ? cpu::CodeSize::Bits64 : big ? cpu::CodeSize::Bits32 : cpu::CodeSize::Bits16);
  }
  std::set<cpu::GuestBlock> heads;

 private:
  static uint64_t linear_rip(const vtl::VirtualProcessor& vp) {
    const vtl::Segment& cs = vp.context().segments[vtl::Cs];
    const uint64_t rip = vp.context().rip;
    return (cs.attributes & x64::segment::long_mode) != 0 ? rip : static_cast<uint32_t>(rip + cs.base);
  }
  [[nodiscard]] bool begins_block(support::Instant now, uint64_t address) const {
    if (now == last_instant_) return true;  // it did not execute: an event took its place
    if (in_.status != cpu::DecodeStatus::Ok) return true;
    if (cpu::is_control_transfer(in_)) return true;
    const bool goes_on = address == last_ && cpu::is_repeated_string(in_);
    return !goes_on && static_cast<uint32_t>(address) != static_cast<uint32_t>(last_ + in_.length);
  }
  SoakWorld& world_;
  bool known_{};
  uint64_t last_{};
  support::Instant last_instant_{};
  cpu::Instruction in_;
};

/// For the message of a failure.
std::string text(const std::vector<cpu::GuestBlock>& blocks) {
  std::string result;
  for (const cpu::GuestBlock& block : blocks) result += " " + std::to_string(block.address);
  return result;
}

std::vector<uint8_t> edges_of(cpu::BlockCoverage& coverage) {
  return {coverage.edges().begin(), coverage.edges().end()};
}

/// Runs on, with stops at random instants. `coverage` may be null.
void run_stream(SoakWorld& world, cpu::BlockCoverage* coverage, SoakMode mode, uint64_t seed, uint64_t stops,
                NaiveObserver* observer = nullptr) {
  world.now = {1000};
  world.prepare(mode, seed);
  if (observer != nullptr) observer->begin();
  if (coverage != nullptr) coverage->clear();
  support::Prng random{stops, "stops"};
  const uint64_t end = world.now.ticks + 400;
  while (world.now.ticks < end) {
    if (!drive(world, std::min(end, world.now.ticks + 1 + random.below(random.one_in(2) ? 5 : 400)))) return;
  }
}

}  // namespace

TEST_CASE("coverage of random programs in every mode is what a naive observer finds, in both gears") {
  SoakWorld fast{cpu::Gear::Fast}, exact{cpu::Gear::Exact}, plain{cpu::Gear::Fast};
  cpu::BlockCoverage fast_coverage, exact_coverage;
  REQUIRE(fast_coverage.reachable());
  fast.processor->cover(&fast_coverage);
  exact.processor->cover(&exact_coverage);
  NaiveObserver observer{exact};
  exact.processor->observe(&observer);
  size_t blocks = 0;
  for (uint64_t seed = 0; seed < 600; ++seed) {
    CAPTURE(seed);
    const auto mode = static_cast<SoakMode>(seed % static_cast<unsigned>(SoakMode::count));
    for (uint64_t round = 0; round < 3; ++round) {  // blocks are counted by a call first, then by themselves
      run_stream(exact, &exact_coverage, mode, seed, seed + 7, &observer);
      run_stream(plain, nullptr, mode, seed, seed + round);  // the same stops as the covered one
      run_stream(fast, &fast_coverage, mode, seed, seed + round);
      const std::vector<cpu::GuestBlock> expected{observer.heads.begin(), observer.heads.end()};
      CAPTURE(round, text(expected), text(exact_coverage.entered()), text(fast_coverage.entered()));
      REQUIRE(exact_coverage.entered() == expected);
      REQUIRE(fast_coverage.entered() == expected);
      REQUIRE(edges_of(fast_coverage) == edges_of(exact_coverage));
      blocks += expected.size();
    }
    REQUIRE(fast.state() == plain.state());
  }
  EXPECT(blocks > 2000);
  fast.processor->cover(nullptr);
  exact.processor->cover(nullptr);
  exact.processor->observe(nullptr);
}

TEST_CASE("covered blocks of the pinned library count themselves, each edge as often as it was taken") {
  World world{cpu::Gear::Fast};
  // L: inc eax; test eax, 7; jz M; nop; M: dec ecx; jnz L; hlt
  world.put(kernel_code, {0xff, 0xc0, 0xa9, 7, 0, 0, 0, 0x74, 0x01, 0x90, 0xff, 0xc9, 0x75, 0xf2, 0xf4});
  cpu::BlockCoverage coverage;
  world.processor->cover(&coverage);
  for (const uint64_t rounds : {200u, 1000u}) {
    world.context().rip = kernel_code;
    world.gpr(vtl::Rax) = 0;
    world.gpr(vtl::Rcx) = rounds;
    coverage.clear();
    vtl::Exit last;
    while (drive(world, world.now.ticks + 100'000, &last)) {
    }
    REQUIRE(last.reason == vtl::ExitReason::Halt);
    const auto edge = [&](uint64_t from, uint64_t to) {
      const uint32_t place = cpu::BlockCoverage::source_of(kernel_code + from) ^ cpu::BlockCoverage::target_of({kernel_code + to, 0});
      return coverage.edges()[place];
    };
    const auto wrapped = [](uint64_t count) { return static_cast<uint8_t>(count < 256 ? count : (count - 1) % 255 + 1); };
    // 0 is where it began: no transfer led there the first time.
    EXPECT(coverage.entered() == std::vector<cpu::GuestBlock>{{kernel_code, 0}, {kernel_code + 9, 0}, {kernel_code + 10, 0}, {kernel_code + 14, 0}});
    EXPECT(edge(12, 0) == wrapped(rounds - 1));
    EXPECT(edge(7, 10) == wrapped(rounds / 8));
    EXPECT(edge(7, 9) == wrapped(rounds - rounds / 8));
    EXPECT(edge(12, 14) == 1);
  }
  world.processor->cover(nullptr);
}
