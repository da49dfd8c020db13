#include <functional>

#include "pe_builder.h"
#include "sim/loader/pe_map.h"
#include "tests/support/catch.h"

using namespace loader;
using Catch::Matchers::ContainsSubstring;
using test::PeBuilder;

TEST_CASE("A well-formed PE32+ file is parsed into its headers and sections") {
  const PeBuilder builder;
  const PeImage image = test::parse_good(builder.bytes());
  REQUIRE(image.sections().size() == 3);
  EXPECT(image.sections()[0].name == ".text");
  EXPECT(image.sections()[0].executable());
  CHECK_FALSE(image.sections()[0].writable());
  EXPECT(image.sections()[1].writable());
  EXPECT(image.optional_header().image_base == PeBuilder::image_base);
  EXPECT(image.section_at(0x1fff) == nullptr);
  EXPECT(image.section_at(0x11ff)->name == ".text");
  EXPECT(image.section_named(".data")->rva == PeBuilder::data_rva);
}

TEST_CASE("Each malformed header is refused with a message that names the field") {
  struct Row {
    const char* message;
    std::function<void(PeBuilder&)> spoil;
  };
  constexpr size_t optional = PeBuilder::optional_offset;
  const Row rows[] = {
      {"too short for the DOS header", [](PeBuilder& b) { b.truncate(63); }},
      {"not a PE file: it begins with 0x5a5a", [](PeBuilder& b) { b.put<uint16_t>(0, 0x5a5a); }},
      {"e_lfanew 0xfffffff0 points outside",
       [](PeBuilder& b) { b.put<uint32_t>(0x3c, 0xfffffff0); }},
      {"no PE signature at file offset 0x80", [](PeBuilder& b) { b.put<uint32_t>(0x80, 0); }},
      {"ends inside the file header", [](PeBuilder& b) { b.truncate(0x86); }},
      {"Machine is 0x014c", [](PeBuilder& b) { b.put<uint16_t>(0x84, 0x14c); }},
      {"ends inside the optional header", [](PeBuilder& b) { b.truncate(optional + 20); }},
      {"PE32 (0x10b)", [](PeBuilder& b) { b.put<uint16_t>(optional, 0x10b); }},
      {"magic is 0x1234", [](PeBuilder& b) { b.put<uint16_t>(optional, 0x1234); }},
      {"SizeOfOptionalHeader is 10", [](PeBuilder& b) { b.put<uint16_t>(0x84 + 16, 10); }},
      {"FileAlignment 0x123", [](PeBuilder& b) { b.put<uint32_t>(optional + 36, 0x123); }},
      {"SectionAlignment 0x100", [](PeBuilder& b) { b.put<uint32_t>(optional + 32, 0x100); }},
      {"SizeOfImage 0xffffffff", [](PeBuilder& b) { b.put<uint32_t>(optional + 56, 0xffffffff); }},
      {"SizeOfImage 0x0", [](PeBuilder& b) { b.put<uint32_t>(optional + 56, 0); }},
      {"SizeOfHeaders 0x10000", [](PeBuilder& b) { b.put<uint32_t>(optional + 60, 0x10000); }},
      {"AddressOfEntryPoint 0x4000", [](PeBuilder& b) { b.put<uint32_t>(optional + 16, 0x4000); }},
      {"ImageBase 0x1", [](PeBuilder& b) { b.put<uint64_t>(optional + 24, 1); }},
      {"passes the end of the address space",
       [](PeBuilder& b) {
         b.put<uint64_t>(optional + 24, 0xffffffffffff0000).put<uint32_t>(optional + 56, 0x10001);
       }},
      {"NumberOfRvaAndSizes is 17", [](PeBuilder& b) { b.put<uint32_t>(optional + 108, 17); }},
      {"NumberOfSections is 0", [](PeBuilder& b) { b.put<uint16_t>(0x86, 0); }},
      {"NumberOfSections is 97", [](PeBuilder& b) { b.put<uint16_t>(0x86, 97); }},
      {"the table of 90 sections ends", [](PeBuilder& b) { b.put<uint16_t>(0x86, 90); }},
      {"the import directory [0xfffffff0, 0x100000ef0) lies outside the image",
       [](PeBuilder& b) { b.directory(Directory::Import, 0xfffffff0, 0xf00); }},
      {"the security directory [0x1800, 0x1808) lies outside the file",
       [](PeBuilder& b) { b.directory(Directory::Security, 0x1800, 8); }},
  };
  for (const Row& row : rows) {
    PeBuilder builder;
    row.spoil(builder);
    CHECK_THAT(test::message_of(PeImage::parse(builder.bytes())), ContainsSubstring(row.message));
  }
}

