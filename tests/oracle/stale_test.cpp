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

/// Runs vsm.toml for so many instants under the checker.
void boot_under_checker(uint64_t instants) {
  loader::MachineConfig config = test::with_vsm();
  config.gear = loader::GearSetting::Exact;
  test::MachineRun run{config};
  machine::Machine& machine = run.machine();
  const Spaces spaces{machine.hypervisor()};
  oracle::StaleTranslations checker{machine.translator(), spaces};
  machine.observe(&checker);
  (void)machine.run({instants});
  machine.observe(nullptr);
  fmt::print("{} instants, {} TLB hits checked, {} stale of stage 1, {} of stage 2\n",
             machine.now().ticks, checker.hits(), checker.of_stage_1(), checker.of_stage_2());
  for (const oracle::StaleUse& use : checker.uses()) {
    UNSCOPED_INFO("instant " << use.instant << " VTL " << static_cast<int>(use.vtl) << " RIP "
                             << use.rip << " address " << use.address << ": " << use.what);
  }
  EXPECT(checker.hits() > std::min<uint64_t>(instants / 4, 10'000'000));
  EXPECT(checker.of_stage_1() == 0);
  EXPECT(checker.of_stage_2() == 0);
}

}  // namespace

TEST_CASE("the beginning of a boot with VSM uses no stale translation") {
  boot_under_checker(3'000'000);
}

TEST_CASE("a whole boot with VSM uses no stale translation", "[.long]") {
  boot_under_checker(400'000'000);
}
