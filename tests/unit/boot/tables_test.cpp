#include <map>
#include <string>

#include "abi/sk/tables.h"
#include "tests/support/catch.h"

TEST_CASE("NTOS knows every system call of a trustlet by the same name and number") {
  std::map<uint32_t, std::string> known;
#define NT_SERVICE(name, number) known[number] = #name;
#define NT_ABSENT(name, number) known[number] = #name;
#include "images/ntoskrnl/ke/system_services.def"
  for (const abi::sk::SystemCallRow& row : abi::sk::nt_calls) {
    INFO(row.name);
    EXPECT(known[row.number] == row.name);
  }
}
