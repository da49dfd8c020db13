// Stage 1 of our translator against KVM's: EPT or NPT hardware where the host has it, else KVM's own walker.
#include <fmt/format.h>

#include "tests/oracle/paging_world.h"
#include "tests/support/catch.h"

using namespace oracle;

namespace {

void compare(uint64_t seed, uint64_t sets, uint64_t accesses) {
  std::string why_not;
  auto kvm = KvmMachine::open(PagingWorld::ram_bytes, why_not);
  if (kvm == nullptr) SKIP("no oracle: " << why_not);
  PagingWorld world{*kvm, seed};
  for (uint64_t set = 0; set < sets; ++set) {
    for (uint64_t i = 0; i < accesses; ++i) {
      const std::string difference = world.compare_once();
      if (!difference.empty()) FAIL("seed " << seed << " tables " << set << ": " << difference);
    }
    world.new_tables();
  }
  fmt::print("page walks against KVM ({}):", kvm->kind().text);
  for (const auto& [end, count] : world.ends())
    fmt::print(" {} {},", end, count);
  fmt::print(" more accessed bits there {}\n", world.more_accessed());
  EXPECT(world.ends().size() > 10);
}

}  // namespace

TEST_CASE("accesses through random page tables land, fault and mark entries as under KVM") {
  compare(1, 100, 60);
}

TEST_CASE("half a million of them", "[.long]") {
  compare(2, 8000, 64);
}
