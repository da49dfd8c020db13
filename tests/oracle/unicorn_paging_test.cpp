// Stage 1 of our translator against the MMU that the instruction library would use by itself. It descends from QEMU's, which
// this project did not write. It is known to differ in one thing: it sets the A bit of each entry as soon as it has read it,
// so that an access that faults further down leaves A bits behind; we set them when the translation is complete. The SDM
// permits both: software may not rely on the A bit of an entry that only a faulting access used (vol. 3, 4.8 and 4.10.2.3).
// What is not asked, because there the library follows other rules: loading PDPTEs with reserved bits (it looks at them at
// each access, the processor when CR3 is loaded: vol. 3, 4.4.1), and protection keys, which Airlock does not have.
#include <fmt/format.h>

#include "tests/oracle/unicorn_paging_world.h"
#include "tests/support/catch.h"

using namespace oracle;
using mmu::PagingMode;

namespace {

const char* name_of(PagingMode mode) {
  switch (mode) {
    case PagingMode::Bits32: return "32-bit paging";
    case PagingMode::Pae: return "PAE paging";
    case PagingMode::FourLevel: return "four levels";
    case PagingMode::FiveLevel: return "five levels";
    case PagingMode::None: break;
  }
  return "no paging";
}

void compare(PagingMode mode, uint64_t seed, uint64_t sets, uint64_t accesses) {
  UnicornPagingWorld world{mode, seed};
  if (!world.why_not().empty()) SKIP("no oracle: " << world.why_not());
  for (uint64_t set = 0; set < sets; ++set) {
    for (uint64_t i = 0; i < accesses; ++i) {
      const std::string difference = world.compare_once();
      if (!difference.empty()) FAIL(name_of(mode) << ", seed " << seed << " tables " << set << ": " << difference);
    }
    world.new_tables();
  }
  uint64_t compared = 0;
  for (const auto& [end, count] : world.ends()) compared += end.starts_with("not") ? 0 : count;
  fmt::print("{}: {} accesses against the library's MMU (CR4 features {:x}):", name_of(mode), compared, world.features());
  for (const auto& [end, count] : world.ends()) fmt::print(" {} {},", end, count);
  fmt::print(" more accessed bits there {}\n", world.more_accessed());
  std::fflush(stdout);
  EXPECT(world.ends().at("lands") > compared / 50);
  EXPECT(compared > sets * accesses * 9 / 10);
  EXPECT(world.ends().size() > 8);
}

}  // namespace

TEST_CASE("accesses through random page tables land, fault and mark entries as in the library's own MMU") {
  for (const PagingMode mode : {PagingMode::FourLevel, PagingMode::FiveLevel, PagingMode::Pae, PagingMode::Bits32})
    compare(mode, Catch::getSeed(), 60, 100);
}

TEST_CASE("two million of them", "[.long]") {
  for (const PagingMode mode : {PagingMode::FourLevel, PagingMode::FiveLevel, PagingMode::Pae, PagingMode::Bits32})
    compare(mode, Catch::getSeed(), 5000, 100);
}
