#include "sim/loader/pe_directories.h"

#include <functional>

#include "pe_builder.h"
#include "sim/loader/authenticode.h"
#include "tests/support/catch.h"

using namespace loader;
using Catch::Matchers::ContainsSubstring;
using test::PeBuilder;

namespace {

constexpr auto data_at = PeBuilder::data_at;

/// Functions at RVA 0x1000 and 0x1010 and a forwarder; names "Alpha" and "Beta"; the second
/// function by ordinal only.
PeBuilder with_exports() {
  PeBuilder b;
  pe::ExportDirectory directory{};
  directory.name = 0x2100;
  directory.base = 5;
  directory.number_of_functions = 3;
  directory.number_of_names = 2;
  directory.address_of_functions = 0x2040;
  directory.address_of_names = 0x2060;
  directory.address_of_name_ordinals = 0x2080;
  b.put(data_at(0), directory);
  b.put<uint32_t>(data_at(0x40), 0x1000)
      .put<uint32_t>(data_at(0x44), 0x1010)
      .put<uint32_t>(data_at(0x48), 0x2140);
  b.put<uint32_t>(data_at(0x60), 0x2110).put<uint32_t>(data_at(0x64), 0x2120);
  b.put<uint16_t>(data_at(0x80), 0).put<uint16_t>(data_at(0x82), 2);
  b.text(data_at(0x100), "test.dll").text(data_at(0x110), "Alpha").text(data_at(0x120), "Beta");
  b.text(data_at(0x140), "NTDLL.RtlBeta");
  return b.directory(Directory::Export, 0x2000, 0x200);
}

/// One module, "cng.sys", with one import by name and one by ordinal.
PeBuilder with_imports() {
  PeBuilder b;
  b.put(data_at(0), pe::ImportDescriptor{0x2100, 0, 0, 0x2200, 0x2140});
  b.put<uint64_t>(data_at(0x100), 0x2220).put<uint64_t>(data_at(0x108), pe::import_by_ordinal | 7);
  b.put<uint64_t>(data_at(0x140), 0x2220).put<uint64_t>(data_at(0x148), pe::import_by_ordinal | 7);
  b.text(data_at(0x200), "cng.sys")
      .put<uint16_t>(data_at(0x220), 3)
      .text(data_at(0x222), "BCryptHash");
  return b.directory(Directory::Import, 0x2000, 40);
}

template <class Read>
std::string complaint(const PeBuilder& builder, Read read) {
  return test::message_of(read(test::parse_good(builder.bytes())));
}

}  // namespace

TEST_CASE("Exports are read with names, ordinals and forwarders") {
  const PeBuilder builder = with_exports();
  const auto table = read_exports(test::parse_good(builder.bytes()));
  REQUIRE(table.ok());
  EXPECT(table.value().module == "test.dll");
  REQUIRE(table.value().entries.size() == 3);
  const auto& entries = table.value().entries;
  EXPECT((entries[0].ordinal == 5 && entries[0].name == "Alpha" && entries[0].rva == 0x1000));
  EXPECT((entries[1].ordinal == 6 && entries[1].name.empty() && entries[1].rva == 0x1010));
  EXPECT((entries[2].ordinal == 7 && entries[2].name == "Beta" &&
          entries[2].forwarder == "NTDLL.RtlBeta"));
}

TEST_CASE("Malformed exports are refused with the place") {
  CHECK_THAT(complaint(with_exports().put<uint32_t>(data_at(20), 0xffffffff), read_exports),
             ContainsSubstring("names 4294967295 functions"));
  CHECK_THAT(complaint(with_exports().put<uint16_t>(data_at(0x82), 3), read_exports),
             ContainsSubstring("export name 1 refers to function 3 of 3"));
  CHECK_THAT(complaint(with_exports().put<uint32_t>(data_at(0x40), 0x4000), read_exports),
             ContainsSubstring("export 5 at RVA 0x4000 lies outside the image"));
  CHECK_THAT(complaint(with_exports().put<uint32_t>(data_at(0x60), 0x1300), read_exports),
             ContainsSubstring("an export name at RVA 0x1300 lies in no section"));
  CHECK_THAT(complaint(with_exports().text(data_at(0x140), "NoModule"), read_exports),
             ContainsSubstring("forwarder \"NoModule\" has no module"));
}

