// Long random histories against a model of the TLB that is a plain list: each access must hit or miss exactly as the
// list says, stale entries included, and a model of an engine's TLB must stay a subset.
#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "sim/support/prng.h"
#include "tests/support/catch.h"
#include "tests/unit/mmu/world.h"

using namespace test;

namespace {

constexpr uint64_t pcide = uint64_t{1} << 17, smep = uint64_t{1} << 20;

/// Addresses under test: two runs of 4 KiB pages, one of them global, and parts of one 2 MiB page.
struct Place {
  uint64_t address;
  bool global;
  bool large;
};
constexpr Place places[] = {
    {0xffff'8000'0000'0000, false, false}, {0xffff'8000'0000'1000, false, false},
    {0xffff'8000'0000'2000, true, false},  {0xffff'8000'0000'3000, true, false},
    {0x0000'0000'4000'0000, false, true},  {0x0000'0000'4000'7000, false, true},
    {0x0000'0000'401f'f000, false, true},  {0x0000'7000'0000'0000, false, false},
};

struct ModelEntry {
  size_t processor;  // VP and VTL together
  uint16_t pcid;
  uint64_t page;
  bool global, large;
  uint64_t gpa;
  uint64_t flags;  ///< as the leaf had them

  bool permits(AccessKind kind, bool user) const {
    const bool user_page = (flags & pte::user) != 0;
    if (user && !user_page) return false;
    if (kind == AccessKind::Read) return true;
    constexpr uint64_t write = pte::writable | pte::dirty;
    if (kind == AccessKind::Write) return (flags & write) == write;
    return (flags & pte::no_execute) == 0 && user == user_page;  // SMEP is on
  }
};

class History {
 public:
  explicit History(uint64_t seed) : prng_{seed, "tlb model"} {
    world_.space.stage1.cr4 |= pcide | smep;
    for (const Place& place : places)
      rewrite(place);
    for (size_t i = 0; i < spaces_.size(); ++i) {
      spaces_[i] = world_.space;
      spaces_[i].vp = static_cast<uint8_t>(i / 2);
      spaces_[i].vtl = static_cast<abi::hv::Vtl>(i % 2);
      epochs_[i] = world_.translator.epoch(1, spaces_[i].vtl);
    }
  }

  void step() {
    const uint64_t dice = prng_.below(100);
    processor_ = prng_.below(spaces_.size());
    AddressSpace& space = spaces_[processor_];
    const Place& place = places[prng_.below(std::size(places))];
    if (dice < 70) {
      access(space, place);
    } else if (dice < 80) {
      rewrite(place);
    } else if (dice < 85) {
      switch_pcid(space);
    } else {
      invalidate(space, place, dice);
    }
    flush_engines();
    check_engines();
  }

 private:
  uint16_t pcid() const { return mmu::current_pcid(spaces_[processor_]); }

  bool visible(const ModelEntry& entry, uint16_t pcid) const {
    return entry.processor == processor_ && (entry.global || entry.pcid == pcid);
  }
  bool covers(const ModelEntry& entry, uint64_t page) const {
    return entry.page == page || (entry.large && entry.page >> 9 == page >> 9);
  }

  void access(const AddressSpace& space, const Place& place) {
    const auto kind = static_cast<AccessKind>(prng_.below(3));
    const uint64_t page = place.address >> 12;
    const Access what{Gva{place.address + prng_.below(4096)}, kind, prng_.one_in(3), false};
    const auto cached = std::find_if(model_.begin(), model_.end(), [&](const ModelEntry& entry) {
      return entry.page == page && visible(entry, pcid());
    });
    const bool hit = cached != model_.end() && cached->permits(kind, what.user);
    const auto walk = mmu::explain(world_.translator, space, what).result;
    const uint64_t misses = world_.translator.misses();
    const auto result = world_.translator.translate(space, what);
    REQUIRE(world_.translator.misses() == misses + (hit ? 0 : 1));
    if (hit) {
      REQUIRE(result.ok);
      REQUIRE(result.translation.gpa.page_base() == Gpa{cached->gpa});
    } else {
      REQUIRE(result.ok == walk.ok);
      if (cached != model_.end()) model_.erase(cached);
      if (result.ok) {
        REQUIRE(result.translation.gpa == walk.translation.gpa);
        remember(place, result);
      } else {
        erase(
            [&](const ModelEntry& entry) { return visible(entry, pcid()) && covers(entry, page); });
      }
    }
    if (result.ok) copy_to_engine(space, page, what.user);
  }

