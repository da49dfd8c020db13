// A machine with VSM under the checker of stale translations.
#include <fmt/format.h>

#include <algorithm>

#include "tests/oracle/stale_translations.h"
#include "tests/support/machine_run.h"

namespace {

class Spaces final : public cpu::AddressSpaceProvider {
 public:
  explicit Spaces(const vtl::Hypervisor& hypervisor) : hypervisor_{hypervisor} {}
  mmu::AddressSpace address_space(const vtl::VirtualProcessor& vp) const override {
    return hypervisor_.address_space(vp);
  }

 private:
  const vtl::Hypervisor& hypervisor_;
};

/// What the checker saw of a run.
struct Seen {
  machine::StopReason stop{};
  uint64_t hits{}, of_stage_1{}, of_stage_2{};
  std::string first;  ///< of the stale uses
};

Seen run_under_checker(loader::MachineConfig config, uint64_t instants) {
  config.gear = loader::GearSetting::Exact;
  test::MachineRun run{config};
  machine::Machine& machine = run.machine();
  const Spaces spaces{machine.hypervisor()};
  oracle::StaleTranslations checker{machine.translator(), spaces};
  machine.observe(&checker);
  Seen seen;
  seen.stop = machine.run({instants});
  machine.observe(nullptr);
  fmt::print("{} instants, {} TLB hits checked, {} stale of stage 1, {} of stage 2\n",
             machine.now().ticks, checker.hits(), checker.of_stage_1(), checker.of_stage_2());
  seen.hits = checker.hits();
  seen.of_stage_1 = checker.of_stage_1();
  seen.of_stage_2 = checker.of_stage_2();
  for (const oracle::StaleUse& use : checker.uses()) {
    seen.first += fmt::format("instant {} VTL {} RIP {:x} address {:x}: {}\n", use.instant,
                              static_cast<int>(use.vtl), use.rip, use.address, use.what);
  }
  return seen;
}

/// Runs vsm.toml for so many instants under the checker.
void boot_under_checker(uint64_t instants) {
  const Seen seen = run_under_checker(test::with_vsm(), instants);
  INFO(seen.first);
  EXPECT(seen.hits > std::min<uint64_t>(instants / 4, 10'000'000));
  EXPECT(seen.of_stage_1 == 0);
  EXPECT(seen.of_stage_2 == 0);
}

/// A micro-kernel that changes translations, alone or with others.
struct Kernel {
  const char* image;
  uint32_t processors;
  bool family;  ///< with children and three VTLs
  loader::SchedulerPolicy policy;
  uint64_t on_purpose;  ///< reads of what it has remapped and not yet invalidated, to see that nobody told the TLB
};

loader::MachineConfig config_of(const Kernel& kernel) {
  loader::MachineConfig config = test::bare_machine();
  config.firmware = test::guest_image(kernel.image);
  config.disk = "none";
  config.processors = kernel.processors;
  if (kernel.family) {
    config.maximum_vtl = 2;
    config.child_processors = 3;
  }
  config.scheduler_policy = kernel.policy;
  config.scheduler_seed = 1;
  config.quantum = 1000;
  return config;
}

}  // namespace

TEST_CASE("the beginning of a boot with VSM uses no stale translation") {
  boot_under_checker(3'000'000);
}

TEST_CASE("a whole boot with VSM uses no stale translation", "[.long]") {
  boot_under_checker(400'000'000);
}

TEST_CASE("micro-kernels that change translations, on every processor and in every partition, use none that they did not mean to") {
  using enum loader::SchedulerPolicy;
  // In test_processors, flushes_reach_all() looks on three processors before any flush, and on one that the first leaves out: 4.
  // sparse_sets() looks on four that no flush names, then on the two and two and two that one leaves out, in both forms: 20.
  constexpr Kernel kernels[] = {
      {"test_processor.efi", 1, false, RoundRobin, 0},  {"test_hypervisor.efi", 1, false, RoundRobin, 0},
      {"test_processors.efi", 4, false, RoundRobin, 24}, {"test_processors.efi", 4, false, Random, 24},
      {"test_processors.efi", 4, false, Adversarial, 24}, {"test_partitions.efi", 1, true, RoundRobin, 0},
      {"test_partitions.efi", 1, true, Random, 0},      {"test_partitions.efi", 1, true, Adversarial, 0}};
  for (const Kernel& kernel : kernels) {
    const Seen seen = run_under_checker(config_of(kernel), test::instruction_limit);
    INFO(kernel.image << " policy " << static_cast<int>(kernel.policy) << "\n" << seen.first);
    EXPECT(seen.stop == machine::StopReason::PowerOff);
    EXPECT(seen.hits > 10'000);
    EXPECT(seen.of_stage_1 == kernel.on_purpose);
    EXPECT(seen.of_stage_2 == 0);
  }
}