TEST_CASE("Each malformed section is refused with its number and name") {
  struct Row {
    const char* message;
    std::function<void(PeBuilder&)> spoil;
  };
  const Row rows[] = {
      {"section 1 (.data): VirtualAddress 0x2001 is not a multiple",
       [](PeBuilder& b) { b.section(1, ".data", 0x2001, 0x1000, 0x600, 0x1000, 0); }},
      {"section 1 (.data): VirtualAddress 0x1000 lies before 0x1200",
       [](PeBuilder& b) { b.section(1, ".data", 0x1000, 0x1000, 0x600, 0x1000, 0); }},
      {"section 2 (.tpolicy): ends at RVA 0x100002fff",
       [](PeBuilder& b) { b.section(2, ".tpolicy", 0x3000, 0xffffffff, 0x1600, 0x200, 0); }},
      {"section 1 (.data): PointerToRawData 0x601 is not aligned",
       [](PeBuilder& b) { b.section(1, ".data", 0x2000, 0x1000, 0x601, 0x1000, 0); }},
      {"section 1 (.data): its raw data ends at file offset 0x1000005ff",
       [](PeBuilder& b) { b.section(1, ".data", 0x2000, 0x1000, 0x600, 0xffffffff, 0); }},
      {"section 0 (\\x01\\x02)",
       [](PeBuilder& b) { b.section(0, "\x01\x02", 0x1001, 0x200, 0x400, 0x200, 0); }},
  };
  for (const Row& row : rows) {
    PeBuilder builder;
    row.spoil(builder);
    CHECK_THAT(test::message_of(PeImage::parse(builder.bytes())), ContainsSubstring(row.message));
  }
}

TEST_CASE("A file cut at any byte is refused or parsed, never read past its end") {
  const PeBuilder whole;
  for (size_t size = 0; size < whole.bytes().size(); ++size) {
    // An exact allocation, so that a sanitizer sees one byte too many.
    const std::vector<uint8_t> cut(whole.bytes().begin(),
                                   whole.bytes().begin() + static_cast<ptrdiff_t>(size));
    CHECK_FALSE(PeImage::parse(cut).ok());
  }
}

TEST_CASE("An image is mapped by pages and its addresses are rebased") {
  PeBuilder builder;
  // Two DIR64 entries and one of padding, in a block for page 0x2000.
  builder.put<uint64_t>(PeBuilder::data_at(0x10), PeBuilder::image_base + 0x1234);
  builder.put<uint64_t>(PeBuilder::data_at(0xff8), PeBuilder::image_base + 0x2000);
  builder.put(PeBuilder::data_at(0x100), pe::RelocationBlock{0x2000, 16});
  builder.put<uint16_t>(PeBuilder::data_at(0x108), 0xa010);
  builder.put<uint16_t>(PeBuilder::data_at(0x10a), 0xaff8);
  builder.put<uint16_t>(PeBuilder::data_at(0x10c), 0x0000);
  builder.directory(Directory::Relocation, 0x2100, 16);
  const PeImage image = test::parse_good(builder.bytes());

  const uint64_t base = 0xfffff80100000000;
  const auto mapped = map_image(image, base);
  REQUIRE(mapped.ok());
  const auto word = [&](uint32_t rva) { return *read_at<uint64_t>(mapped.value().bytes, rva); };
  EXPECT(word(0x2010) == base + 0x1234);
  EXPECT(word(0x2ff8) == base + 0x2000);
  EXPECT(mapped.value().entry == base + 0x1000);
  EXPECT(mapped.value().bytes.size() == 0x4000);
  REQUIRE(mapped.value().ranges.size() == 4);
  EXPECT(mapped.value().ranges[1].executable);
  CHECK_FALSE(mapped.value().ranges[1].writable);
  EXPECT(mapped.value().bytes[0x1000] == 0xc3);
  EXPECT(mapped.value().bytes[0x1200] == 0);

  CHECK_THAT(test::message_of(map_image(image, 0x1234)),
             ContainsSubstring("base 0x1234 is not a multiple of 64 KiB"));
}

TEST_CASE("Images that cannot be mapped are refused with the reason") {
  PeBuilder builder;
  builder.put<uint16_t>(PeBuilder::pe_offset + 4 + 18, 0x23);  // relocations stripped
  CHECK_THAT(test::message_of(map_image(test::parse_good(builder.bytes()), 0x10000)),
             ContainsSubstring("runs only at its preferred base 0x140000000"));
  EXPECT(map_image(test::parse_good(builder.bytes()), PeBuilder::image_base).ok());

  PeBuilder small;
  small.put<uint32_t>(PeBuilder::optional_offset + 32, 0x200);
  CHECK_THAT(test::message_of(map_image(test::parse_good(small.bytes()), PeBuilder::image_base)),
             ContainsSubstring("several sections into one page"));
}
