// A look at what differs, for who works on the engine: test_oracle '[.survey]', with MODE, GEAR, FIRST, COUNT, EACH, SHOW
// and VERBOSE in the environment.
#include <fmt/format.h>

#include <cstdlib>
#include <map>

#include "tests/oracle/known.h"

using namespace oracle;

TEST_CASE("survey", "[.survey]") {
  const auto number = [](const char* name, uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 0) : otherwise;
  };
  std::string why;
  auto kvm = KvmMachine::open(cpu_test::ram_size, why);
  if (kvm == nullptr) SKIP(why);
  fmt::print("{}\n", kvm->kind().text);
  const auto mode = static_cast<Mode>(number("MODE", 0));
  const uint64_t first = number("FIRST", 0), count = number("COUNT", 1000);
  Comparison comparison{*kvm, number("GEAR", 1) ? cpu::Gear::Fast : cpu::Gear::Exact};
  std::map<std::string, unsigned> reasons, kinds;
  unsigned shown = 0;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    support::Prng random{seed, "oracle program"};
    Mixture mixture;
    mixture.native = kvm->kind().kernel_is_native;
    if (number("SIMPLE", 0)) mixture = {true, number("SIMPLE", 0) == 1, false, false, false};
    const Program program = generate(mode, random, mixture, 10);
    if (number("VERBOSE", 0)) fmt::print("{}\n{}", seed, disassemble(program, 0)), fflush(stdout);
    Result result = comparison.run(program, seed);
    if (!result.compared) {
      ++reasons[result.why_not];
      continue;
    }
    ++reasons[fmt::format("ending {}", static_cast<int>(result.ending))];
    std::vector<std::string_view> names;
    forgive_known(program, kvm->kind(), result, names);
    for (const auto name : names)
      ++reasons["known " + std::string{name}];
    if (result.equal()) continue;
    const Program small = comparison.minimise(program, seed, result);
    const std::string kind =
        fmt::format("{} / {}", small.ops.back().name, result.differences.front().item);
    if (kinds[kind]++ < number("EACH", 2) && shown++ < number("SHOW", 30)) {
      fmt::print("--- {}\n{}", kind, describe(small, seed, comparison.start(), result));
      fflush(stdout);
    }
  }
  for (const auto& [reason, n] : reasons)
    fmt::print("{}: {}\n", reason, n);
  for (const auto& [kind, n] : kinds)
    fmt::print("  differs {}: {}\n", kind, n);
}
