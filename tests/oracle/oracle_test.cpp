// Random programs on Airlock's processor and on the host's under KVM.
#include <fmt/format.h>

#include <map>

#include "tests/oracle/known.h"

using namespace oracle;

namespace {

/// What happened to the cases of one mode.
struct Tally {
  uint64_t compared = 0, instructions = 0;
  std::map<std::string, uint64_t> left_out;
  std::map<std::string_view, uint64_t> known;
};

std::string to_text(Mode mode, const Tally& tally) {
  std::string text = fmt::format("{}: {} programs, {} instructions compared;", name_of(mode),
                                 tally.compared, tally.instructions);
  for (const auto& [why, count] : tally.left_out)
    text += fmt::format(" not compared ({}) {},", why, count);
  for (const auto& [name, count] : tally.known)
    text += fmt::format(" {} {},", name, count);
  return text;
}

/// Compares `count` programs; fails with the first difference that is not known, made small.
Tally compare(KvmMachine& kvm, Mode mode, cpu::Gear gear, uint64_t first, uint64_t count) {
  Comparison comparison{kvm, gear};
  Tally tally;
  Mixture mixture;
  mixture.native = kvm.kind().kernel_is_native;
  const bool executed = mixture.native || mode == Mode::User64;
  // What the emulator knows well enough to be a judge.
  if (!executed) mixture.control = mixture.sse = mixture.x87 = mixture.random_bytes = false;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    support::Prng random{seed, "oracle program"};
    const Program program = generate(mode, random, mixture, 10);
    Result result = comparison.run(program, seed);
    if (!result.compared) {
      ++tally.left_out[result.why_not];
      continue;
    }
    ++tally.compared;
    tally.instructions += result.instructions;
    std::vector<std::string_view> names;
    forgive_known(program, kvm.kind(), result, names);
    for (const std::string_view name : names)
      ++tally.known[name];
    if (result.equal()) continue;
    const Program small = comparison.minimise(program, seed, result);
    FAIL(describe(small, seed, comparison.start(), result));
  }
  return tally;
}

std::unique_ptr<KvmMachine> machine() {
  std::string why_not;
  auto kvm = KvmMachine::open(cpu_test::ram_size, why_not);
  if (kvm == nullptr) SKIP("no oracle: " << why_not);
  return kvm;
}

}  // namespace

TEST_CASE("random 64-bit programs of CPL 3 end as on the host's processor") {
  auto kvm = machine();
  for (const cpu::Gear gear : {cpu::Gear::Fast, cpu::Gear::Exact}) {
    const uint64_t first = gear == cpu::Gear::Fast ? 0 : 10'000;
    const Tally tally = compare(*kvm, Mode::User64, gear, first, 4000);
    fmt::print("{}\n", to_text(Mode::User64, tally));
    EXPECT(tally.compared > 3900);
  }
}

TEST_CASE("random programs of CPL 0 end as under KVM, in 64-bit and in compatibility mode") {
  auto kvm = machine();
  for (const Mode mode : {Mode::Kernel64, Mode::Kernel32}) {
    const Tally tally = compare(*kvm, mode, cpu::Gear::Fast, 0, 1500);
    fmt::print("{}\n", to_text(mode, tally));
    EXPECT(tally.compared > 1000);
  }
}

TEST_CASE("two million random 64-bit programs of CPL 3 end as on the host's processor", "[.long]") {
  auto kvm = machine();
  for (uint64_t part = 0; part < 20; ++part) {
    const cpu::Gear gear = part % 2 == 0 ? cpu::Gear::Fast : cpu::Gear::Exact;
    const Tally tally = compare(*kvm, Mode::User64, gear, 1'000'000 + part * 100'000, 100'000);
    fmt::print("{}\n", to_text(Mode::User64, tally));
    std::fflush(stdout);
  }
}
