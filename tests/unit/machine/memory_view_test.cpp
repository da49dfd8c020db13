#include "sim/machine/memory_view.h"
#include "tests/support/catch.h"

TEST_CASE("dc prints doublewords, characters, and question marks for what cannot be read") {
  std::vector<std::optional<uint8_t>> bytes(32);
  const std::string text = "NTLM secret!.\x01";
  for (size_t i = 0; i < text.size(); ++i) bytes[i] = static_cast<uint8_t>(text[i]);
  EXPECT(machine::format_dc(mmu::Gva{0x2779cbb0000}, bytes) ==
         "00000277`9cbb0000  4d4c544e 63657320 21746572 ????012e  NTLM secret!..??\n"
         "00000277`9cbb0010  ???????? ???????? ???????? ????????  ????????????????\n");
}
