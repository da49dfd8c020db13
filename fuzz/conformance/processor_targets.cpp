// Instruction bytes in every mode and ring, with sound and with random page tables.
#include <fmt/format.h>

#include "fuzz/conformance/targets.h"
#include "tests/oracle/arena_places.h"
#include "tests/oracle/comparison.h"
#include "tests/unit/cpu/soak.h"

namespace soak {
namespace {

using cpu_test::SoakMode;

/// Streams that are half random bytes (tests/unit/cpu/soak.h).
class Streams final : public Target {
 public:
  Streams(Gears gears, SoakMode mode) : mode_{mode}, first_{gears.first}, second_{gears.second} {}

  std::string run(uint64_t seed, support::StateHasher& digest) override {
    support::Prng random{seed, "stops"};
    second_.processor->restore(second_.processor->state());
    first_.prepare(mode_, seed);
    second_.prepare(mode_, seed);
    const uint64_t begin = first_.now.ticks;
    for (unsigned stop = 0; stop < 4; ++stop) {
      const uint64_t until = first_.now.ticks + 1 + random.below(16);
      vtl::Exit last[2];
      const bool more = drive(first_, until, &last[0]);
      const bool also = drive(second_, until, &last[1]);
      const support::StateHash state = first_.state();
      digest.add(state.low).add(state.high);
      if (more != also || last[0].reason != last[1].reason || state != second_.state())
        return fmt::format("mode {} stop {}: {:x} against {:x}", static_cast<int>(mode_), stop,
                           first_.vp.context().rip, second_.vp.context().rip);
      if (!more) break;
    }
    instructions_ += first_.now.ticks - begin;
    return {};
  }

 private:
  SoakMode mode_;
  cpu_test::SoakWorld first_, second_;
};

/// Programs of the oracle's generator with nothing left out; with `wild_tables` entries of the page tables and bits of the
/// control registers are random too.
class Programs final : public Target {
 public:
  Programs(Gears gears, bool wild_tables)
      : wild_{wild_tables}, first_{gears.first}, second_{gears.second} {}

  std::string run(uint64_t seed, support::StateHasher& digest) override {
    const auto mode = static_cast<oracle::Mode>(seed % static_cast<unsigned>(oracle::Mode::count));
    support::Prng random{seed, "soak program"};
    oracle::Mixture mixture;
    mixture.native = true;
    mixture.filtered = false;
    const oracle::Program program = oracle::generate(mode, random, mixture, 24);
    for (oracle::Arena* arena : {&first_, &second_}) {
      arena->prepare(mode, seed, program);
      if (wild_) damage(*arena, seed);
      arena->translator.invalidate_all(arena->address_space(arena->vp), false);
    }
    const uint64_t begin = first_.now.ticks;
    const oracle::Ending ending = first_.run(300), also = second_.run(300);
    instructions_ += first_.now.ticks - begin;
    const support::StateHash state = first_.state();
    digest.add(state.low).add(state.high);
    std::string difference;
    if (ending != also || state != second_.state())
      difference =
          fmt::format("{}: ending {} and {}, instant {} and {}{}\n{}", name_of(mode),
                      static_cast<int>(ending), static_cast<int>(also), first_.now.ticks,
                      second_.now.ticks, first_difference(), disassemble(program, first_.start()));
    if (ending == oracle::Ending::Failure)
      difference += "the engine gave up: " + first_.failure;
    restore(first_);
    restore(second_);
    return difference;
  }

