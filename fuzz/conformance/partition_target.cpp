#include <fmt/format.h>

#include "fuzz/conformance/partition_world.h"
#include "fuzz/conformance/targets.h"
#include "tests/oracle/stale_translations.h"

namespace soak {
namespace {

class Partitions final : public Target {
 public:
  explicit Partitions(Gears gears) : gears_{gears} {}

  std::string run(uint64_t seed, support::StateHasher& digest) override {
    support::Prng random{seed, "partition stops"};
    PartitionWorld first{gears_.first, seed}, second{gears_.second, seed};
    const uint64_t begin = first.now();
    for (unsigned stop = 0; stop < 6; ++stop) {
      const uint64_t until = first.now() + 1 + random.below(400);
      if (gears_.first == gears_.second) second.forget_translations();
      const bool more = first.run_until(until), also = second.run_until(until);
      const support::StateHash state = first.state();
      digest.add(state);
      if (more != also || first.ending != second.ending || state != second.state())
        return fmt::format("stop {} before {}: '{}' at {} and '{}' at {}", stop, until,
                           first.ending, first.now(), second.ending, second.now());
      if (first.failed) return "a guest made the machine fail: " + first.ending;
      if (!more) break;
    }
    instructions_ += first.now() - begin;
    return {};
  }

 private:
  Gears gears_;
};

/// The same programs, once, under the checker of stale translations. What guests forget to invalidate is theirs; what the
/// hypervisor changes in a SLAT must not be used any more.
class StaleTranslations final : public Target {
 public:
  explicit StaleTranslations(Gears) {}

  std::string run(uint64_t seed, support::StateHasher& digest) override {
    PartitionWorld world{cpu::Gear::Exact, seed};
    oracle::StaleTranslations checker{world.translator(), world};
    const uint64_t begin = world.now();
    world.observe(&checker);
    (void)world.run_until(begin + 1200);
    world.observe(nullptr);
    instructions_ += world.now() - begin;
    digest.add(checker.hits()).add(checker.of_stage_1()).add(world.state());
    for (const oracle::StaleUse& use : checker.uses()) {
      if (use.second_stage)
        return fmt::format("instant {} VTL {} RIP {:x} address {:x}: {}", use.instant,
                           static_cast<int>(use.vtl), use.rip, use.address, use.what);
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Target> make_stale_target(Gears gears) {
  return std::make_unique<StaleTranslations>(gears);
}
std::unique_ptr<Target> make_partition_target(Gears gears) {
  return std::make_unique<Partitions>(gears);
}

}  // namespace soak
