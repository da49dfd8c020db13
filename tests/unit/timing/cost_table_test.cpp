#include "sim/timing/cost_table.h"

#include <fstream>
#include <iterator>
#include <set>

#include "sim/loader/byte_view.h"
#include "tests/support/catch.h"

using namespace timing;

TEST_CASE("the cost table is the one that was agreed on") {
  // Whoever changes a number changes this file too, and what docs/timing-model.md says that it leads to:
  //   airlock cycles --table > tests/golden/cost_table.txt
  std::ifstream file{AIRLOCK_GOLDEN_FOLDER "/cost_table.txt"};
  REQUIRE(file.good());
  const std::string golden{std::istreambuf_iterator<char>{file}, {}};
  EXPECT(cost_table_text() == golden);
}

TEST_CASE("each number has a name of its own, a unit and a source") {
  const std::set<std::string_view> units{"quarters", "cycles", "bytes", "ways", "entries", "streams", "writes"};
  std::set<std::string_view> names;
  for (const CostRow& row : cost_rows()) {
    INFO(row.name);
    EXPECT(names.insert(row.name).second);
    EXPECT(units.contains(row.unit));
    const bool sourced = row.source.starts_with("IOM") || row.source.starts_with("SDM") ||
                         row.source.starts_with("Agner") || row.source.starts_with("SplitX") ||
                         row.source.starts_with("choice");
    EXPECT(sourced);
  }
}

TEST_CASE("classes come first in the rows and have the table's costs") {
  const CostTable costs;
  for (size_t i = 0; i < instruction_classes; ++i) {
    const auto kind = static_cast<InstructionClass>(i);
    EXPECT(cost_rows()[i].name == name_of(kind));
    EXPECT(costs.of(kind) == cost_rows()[i].value);
  }
  EXPECT(costs.of(InstructionClass::Move) == 1);
  EXPECT(name_of(static_cast<InstructionClass>(250)) == "unknown");
}
