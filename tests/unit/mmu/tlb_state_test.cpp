// A TLB that was saved and restored cannot be told from the one that was not, now and later: what it holds, what it reuses
// and when it drops its generation.
#include "tests/support/catch.h"

#include <vector>

#include "mmu/slat_tlb.h"
#include "sim/support/prng.h"
#include "sim/support/state.h"

namespace {

using mmu::AddressSpace;
using mmu::Gpa;
using mmu::Gva;
using mmu::SlatTlb;
using mmu::Spa;
using mmu::TlbEntry;

constexpr uint32_t capacity = 96;

AddressSpace random_space(support::Prng& prng) {
  AddressSpace space;
  space.partition = 1;
  space.vp = static_cast<uint8_t>(prng.below(2));
  space.vtl = prng.one_in(2) ? abi::hv::Vtl::Vtl0 : abi::hv::Vtl::Vtl1;
  space.stage1.cr0 = mmu::control::cr0_paging;
  space.stage1.cr4 = mmu::control::cr4_pcid;
  space.stage1.cr3 = prng.below(3);
  return space;
}

/// One operation, the same for every TLB that is given the same draws.
void operate(SlatTlb& tlb, support::Prng prng) {
  const AddressSpace space = random_space(prng);
  const Gva address{prng.below(40) << 12};
  const uint64_t dice = prng.below(100);
  if (dice < 80) {
    uint64_t attributes = TlbEntry::SlatRead | TlbEntry::Ram;
    if (prng.one_in(4)) attributes |= TlbEntry::Global;
    if (prng.one_in(5)) attributes |= TlbEntry::PartOf2M;
    tlb.fill(space, address, Spa{prng.below(8) << 12}, Gpa{prng.below(8) << 12}, attributes);
  } else if (dice < 94) {
    tlb.invalidate_address(space, static_cast<uint16_t>(prng.below(3)), address, prng.one_in(2));
  } else if (dice < 97) {
    tlb.invalidate_pcid(space, static_cast<uint16_t>(prng.below(3)));
  } else if (dice < 99) {
    tlb.invalidate_all(space, prng.one_in(2));
  } else {
    tlb.invalidate_guest_physical(1, space.vtl);
  }
}

void same_answers(const SlatTlb& a, const SlatTlb& b, support::Prng prng) {
  REQUIRE(a.hash() == b.hash());
  REQUIRE(a.used() == b.used());
  REQUIRE(a.generations_dropped() == b.generations_dropped());
  for (int i = 0; i < 8; ++i) {
    const AddressSpace space = random_space(prng);
    const Gva address{prng.below(40) << 12};
    const TlbEntry* const in_a = a.find(space, address);
    const TlbEntry* const in_b = b.find(space, address);
    REQUIRE((in_a == nullptr) == (in_b == nullptr));
    if (in_a == nullptr) continue;
    REQUIRE(in_a->spa() == in_b->spa());
    REQUIRE(in_a->gpa() == in_b->gpa());
    REQUIRE(in_a->attributes() == in_b->attributes());
  }
}

std::vector<uint8_t> saved(const SlatTlb& tlb) {
  std::vector<uint8_t> bytes;
  support::StateWriter{bytes}.visit(tlb);
  return bytes;
}

}  // namespace

TEST_CASE("a restored TLB has the same future as the one that was saved") {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    support::Prng prng{seed, "tlb"};
    SlatTlb original{capacity}, restored{capacity};
    for (int i = 0; i < 3000; ++i) {
      CAPTURE(i);
      if (prng.one_in(40)) {
        const uint64_t epoch = restored.epoch(1, abi::hv::Vtl::Vtl0);
        const std::vector<uint8_t> bytes = saved(original);
        support::StateReader from{bytes};
        from.visit(restored);
        REQUIRE(from.finish().ok());
        EXPECT(restored.epoch(1, abi::hv::Vtl::Vtl0) > epoch);  // engines must flush
      } else if (prng.one_in(60)) {
        // The past of a TLB that is restored into does not matter.
        for (int j = 0; j < 30; ++j) operate(restored, support::Prng{prng.next()});
        const std::vector<uint8_t> bytes = saved(original);
        support::StateReader from{bytes};
        from.visit(restored);
        REQUIRE(from.finish().ok());
      }
      const support::Prng draws{prng.next()};
      operate(original, draws);
      operate(restored, draws);
      same_answers(original, restored, support::Prng{prng.next()});
    }
  }
}

TEST_CASE("slots that no TLB of this size can have are refused") {
  SlatTlb large{200}, small{16};
  support::Prng prng{9, "tlb"};
  for (int i = 0; i < 400; ++i) operate(large, support::Prng{prng.next()});
  const std::vector<uint8_t> bytes = saved(large);
  support::StateReader reader{bytes};
  reader.visit(small);
  REQUIRE(!reader.finish().ok());
  CAPTURE(reader.finish().error().message);
  EXPECT(reader.finish().error().message.find("no slots of this TLB") != std::string::npos);
  std::vector<uint8_t> odd = bytes;
  odd[8 + 8 + 8 + 5] |= 0x60;  // the first slot's key: bits 45 and 46, of a VTL that does not exist
  support::StateReader keys{odd};
  SlatTlb other{200};
  keys.visit(other);
  EXPECT(!keys.finish().ok());
}
