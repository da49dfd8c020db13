#include "tests/unit/vtl/world.h"

using namespace test;
using vtl::LocalApic;

namespace {

/// One APIC with its task priority and clock.
struct Bench {
  LocalApic apic{0, true};
  uint8_t tpr = 0;
  Instant now{0};
  uint64_t tsc_offset = 0;

  Bench() { mmio(0xF0, 0x1FF); }
  vtl::ApicContext context() { return {now, tsc_offset, &tpr}; }
  void mmio(uint16_t offset, uint32_t value) { apic.write_mmio(offset, value, context()); }
  uint32_t mmio(uint16_t offset) { return apic.read_mmio(offset, context()); }
  bool msr(uint32_t number, uint64_t value) { return apic.write_msr(number, value, context()); }
  std::optional<uint64_t> msr(uint32_t number) { return apic.read_msr(number, context()); }
  std::optional<uint8_t> deliverable() { return apic.deliverable(tpr); }
  void advance(uint64_t tick) {
    now = Instant{tick};
    apic.advance(now, tsc_offset);
  }
};

}  // namespace

TEST_CASE("the highest vector above TPR and above what is in service is delivered first") {
  Bench bench;
  REQUIRE(bench.apic.request(0x31));
  REQUIRE(bench.apic.request(0x52));
  REQUIRE(bench.apic.request(0x51));
  EXPECT(bench.deliverable() == 0x52);
  bench.tpr = 0x4F;
  EXPECT(bench.deliverable() == 0x52);
  bench.tpr = 0x50;
  EXPECT(!bench.deliverable());  // the class counts, not the vector
  bench.tpr = 0;
  bench.apic.accept(0x52);
  EXPECT(bench.apic.in_service(0x52));
  EXPECT(!bench.deliverable());  // 0x51 is of the same class
  EXPECT(bench.mmio(0xA0) == 0x50);
  REQUIRE(bench.apic.request(0x60));
  EXPECT(bench.deliverable() == 0x60);
  bench.apic.accept(0x60);
  bench.mmio(0xB0, 0);
  EXPECT(!bench.apic.in_service(0x60));
  EXPECT(bench.apic.in_service(0x52));
  bench.mmio(0xB0, 0);
  EXPECT(bench.deliverable() == 0x51);
}

TEST_CASE("an interrupt that ends itself is never in service") {
  Bench bench;
  REQUIRE(bench.apic.request(0x40, true));
  bench.apic.accept(0x40);
  EXPECT(!bench.apic.in_service(0x40));
  REQUIRE(bench.apic.request(0x40));
  bench.apic.accept(0x40);
  EXPECT(bench.apic.in_service(0x40));
}

TEST_CASE("a software-disabled APIC takes nothing, and vectors below 16 do not exist") {
  LocalApic fresh;
  EXPECT(!fresh.request(0x40));
  Bench bench;
  EXPECT(!bench.apic.request(15));
  EXPECT(bench.apic.request(16));
  bench.mmio(0xF0, 0xFF);
  EXPECT(!bench.apic.request(0x40));
  EXPECT((bench.mmio(0x320) & 0x10000) != 0);  // its timer is masked
  bench.mmio(0x320, 0x40);
  EXPECT((bench.mmio(0x320) & 0x10000) != 0);
}

TEST_CASE("the one-shot timer fires once, at its instant") {
  Bench bench;
  bench.mmio(0x3E0, 0xB);  // divide by 1: one count is 10 ticks
  bench.mmio(0x320, 0x40);
  bench.now = Instant{5};
  bench.mmio(0x380, 100);
  EXPECT(bench.apic.next_timer(0) == Instant{1005});
  bench.now = Instant{505};
  EXPECT(bench.mmio(0x390) == 50);
  bench.advance(1004);
  EXPECT(!bench.deliverable());
  bench.advance(1005);
  EXPECT(bench.deliverable() == 0x40);
  EXPECT(bench.apic.next_timer(0) == support::never);
  EXPECT(bench.mmio(0x390) == 0);
}

TEST_CASE("every divider has its period") {
  const std::pair<uint32_t, uint64_t> rows[] = {{0, 2},  {1, 4},  {2, 8},    {3, 16},
                                                {8, 32}, {9, 64}, {10, 128}, {11, 1}};
  for (const auto& [code, divider] : rows) {
    Bench bench;
    bench.mmio(0x3E0, code);
    bench.mmio(0x380, 7);
    EXPECT(bench.apic.next_timer(0) == Instant{7 * 10 * divider});
  }
}

TEST_CASE("the periodic timer keeps its grid, and missed periods fire once") {
  Bench bench;
  bench.mmio(0x3E0, 0xB);
  bench.mmio(0x320, 0x20040);
  bench.mmio(0x380, 10);
  bench.advance(100);
  EXPECT(bench.deliverable() == 0x40);
  bench.apic.accept(0x40);
  bench.apic.eoi();
  EXPECT(bench.apic.next_timer(0) == Instant{200});
  bench.advance(577);
  EXPECT(bench.deliverable() == 0x40);
  bench.apic.accept(0x40);
  bench.apic.eoi();
  EXPECT(!bench.deliverable());
  EXPECT(bench.apic.next_timer(0) == Instant{600});
  bench.mmio(0x320, 0x30040);  // masked: time goes on, silently
  bench.advance(600);
  EXPECT(!bench.deliverable());
  EXPECT(bench.apic.next_timer(0) == Instant{700});
  bench.mmio(0x380, 0);
  EXPECT(bench.apic.next_timer(0) == support::never);
}

