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

TEST_CASE("what Airlock executes in place of its engine ends as on the host's processor") {
  auto kvm = machine();
  Comparison comparison{*kvm, cpu::Gear::Fast};
  struct Form {
    const char* name;
    std::vector<uint8_t> bytes;
    unsigned random_bytes;  ///< behind them
  };
  const Form forms[] = {
      {"lahf", {0x48, 0x9f}, 0},
      {"sahf", {0x41, 0x9e}, 0},
      {"lock neg", {0xf0, 0xf6, 0x1e}, 0},
      {"lock neg", {0xf0, 0x48, 0xf7, 0x1f}, 0},
      {"lock neg", {0xf0, 0x66, 0xf7, 0x5d, 0x02}, 0},
      {"shld", {0x0f, 0xa4, 0x05, 0x00, 0x01, 0x00, 0x00}, 1},
      {"shrd", {0x48, 0x0f, 0xac, 0x0d, 0x00, 0xff, 0xff, 0xff}, 1},
      {"shld", {0x66, 0x0f, 0xa4, 0x15, 0x00, 0x01, 0x00, 0x00}, 1},
      {"clflush", {0x0f, 0xae, 0x3e}, 0},
      {"phaddw", {0x66, 0x0f, 0x38, 0x01, 0xd2}, 0},
      {"phaddd", {0x66, 0x0f, 0x38, 0x02, 0xdb}, 0},
      {"phaddsw", {0x66, 0x0f, 0x38, 0x03, 0xe4}, 0},
      {"phsubw", {0x66, 0x0f, 0x38, 0x05, 0xed}, 0},
      {"phsubd", {0x66, 0x45, 0x0f, 0x38, 0x06, 0xc0}, 0},
      {"phsubsw", {0x66, 0x0f, 0x38, 0x07, 0xff}, 0},
      {"pcmpestrm", {0x66, 0x0f, 0x3a, 0x60, 0xca}, 1},
      {"pcmpestrm", {0x66, 0x48, 0x0f, 0x3a, 0x60, 0x16}, 1},
      {"pcmpestri", {0x66, 0x0f, 0x3a, 0x61, 0xe5}, 1},
      {"pcmpestri", {0x66, 0x48, 0x0f, 0x3a, 0x61, 0x1f}, 1},
      {"pcmpestri", {0x66, 0x0f, 0x3a, 0x61, 0xf6}, 1},
  };
  uint64_t compared = 0;
  for (const Form& form : forms) {
    for (uint64_t seed = 1; seed <= 400; ++seed) {
      support::Prng random{seed, "bytes behind an opcode"};
      Op op;
      op.name = form.name;
      std::copy(form.bytes.begin(), form.bytes.end(), op.bytes.begin());
      op.length = static_cast<uint8_t>(form.bytes.size() + form.random_bytes);
      for (size_t i = form.bytes.size(); i < op.length; ++i) op.bytes[i] = static_cast<uint8_t>(random.next());
      const bool shifts = form.name[0] == 's' && form.name[1] == 'h';
      uint8_t& last = op.bytes[op.length - 1u];
      if (shifts && op.bytes[0] == 0x66) last &= 0x0f;  // more than the operand has is not defined
      if (shifts) op.undefined = (last & 0x3f) == 1 ? A : A | O;
      const Program program{Mode::User64, {op}};
      Result result = comparison.run(program, seed);
      if (!result.compared) continue;
      ++compared;
      std::vector<std::string_view> names;
      forgive_known(program, kvm->kind(), result, names);
      if (!result.equal()) FAIL(describe(program, seed, comparison.start(), result));
    }
  }
  EXPECT(compared > std::size(forms) * 390);
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
