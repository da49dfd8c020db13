#include "sim/timing/caches.h"

#include "tests/support/catch.h"

using timing::Cache;
using timing::Caches;
using timing::CostTable;
using timing::Level;

TEST_CASE("a cache of two ways forgets the line that was used least recently") {
  Cache cache{4 * 64, 2, 64};  // two sets: lines 0, 2, 4 share one
  const uint64_t a = 0, b = 2 * 64, c = 4 * 64, other_set = 64;
  EXPECT(!cache.touch(a));
  EXPECT(!cache.touch(b));
  EXPECT(cache.touch(a + 63));  // the same line; now b is the older one
  EXPECT(!cache.touch(other_set));
  EXPECT(!cache.touch(c));      // b goes
  EXPECT(cache.touch(a));
  EXPECT(!cache.touch(b));      // c goes
  EXPECT(!cache.touch(c));
  EXPECT(cache.touch(other_set));
}

TEST_CASE("levels answer in order, and a line that left the first is found in the second") {
  CostTable costs;
  costs.l1_data_bytes = 2 * 64;
  costs.l1_data_ways = 2;
  costs.l2_bytes = 4 * 64;
  costs.l2_ways = 4;
  costs.llc_bytes = 8 * 64;
  costs.llc_ways = 8;
  costs.prefetch_streams = 0;
  Caches caches{costs, std::make_shared<Cache>(costs.llc_bytes, costs.llc_ways, 64)};
  const auto line = [](uint64_t n) { return n * 4096; };
  for (uint64_t n = 0; n < 3; ++n) EXPECT(caches.data(line(n)) == Level::Memory);
  EXPECT(caches.data(line(2)) == Level::L1);
  EXPECT(caches.data(line(0)) == Level::L2);  // two ways held 1 and 2
  for (uint64_t n = 3; n < 7; ++n) EXPECT(caches.data(line(n)) == Level::Memory);
  EXPECT(caches.data(line(1)) == Level::Llc);
  EXPECT(caches.walk(line(1)) == Level::L1);  // walks read what data filled
  EXPECT(caches.fetch(line(1)) == Level::L2); // code has a first level of its own
}

TEST_CASE("the last level is shared between cores, the others are not") {
  const CostTable costs;
  const auto last = std::make_shared<Cache>(costs.llc_bytes, costs.llc_ways, costs.line_bytes);
  Caches first{costs, last}, second{costs, last};
  EXPECT(first.data(0x5000) == Level::Memory);
  EXPECT(second.data(0x5000) == Level::Llc);
  EXPECT(second.data(0x5000) == Level::L1);
}

TEST_CASE("ascending misses within a page are prefetched from the second line on") {
  const CostTable costs;
  Caches caches{costs, std::make_shared<Cache>(costs.llc_bytes, costs.llc_ways, costs.line_bytes)};
  EXPECT(caches.data(0x8000) == Level::Memory);
  for (uint64_t at = 0x8040; at < 0x9000; at += 64) EXPECT(caches.data(at) == Level::L2);
  EXPECT(caches.data(0x9000) == Level::Memory);  // no stream crosses a page
  EXPECT(caches.data(0xa000) == Level::Memory);
  EXPECT(caches.data(0xa100) == Level::Memory);  // a gap
  EXPECT(caches.walk(0x9040) == Level::Memory);  // walks are not followed
}

TEST_CASE("latencies are those of the table") {
  const CostTable costs;
  EXPECT(latency_of(costs, Level::L1) == 4);
  EXPECT(latency_of(costs, Level::L2) == 12);
  EXPECT(latency_of(costs, Level::Llc) == 44);
  EXPECT(latency_of(costs, Level::Memory) == 200);
  EXPECT(latency_of(costs, Level::Device) == 500);
}
