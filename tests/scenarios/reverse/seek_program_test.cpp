// airlock seek, as a user calls it.
#include "tests/support/catch.h"

#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

using Catch::Matchers::ContainsSubstring;
using test::airlock;

TEST_CASE("a recording is asked for a position, backwards from there, and for who did it") {
  const test::TemporaryFolder folder;
  const std::string file = folder.file("boot.air");
  REQUIRE(airlock({"run", "-q", "--record", file}).exit_code == 0);

  const auto call = airlock({"seek", file, "--at", "vtl-call", "--step", "1", "--json"});
  INFO(call.errors);
  EXPECT(call.exit_code == 0);
  CHECK_THAT(call.output, ContainsSubstring("\"vtl\":1,\"ring\":0"));
  const auto back = airlock({"seek", file, "--at", "intercept", "--back", "protection"});
  EXPECT(back.exit_code == 0);
  CHECK_THAT(back.output, ContainsSubstring("ProtectionChange("));
  const auto secret =
      airlock({"seek", file, "--at", "intercept", "--who-wrote", "gva:2779cbb0000+10@0", "--process", "lsaiso.exe"});
  EXPECT(secret.exit_code == 0);
  CHECK_THAT(secret.output, ContainsSubstring("VTL 1, ring 3") && ContainsSubstring("lsaiso!"));
}

TEST_CASE("what cannot be asked is refused with the reason, before anything runs") {
  for (const char* question : {"gva:zz", "reg:eax", "pte:1000/5", "gva:1000@7", "spa:0+20000", "nonsense"}) {
    CAPTURE(question);
    const auto answer = airlock({"seek", "--who-wrote", question});
    EXPECT(answer.exit_code == 2);
    CHECK_THAT(answer.errors, ContainsSubstring("airlock seek: "));
  }
  EXPECT(airlock({"seek", "/nowhere.air"}).exit_code == 4);
}
