#pragma once
// Catch2, as every test sees it: precompiled once by cmake/airlock_test.cmake and forced in front of each source.
//
// Catch2 and sim/support both name a macro CHECK. Airlock's (a broken invariant stops the run) keeps the name;
// Catch2's (note a failure, go on) is EXPECT here. REQUIRE and the rest are Catch2's.
#include <catch2/catch_all.hpp>

#undef CHECK
#define EXPECT(...)                                                                                \
  INTERNAL_CATCH_TEST("EXPECT", Catch::ResultDisposition::ContinueOnFailure, __VA_ARGS__)
