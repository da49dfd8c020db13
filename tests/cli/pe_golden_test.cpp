// The text of `airlock pe`, compared with a file that people have read. Numbers that change with every build of the
// guests are masked: hashes, identifiers, time stamps, sizes and addresses inside the image.
#include "tests/support/catch.h"

#include <regex>

#include "sim/cli/exit_codes.h"
#include "tests/support/disk_variant.h"
#include "tests/support/program.h"

using namespace test;

namespace {

std::string masked(const std::string& text) {
  static const std::pair<std::regex, const char*> volatile_parts[] = {
      {std::regex{"[0-9a-f]{64}"}, "<sha-256>"},
      {std::regex{"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}"}, "<guid>"},
      {std::regex{"(time stamp|checksum) 0x[0-9a-f]+"}, "$1 <number>"},
      {std::regex{"0x[0-9a-f]+( bytes)"}, "<n>$1"},
      {std::regex{"[0-9]+ (bytes|relocations|hashes|pages|rows)\\b"}, "<n> $1"},
      {std::regex{"(image|entry|file) 0x[0-9a-f]+"}, "$1 <number>"},
      {std::regex{"  0x[0-9a-f]{8}  "}, "  <rva>  "},
      {std::regex{"  0x([0-9a-f]{12}) +0x[0-9a-f]+  "}, "  <range>  "},
  };
  std::string result = text;
  for (const auto& [pattern, with] : volatile_parts) result = std::regex_replace(result, pattern, with);
  return result;
}

}  // namespace

TEST_CASE("airlock pe describes guest images in the words of the golden files") {
  for (const std::string name : {"lsaiso.exe", "unsigned.sys"}) {
    const ProgramResult shown = airlock({"pe", guest_image(name)});
    REQUIRE(shown.exit_code == cli::exit_ok);
    const std::string expected = read_text(std::string{GOLDEN_FOLDER} + "/pe." + name + ".txt");
    INFO("tests/golden/pe." << name << ".txt differs from\n" << masked(shown.output));
    EXPECT(masked(shown.output) == expected);
  }
}
