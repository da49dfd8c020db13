#include "sim/support/result.h"

#include <memory>

#include "sim/support/instant.h"
#include "tests/support/catch.h"

namespace {

support::Result<int> half(int value) {
  if (value % 2 != 0) return support::Error{"odd"};
  return value / 2;
}

support::Result<int> quarter(int value) {
  const int halved = TRY(half(value));
  return TRY(half(halved));
}

support::Result<std::unique_ptr<int>> boxed(int value) {
  return std::make_unique<int>(TRY(half(value)));
}

}  // namespace

TEST_CASE("TRY yields the value or returns the error of the first step that failed") {
  EXPECT(quarter(12).value() == 3);
  EXPECT(quarter(6).error().message == "odd");
  EXPECT(quarter(5).error().message == "odd");
}

TEST_CASE("a result carries what can only be moved") {
  auto result = boxed(8);
  REQUIRE(result);
  const std::unique_ptr<int> value = std::move(result.value());
  EXPECT(*value == 4);
}

TEST_CASE("instants are ordered, and never is the last") {
  const support::Instant now{5};
  EXPECT(now + 3 > now);
  EXPECT((now + 3) - now == 3);
  EXPECT(now < support::never);
}
