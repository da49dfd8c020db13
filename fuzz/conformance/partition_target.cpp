#include <fmt/format.h>

#include "fuzz/conformance/partition_world.h"
#include "fuzz/conformance/targets.h"

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
      // A guest may make itself hang: exceptions whose delivery raises the next, for ever.
      if (first.failed && !first.ending.starts_with("the guest hangs"))
        return "a guest made the machine fail: " + first.ending;
      if (!more) break;
    }
    instructions_ += first.now() - begin;
    return {};
  }

 private:
  Gears gears_;
};

}  // namespace

std::unique_ptr<Target> make_partition_target(Gears gears) {
  return std::make_unique<Partitions>(gears);
}

}  // namespace soak