 private:
  void damage(oracle::Arena& arena, uint64_t seed) {
    support::Prng random{seed, "soak tables"};
    const uint64_t tables[] = {cpu_test::pml4, cpu_test::pdpt, cpu_test::page_directory};
    for (unsigned i = 0; i < 1 + random.below(12); ++i) {
      uint64_t entry = arena.entry_address(random.below(cpu_test::ram_size) & ~uint64_t{0xfff});
      if (random.one_in(3))
        entry =
            arena.entry_address((random.one_in(2) ? cpu_test::user_data : cpu_test::kernel_data) +
                                random.below(10) * 0x1000);
      if (random.one_in(8))
        entry = tables[random.below(3)] + 8 * random.below(random.one_in(2) ? 4 : 512);
      uint64_t value = arena.peek(entry) ^ uint64_t { 1 } << random.below(64);
      if (random.one_in(4)) value = random.next();
      arena.poke(entry, value);
    }
    vtl::VtlContext& c = arena.context();
    if (c.efer == 0) return;
    static constexpr uint64_t cr4_bits[] = {1 << 7, 1 << 16, 1 << 17, 1 << 20, 1 << 21};
    for (const uint64_t bit : cr4_bits) {
      if (random.one_in(3)) c.cr4 ^= bit;
    }
    if (random.one_in(4)) c.cr0 ^= uint64_t{1} << 16;
    if (random.one_in(6)) c.efer ^= uint64_t{1} << 11;
  }

  static void restore(oracle::Arena& arena) {
    for (const uint64_t page : arena.memory.dirty_pages())
      arena.restore_page(page);
    arena.memory.clear_dirty();
  }

  std::string first_difference() {
    const vtl::VtlContext &a = first_.context(), &b = second_.context();
    std::string text;
    const auto check = [&](const char* name, uint64_t x, uint64_t y) {
      if (x != y) text += fmt::format(", {} {:x} and {:x}", name, x, y);
    };
    check("rip", a.rip, b.rip);
    check("rsp", a.rsp, b.rsp);
    check("rflags", a.rflags, b.rflags);
    for (size_t i = 0; i < 16; ++i)
      check("a general register", first_.vp.shared.gpr[i], second_.vp.shared.gpr[i]);
    check("cr2", first_.vp.shared.cr2, second_.vp.shared.cr2);
    check("cr0", a.cr0, b.cr0);
    check("shadow", a.interrupt_shadow, b.interrupt_shadow);
    check("misses", first_.translator.misses(), second_.translator.misses());
    check("memory", first_.memory.hash().low, second_.memory.hash().low);
    check("tlb", first_.translator.tlb().hash().low, second_.translator.tlb().hash().low);
    return text;
  }

  bool wild_;
  oracle::Arena first_, second_;
};

template <SoakMode mode>
std::unique_ptr<Target> streams(Gears gears) {
  return std::make_unique<Streams>(gears, mode);
}
std::unique_ptr<Target> programs(Gears gears) {
  return std::make_unique<Programs>(gears, false);
}
std::unique_ptr<Target> tables(Gears gears) {
  return std::make_unique<Programs>(gears, true);
}

constexpr TargetInfo list[] = {
    {"real16", "random bytes in real mode", 1000, streams<SoakMode::Real16>},
    {"protected32", "random bytes in 32-bit protected mode", 1500, streams<SoakMode::Protected32>},
    {"compatibility32", "random bytes in compatibility mode", 6000,
     streams<SoakMode::Compatibility32>},
    {"long64", "random bytes in 64-bit mode, CPL 0", 6000, streams<SoakMode::Long64>},
    {"user64", "random bytes in 64-bit mode, CPL 3", 8000, streams<SoakMode::LongUser64>},
    {"compatibility_user32", "random bytes in compatibility mode, CPL 3", 6000,
     streams<SoakMode::CompatibilityUser32>},
    {"paged32", "random bytes in 32-bit protected mode with 32-bit paging", 2000,
     streams<SoakMode::Paged32>},
    {"pae32", "random bytes in 32-bit protected mode with PAE paging", 2000,
     streams<SoakMode::Pae32>},
    {"protected_user32", "random bytes in 32-bit protected mode, CPL 3", 4000,
     streams<SoakMode::ProtectedUser32>},
    {"virtual86", "random bytes in virtual-8086 mode", 2000, streams<SoakMode::Virtual86>},
    {"programs", "programs of the oracle's generator, nothing left out, every mode", 2000,
     programs},
    {"tables", "the same with random page tables and control registers", 2000, tables},
    {"partition",
     "guest code in both VTLs and rings: hypercalls, MSRs, VP registers, page tables, bytes", 60,
     make_partition_target},
    {"stale", "the programs of partition under the checker of stale translations", 40,
     make_stale_target},
};

}  // namespace

std::span<const TargetInfo> targets() {
  return list;
}

}  // namespace soak