  void remember(const Place& place, const TranslationResult& result) {
    const uint64_t entry = world_.entry(place.address, place.large ? 2 : 1);
    model_.push_back({processor_, pcid(), place.address >> 12, place.global, place.large,
                      result.translation.gpa.page_base().value(), entry});
  }

  /// Changes a page-table entry and tells nobody.
  void rewrite(const Place& place) {
    uint64_t flags = prng_.one_in(6) ? 0 : pte::present;
    if (prng_.below(3) != 0) flags |= pte::writable;
    if (prng_.one_in(3)) flags |= pte::no_execute;
    if (prng_.one_in(3)) flags |= pte::dirty;
    if (prng_.one_in(3)) flags |= pte::user;
    if (place.global) flags |= pte::global;
    const uint64_t gpa = place.large ? prng_.below(2) * 2 * MiB : 4 * MiB + prng_.below(2) * 4096;
    world_.map(place.address & (place.large ? ~(2 * MiB - 1) : ~uint64_t{0}), gpa, flags,
               place.large ? 2 : 1);
  }

  // MOV CR3 with bit 63 set: nothing is invalidated, but the engine has to forget.
  void switch_pcid(AddressSpace& space) {
    space.stage1.cr3 = (space.stage1.cr3 & ~uint64_t{0xfff}) | prng_.below(3);
    engines_[processor_].clear();
  }

  void invalidate(const AddressSpace& space, const Place& place, uint64_t dice) {
    mmu::Translator& translator = world_.translator;
    const uint64_t page = place.address >> 12;
    const auto other = static_cast<uint16_t>(prng_.below(3));
    if (dice < 90) {
      translator.invalidate_address(space, Gva{place.address});
      erase([&](const ModelEntry& e) { return visible(e, pcid()) && covers(e, page); });
    } else if (dice < 93) {
      translator.invalidate_address_in_pcid(space, other, Gva{place.address});
      erase([&](const ModelEntry& e) { return visible(e, other) && !e.global && covers(e, page); });
    } else if (dice < 96) {
      translator.invalidate_pcid(space, other);
      erase([&](const ModelEntry& e) {
        return e.processor == processor_ && !e.global && e.pcid == other;
      });
    } else if (dice < 98) {
      const bool keep = prng_.one_in(2);
      translator.invalidate_all(space, keep);
      erase([&](const ModelEntry& e) { return e.processor == processor_ && !(keep && e.global); });
    } else {
      translator.invalidate_guest_physical(1, space.vtl);
      erase([&](const ModelEntry& e) { return e.processor % 2 == processor_ % 2; });
    }
  }

  template <class Predicate>
  void erase(Predicate predicate) {
    model_.erase(std::remove_if(model_.begin(), model_.end(), predicate), model_.end());
  }

  // An engine has entries of its own for each privilege, and a fill replaces only that of its privilege.
  void copy_to_engine(const AddressSpace& space, uint64_t page, bool user) {
    const auto* entry = world_.translator.tlb().find(space, Gva{page << 12});
    REQUIRE(entry != nullptr);
    engines_[processor_][{page, user}] = {entry->spa().value(), mmu::granted(space, *entry, user)};
  }

  // What an engine does before it runs.
  void flush_engines() {
    for (size_t i = 0; i < spaces_.size(); ++i) {
      const uint64_t now = world_.translator.epoch(1, spaces_[i].vtl);
      if (now != std::exchange(epochs_[i], now)) engines_[i].clear();
    }
  }

  void check_engines() {
    for (size_t i = 0; i < spaces_.size(); ++i) {
      for (const auto& [key, copy] : engines_[i]) {
        const auto* entry = world_.translator.tlb().find(spaces_[i], Gva{key.first << 12});
        REQUIRE(entry != nullptr);
        REQUIRE(entry->spa().value() == copy.first);
        REQUIRE((copy.second & ~mmu::granted(spaces_[i], *entry, key.second)) == 0);
      }
    }
  }

  support::Prng prng_;
  World world_;
  std::array<AddressSpace, 4> spaces_;
  std::array<uint64_t, 4> epochs_{};
  /// Page number and privilege to SPA and grants.
  std::array<std::map<std::pair<uint64_t, bool>, std::pair<uint64_t, uint8_t>>, 4> engines_;
  std::vector<ModelEntry> model_;
  size_t processor_{};
};

}  // namespace

TEST_CASE(
    "random histories of accesses, table changes and invalidations agree with a plain list of "
    "entries") {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    History history{seed};
    for (int i = 0; i < 4000; ++i) {
      CAPTURE(i);
      history.step();
    }
  }
}
