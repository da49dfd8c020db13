// docs/reference/console.md is made from the table of commands.
#include <fstream>
#include <sstream>

#include "sim/faces/console/command.h"
#include "tests/support/catch.h"

TEST_CASE("the reference of the console is what the table says", "[console]") {
  const std::string page = faces::console::reference_page();
  std::ifstream file{CONSOLE_REFERENCE};
  std::stringstream text;
  text << file.rdbuf();
  if (text.str() != page) std::ofstream{"console.md"} << page;
  INFO("the page as it should be is console.md in the build folder: copy it to docs/reference");
  EXPECT((text.str() == page));
}
