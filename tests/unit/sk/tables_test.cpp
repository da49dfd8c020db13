// The tables between NTOS, the secure kernel and trustlets, as decoders read them.
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "abi/sk/structures.h"
#include "abi/sk/tables.h"
#include "abi/sk/trustlet_metadata.h"
#include "tests/support/catch.h"

using namespace abi::sk;

static std::string read_file(const std::string& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

TEST_CASE("an argument of a service has a name, an offset in the frame and a size") {
  const ServiceRow* row = find_row(secure_services, 15);
  REQUIRE(row != nullptr);
  const char* text = row->inputs;
  ArgumentField field{};
  REQUIRE(next_argument(text, field));
  EXPECT(std::string_view(field.name, field.name_length) == "trustlet_id");
  EXPECT(field.offset == 0x08);
  EXPECT(field.size == 8);
  REQUIRE(next_argument(text, field));
  EXPECT(std::string_view(field.name, field.name_length) == "key");
  EXPECT(field.offset == 0x10);
  EXPECT(field.size == 16);
}

TEST_CASE("a malformed argument ends the list instead of being guessed") {
  const char* text = "name_without_offset";
  ArgumentField field{};
  EXPECT(!next_argument(text, field));
  text = "   ";
  EXPECT(!next_argument(text, field));
}

TEST_CASE("services that the seeds name have their 10240 numbers") {
  EXPECT(static_cast<int>(SecureService::RetrieveMailbox) == 15);
  EXPECT(static_cast<int>(SecureService::ExchangeEntropy) == 27);
  EXPECT(static_cast<int>(SecureService::Phase0Initialize) == 208);
  EXPECT(static_cast<int>(NormalService::CopyVirtualMemory) == 13);
  EXPECT(static_cast<uint32_t>(SecureCall::IumStorageGet) == 0x80000005);
  EXPECT(find_row(secure_services, 30) == nullptr);
  EXPECT(find_row(nt_calls, 0x80000000) == nullptr);
}

TEST_CASE("every system call of the table is exported by iumdll and nothing else is") {
  const std::string def = read_file(std::string{AIRLOCK_SOURCE_DIR} + "/iumdll/iumdll.def");
  REQUIRE(!def.empty());
  std::string expected = "LIBRARY iumdll.dll\nEXPORTS\n";
  for (const SystemCallRow& row : nt_calls) expected += std::string{"  "} + row.name + "\n";
  for (const SystemCallRow& row : secure_calls) expected += std::string{"  "} + row.name + "\n";
  EXPECT(def.substr(def.find("LIBRARY")) == expected);
}

TEST_CASE("published offsets and sizes of structures do not move") {
  EXPECT(sizeof(SkCall) == 0x68);
  EXPECT(parameter_offset(11) == 0x60);
  EXPECT(sizeof(CryptoParameters) == 0x78);
  EXPECT(offsetof(CryptoParameters, bytes_seeded) == 0x70);
  EXPECT(sizeof(Mailbox::data) == 4092);
  EXPECT(sizeof(StorageBlob::data) == 4088);
  EXPECT(sizeof(TransferMdl) == 4096);
  EXPECT(offsetof(TransferMdl, pfn) == 48);
  EXPECT(sizeof(PolicyEntry) == 16);
}
