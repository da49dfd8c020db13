// The translator alone: what a look-up, a hit and a two-dimensional walk cost without an engine around them.
#include <benchmark/benchmark.h>

#include <memory>

#include "abi/x64/paging.h"
#include "mmu/translator.h"

namespace bench {
namespace {

namespace pte = abi::x64::pte;
using mmu::Gpa;
using mmu::Gva;
using mmu::Spa;

constexpr uint64_t ram = 64u << 20, pool = 8u << 20;
constexpr uint64_t pml4 = 0x1000, pdpt = 0x2000, pd = 0x3000, first_pt = 0x10000;
constexpr uint64_t pages = 1024;  // fewer than the TLB holds
constexpr uint64_t first_page = 4u << 20;

/// 4 KiB pages in both stages: the longest walk, 24 references.
class World {
 public:
  World() : memory_{ram + pool}, allocator_{memory_, Spa{ram}, pool}, slat_{memory_, allocator_}, translator_{memory_} {
    constexpr uint64_t rights = pte::present | pte::writable | pte::accessed | pte::dirty;
    memory_.write(Spa{pml4}, pdpt | rights);
    memory_.write(Spa{pdpt}, pd | rights);
    for (uint64_t page = 0; page < pages; ++page) {
      if (page % 512 == 0) memory_.write(Spa{pd + page / 512 * 8}, (first_pt + page / 512 * 4096) | rights);
      memory_.write(Spa{first_pt + page * 8}, (first_page + page * 4096) | rights);
    }
    for (uint64_t address = 0; address < ram; address += 4096) {
      CHECK(slat_.map(Gpa{address}, Spa{address}, mmu::all_rights) == mmu::SlatStatus::Ok);
    }
    space_.partition = 1;
    space_.stage1 = {.cr0 = 0x80010033, .cr3 = pml4, .cr4 = 0x6a0, .efer = 0xd01};
    space_.slat = &slat_;
  }

  mmu::Translator& translator() { return translator_; }
  const mmu::AddressSpace& space() const { return space_; }

 private:
  mmu::PhysicalMemory memory_;
  mmu::SlatPageAllocator allocator_;
  mmu::Slat slat_;
  mmu::Translator translator_;
  mmu::AddressSpace space_;
};

mmu::Access read_at(uint64_t page) {
  mmu::Access access;
  access.address = Gva{page * 4096};
  access.kind = mmu::AccessKind::Read;
  return access;
}

void lookup_hit(benchmark::State& state) {
  auto world = std::make_unique<World>();
  for (uint64_t page = 0; page < pages; ++page) benchmark::DoNotOptimize(world->translator().translate(world->space(), read_at(page)));
  uint64_t page = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(world->translator().lookup(world->space(), Gva{page * 4096}, mmu::AccessKind::Read, false));
    page = (page + 1) % pages;
  }
}

void walk_two_dimensions(benchmark::State& state) {
  auto world = std::make_unique<World>();
  uint64_t page = 0;
  for (auto _ : state) {
    if (page == 0) world->translator().invalidate_all(world->space(), false);
    benchmark::DoNotOptimize(world->translator().translate(world->space(), read_at(page)));
    page = (page + 1) % pages;
  }
}

BENCHMARK(lookup_hit)->Name("translator/lookup_hit");
BENCHMARK(walk_two_dimensions)->Name("translator/walk_24_references");

}  // namespace
}  // namespace bench