TEST_CASE("Imports are read by name and by ordinal, with their address table slots") {
  const PeBuilder builder = with_imports();
  const auto modules = read_imports(test::parse_good(builder.bytes()));
  REQUIRE(modules.ok());
  REQUIRE(modules.value().size() == 1);
  const ImportedModule& module = modules.value()[0];
  EXPECT(module.module == "cng.sys");
  REQUIRE(module.imports.size() == 2);
  EXPECT((module.imports[0].name == "BCryptHash" && module.imports[0].hint == 3 &&
          module.imports[0].address_rva == 0x2140));
  EXPECT((module.imports[1].ordinal == 7 && module.imports[1].address_rva == 0x2148));
}

TEST_CASE("Malformed imports are refused with the place") {
  CHECK_THAT(
      complaint(with_imports().put<uint64_t>(data_at(0x100), 0x8000000000012345), read_imports),
      ContainsSubstring("by ordinal has reserved bits set"));
  CHECK_THAT(complaint(with_imports().put<uint64_t>(data_at(0x100), 0x123400002220), read_imports),
             ContainsSubstring("by name has reserved bits set"));
  CHECK_THAT(complaint(with_imports().put<uint64_t>(data_at(0x100), 0x3fff), read_imports),
             ContainsSubstring("an import's hint"));
  CHECK_THAT(complaint(with_imports().put<uint32_t>(data_at(12), 0x1300), read_imports),
             ContainsSubstring("an imported module's name at RVA 0x1300 lies in no section"));
  PeBuilder endless;
  for (uint32_t at = 0; at < 0x1000; at += 8)
    endless.put<uint64_t>(data_at(at), pe::import_by_ordinal | 1);
  endless.text(PeBuilder::policy_file + 0x100, "x.dll");
  endless.put(PeBuilder::text_file, pe::ImportDescriptor{0x2000, 0, 0, 0x3100, 0x2000});
  endless.directory(Directory::Import, PeBuilder::text_rva, 40);
  CHECK_THAT(complaint(endless, read_imports),
             ContainsSubstring("lookup table of x.dll has no end"));
}

TEST_CASE("Malformed relocations are refused with the place") {
  const auto with_block = [](pe::RelocationBlock block, uint16_t entry) {
    PeBuilder b;
    b.put(data_at(0), block).put<uint16_t>(data_at(8), entry);
    return b.directory(Directory::Relocation, 0x2000, 12);
  };
  CHECK_THAT(complaint(with_block({0x2000, 4}, 0), read_relocations),
             ContainsSubstring("SizeOfBlock 0x4 is impossible"));
  CHECK_THAT(complaint(with_block({0x2000, 0xffffffff}, 0), read_relocations),
             ContainsSubstring("is impossible"));
  CHECK_THAT(complaint(with_block({0x2000, 12}, 0x3010), read_relocations),
             ContainsSubstring("type 3 is not DIR64"));
  CHECK_THAT(complaint(with_block({0x3000, 12}, 0xaff9), read_relocations),
             ContainsSubstring("relocation of RVA 0x3ff9 lies outside the image"));
  CHECK_THAT(complaint(with_block({0xfffff000, 12}, 0xafff), read_relocations),
             ContainsSubstring("lies outside the image"));
}