TEST_CASE("the TSC-deadline timer follows the TSC of its VTL") {
  Bench bench;
  EXPECT(bench.msr(0x6E0, 100));
  EXPECT(bench.msr(0x6E0) == 0);  // not in this mode
  bench.mmio(0x320, 0x40040);
  bench.tsc_offset = 1000;
  REQUIRE(bench.msr(0x6E0, 6000));
  EXPECT(bench.apic.next_timer(bench.tsc_offset) == Instant{5000});
  bench.mmio(0x380, 1);  // has no effect in this mode
  EXPECT(bench.apic.next_timer(bench.tsc_offset) == Instant{5000});
  bench.advance(4999);
  EXPECT(!bench.deliverable());
  bench.advance(5000);
  EXPECT(bench.deliverable() == 0x40);
  EXPECT(bench.msr(0x6E0) == 0);
  REQUIRE(bench.msr(0x6E0, 500));  // the past
  bench.apic.accept(0x40);
  bench.apic.eoi();
  bench.advance(5001);
  EXPECT(bench.deliverable() == 0x40);
  REQUIRE(bench.msr(0x6E0, 9999999));
  bench.mmio(0x320, 0x40);  // leaving the mode disarms
  EXPECT(bench.apic.next_timer(bench.tsc_offset) == support::never);
}

TEST_CASE("the APIC goes through its modes as the manual allows") {
  Bench bench;
  EXPECT(bench.msr(0x1B) == 0xFEE00900);
  EXPECT(!bench.msr(0x803));             // no x2APIC registers in xAPIC mode
  EXPECT(!bench.msr(0x1B, 0xFEE01900));  // the base does not move
  EXPECT(!bench.msr(0x1B, 0xFEE00500));  // x2APIC without enable
  REQUIRE(bench.msr(0x1B, 0xFEE00C00));  // bootstrap bit is read-only
  EXPECT(bench.msr(0x1B) == 0xFEE00D00);
  EXPECT(bench.mmio(0x30) == 0xFFFFFFFF);  // no memory-mapped registers now
  EXPECT(bench.msr(0x803) == 0x50014);
  EXPECT(bench.msr(0x80F) == 0x1FF);
  EXPECT(!bench.msr(0x1B, 0xFEE00900));  // not back directly
  REQUIRE(bench.apic.request(0x77));
  REQUIRE(bench.msr(0x1B, 0xFEE00100));  // off: reset
  EXPECT(!bench.deliverable());
  EXPECT(!bench.msr(0x1B, 0xFEE00D00));  // off to x2APIC is not a step
  REQUIRE(bench.msr(0x1B, 0xFEE00900));
  EXPECT(bench.mmio(0xF0) == 0xFF);
}

TEST_CASE("x2APIC registers refuse what the manual calls reserved") {
  Bench bench;
  REQUIRE(bench.msr(0x1B, 0xFEE00D00));
  EXPECT(bench.msr(0x802) == 0);
  EXPECT(bench.msr(0x80D) == 1);
  EXPECT(!bench.msr(0x80D, 1));  // LDR is read-only
  EXPECT(!bench.msr(0x80B));     // EOI is write-only
  EXPECT(bench.msr(0x80B, 0));
  EXPECT(!bench.msr(0x80B, 1));
  EXPECT(!bench.msr(0x808, 0x100));
  EXPECT(bench.msr(0x808, 0x31));
  EXPECT(bench.tpr == 0x31);
  EXPECT(bench.msr(0x808) == 0x31);
  EXPECT(!bench.msr(0x80E));          // no DFR
  EXPECT(!bench.msr(0x831));          // no ICR high
  EXPECT(!bench.msr(0x830, 0x2000));  // reserved ICR bit
  EXPECT(!bench.msr(0x832, 0x100));   // reserved LVT bit
  EXPECT(!bench.msr(0x838, uint64_t{1} << 32));
  EXPECT(!bench.msr(0x810, 0));  // ISR is read-only
  EXPECT(!bench.msr(0x83F));
  REQUIRE(bench.msr(0x83F, 0x66));
  const auto interrupt = bench.apic.take_outgoing();
  REQUIRE(interrupt);
  EXPECT(interrupt->vector == 0x66);
  EXPECT(interrupt->shorthand == vtl::Shorthand::Self);
  EXPECT(!bench.apic.take_outgoing());
}

TEST_CASE("destinations match by physical and logical identity") {
  LocalApic apic{5, false};
  EXPECT(apic.matches({.vector = 0x40, .destination = 5}));
  EXPECT(apic.matches({.vector = 0x40, .destination = 0xFF}));
  EXPECT(!apic.matches({.vector = 0x40, .destination = 4}));
  uint8_t tpr = 0;
  apic.write_mmio(0xD0, 0x02000000, {{}, 0, &tpr});
  EXPECT(apic.matches({.vector = 0x40, .logical = true, .destination = 3}));
  EXPECT(!apic.matches({.vector = 0x40, .logical = true, .destination = 1}));
  apic.write_mmio(0xE0, 0x0FFFFFFF, {{}, 0, &tpr});  // cluster model
  apic.write_mmio(0xD0, 0x12000000, {{}, 0, &tpr});
  EXPECT(apic.matches({.vector = 0x40, .logical = true, .destination = 0x13}));
  EXPECT(!apic.matches({.vector = 0x40, .logical = true, .destination = 0x23}));
}
