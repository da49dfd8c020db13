// What winload hands to the secure kernel must not stay behind in memory of VTL 0.
#include "tests/support/catch.h"

#include <cstring>

#include "abi/boot/vsm_loader_block.h"
#include "tests/support/machine_run.h"
#include "tests/support/memory_search.h"

using namespace test;
using abi::boot::VsmLoaderBlock;
using abi::hv::Vtl;
using support::EventKind;

namespace {

using Bytes = std::vector<uint8_t>;

/// The one loader block in memory, found by its first words.
std::optional<std::pair<uint64_t, VsmLoaderBlock>> find_loader_block(const machine::Machine& machine) {
  VsmLoaderBlock head{};
  head.size = abi::boot::vsm_loader_block_size;
  head.version = 1;
  head.build = 10240;
  Bytes pattern(8);
  std::memcpy(pattern.data(), &head, pattern.size());
  for (const uint64_t gpa : find_in_memory(machine, Vtl::Vtl0, pattern, readable)) {
    const Bytes bytes = read_physical(machine, Vtl::Vtl0, gpa, sizeof(VsmLoaderBlock));
    if (bytes.size() != sizeof(VsmLoaderBlock)) continue;
    VsmLoaderBlock block;
    std::memcpy(&block, bytes.data(), sizeof block);
    if (block.local_keys.count >= 1 && block.local_keys.count <= 4) return std::pair{gpa, block};
  }
  return std::nullopt;
}

struct Boot {
  Boot() : run{with_vsm()} {
    REQUIRE(run.run_to_milestone("OslVsmSetup(2): calling securekernel.exe"));
    if (const auto found = find_loader_block(run.machine())) {
      gpa = found->first;
      block = found->second;
      key.assign(block.local_keys.keys[0].key, block.local_keys.keys[0].key + 32);
      copies_before = count_copies();
    }
    REQUIRE(run.run_to_milestone("ntoskrnl: phase 1 done"));
    copies_after_boot = count_copies();
    copies_in_vtl1 = find_in_memory(run.machine(), Vtl::Vtl1, key, readable).size();
    const Bytes bytes = read_physical(run.machine(), Vtl::Vtl0, gpa, sizeof block);
    if (bytes.size() == sizeof block) std::memcpy(&block_after, bytes.data(), sizeof block);
    run.finish();
    copies_at_the_end = count_copies();
  }

  /// Copies of any half of the key, so that a torn one counts too.
  [[nodiscard]] size_t count_copies() const {
    const std::span all{key};
    return find_in_memory(run.machine(), Vtl::Vtl0, all.first(16), readable).size() +
           find_in_memory(run.machine(), Vtl::Vtl0, all.last(16), readable).size();
  }

  MachineRun run;
  uint64_t gpa{};
  VsmLoaderBlock block{}, block_after{};
  Bytes key;
  size_t copies_before{}, copies_after_boot{}, copies_at_the_end{}, copies_in_vtl1{};
};

const Boot& boot() {
  static const Boot result;
  return result;
}

}  // namespace

TEST_CASE("winload hands the secure kernel a local key that is not trivial") {
  REQUIRE(boot().key.size() == 32);
  EXPECT(boot().block.local_keys.count == 1);
  EXPECT(boot().key != Bytes(32, boot().key[0]));
  EXPECT(boot().copies_before >= 2);  // both halves, in the block
}

TEST_CASE("After the boot no copy of the local key is in memory that VTL 0 may read") {
  REQUIRE(boot().key.size() == 32);
  INFO(boot().copies_after_boot << " copies of a half");
  EXPECT(boot().copies_after_boot == 0);
  EXPECT(boot().copies_at_the_end == 0);
  EXPECT(boot().copies_in_vtl1 >= 1);  // the secure kernel has it
}

TEST_CASE("In the loader block itself the keys are zeros afterwards") {
  const abi::boot::LocalKeyArray empty{};
  EXPECT(std::memcmp(boot().block_after.local_keys.keys, empty.keys, sizeof empty.keys) == 0);
}

TEST_CASE("The loader block lies in VTL 0's memory and describes a machine of this size") {
  EXPECT(boot().gpa < boot().run.machine().config().memory_bytes);
  EXPECT(boot().block.boot_entropy_size == 64);
  EXPECT(boot().block.shared_buffer_pages >= 2);
}