TEST_CASE("The link to the PDB is read from the debug directory") {
  PeBuilder b;
  b.put(data_at(0),
        pe::DebugDirectory{0, 0, 0, 0, pe::debug_type_codeview, 40, 0x2040, data_at(0x40)});
  b.put<uint32_t>(data_at(0x40), pe::codeview_rsds);
  for (uint8_t i = 0; i < 16; ++i)
    b.put<uint8_t>(data_at(0x44u + i), i);
  b.put<uint32_t>(data_at(0x54), 9).text(data_at(0x58), "test.pdb");
  b.directory(Directory::Debug, 0x2000, 28);
  const auto debug = read_debug(test::parse_good(b.bytes()));
  REQUIRE(debug.ok());
  REQUIRE(debug.value().pdb.has_value());
  EXPECT(debug.value().pdb->path == "test.pdb");
  EXPECT(debug.value().pdb->age == 9);
  EXPECT(format_guid(debug.value().pdb->guid) == "{03020100-0504-0706-0809-0A0B0C0D0E0F}");

  b.put<uint32_t>(data_at(0) + 16, 26);  // the path loses its end
  CHECK_THAT(complaint(b, read_debug), ContainsSubstring("RSDS record"));
  b.put<uint32_t>(data_at(0) + 24, 0xffffff00);
  CHECK_THAT(complaint(b, read_debug), ContainsSubstring("lies outside the file"));
}

TEST_CASE("A trustlet's policy is found in its section and must end") {
  PeBuilder b;
  const auto empty = read_trustlet_policy(test::parse_good(b.bytes()));
  REQUIRE(empty.ok());
  REQUIRE(empty.value().has_value());
  EXPECT(empty.value()->application_id == 42);
  EXPECT(empty.value()->entries.empty());

  b.put<uint32_t>(PeBuilder::policy_file + 16, 7).put<uint32_t>(PeBuilder::policy_file + 20, 2);
  b.put<uint64_t>(PeBuilder::policy_file + 24, 3);
  const auto one = read_trustlet_policy(test::parse_good(b.bytes()));
  REQUIRE(one.ok());
  REQUIRE(one.value()->entries.size() == 1);
  EXPECT(trustlet_policy_name(one.value()->entries[0].policy_id) == "Debug");
  EXPECT(one.value()->entries[0].value == 3);

  for (uint32_t at = 16; at < 0x200; at += 4)
    b.put<uint32_t>(PeBuilder::policy_file + at, 1);
  CHECK_THAT(complaint(b, read_trustlet_policy), ContainsSubstring("no terminating entry"));
  b.put<uint8_t>(PeBuilder::policy_file, 9);
  CHECK_THAT(complaint(b, read_trustlet_policy), ContainsSubstring("has version 9"));
}

TEST_CASE("A certificate table must be well formed and the last thing in the file") {
  PeBuilder b;
  const auto size = static_cast<uint32_t>(b.bytes().size());
  b.append(std::vector<uint8_t>(16));
  b.directory(Directory::Security, size, 16).put(size, pe::WinCertificate{16, 0x200, 2});
  EXPECT(read_certificates(test::parse_good(b.bytes())).ok());
  EXPECT(authenticode_digest(test::parse_good(b.bytes())).ok());
  CHECK_THAT(complaint(b, read_signature),
             ContainsSubstring("the signature has no PKCS#7 content info"));

  b.put(size, pe::WinCertificate{0xfffffff0, 0x200, 2});
  CHECK_THAT(complaint(b, read_certificates), ContainsSubstring("impossible length"));
  b.put(size, pe::WinCertificate{16, 0x100, 2});
  CHECK_THAT(complaint(b, read_signature), ContainsSubstring("revision 0x0100"));
  b.append({1, 2, 3});
  CHECK_THAT(complaint(b, authenticode_digest),
             ContainsSubstring("what follows would be unsigned"));
}

TEST_CASE(
    "The Authenticode digest leaves out the checksum and the security directory entry, and nothing "
    "else") {
  const PeBuilder builder;
  const auto digest = authenticode_digest(test::parse_good(builder.bytes()));
  REQUIRE(digest.ok());
  const size_t checksum = PeBuilder::optional_offset + 64;
  for (size_t at = 0; at < builder.bytes().size(); at += 1) {
    const bool hole = at >= checksum && at < checksum + 4;
    // Bytes of headers change what the file means; those are tested by parse refusals.
    if (!hole && at < 0x400) continue;
    PeBuilder changed = builder;
    changed.put<uint8_t>(at, static_cast<uint8_t>(changed.bytes()[at] ^ 1));
    const auto other = authenticode_digest(test::parse_good(changed.bytes()));
    REQUIRE(other.ok());
    REQUIRE((other.value() == digest.value()) == hole);
  }
}
