#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "command.h"
#include "pe_builder.h"
#include "sim/loader/image_catalog.h"
#include "sim/loader/msf_file.h"
#include "tests/support/catch.h"

namespace fs = std::filesystem;
using namespace loader;
using Catch::Matchers::ContainsSubstring;

namespace {

/// An MSF file with the given streams, in blocks of 512 bytes: superblock, directory map,
/// directory, streams.
std::vector<uint8_t> make_msf(const std::vector<std::vector<uint8_t>>& streams) {
  constexpr uint32_t block = 512;
  std::vector<uint8_t> directory;
  const auto put32 = [](std::vector<uint8_t>& out, uint32_t value) {
    for (int i = 0; i < 4; ++i)
      out.push_back(static_cast<uint8_t>(value >> (8 * i)));
  };
  put32(directory, static_cast<uint32_t>(streams.size()));
  for (const auto& stream : streams)
    put32(directory, static_cast<uint32_t>(stream.size()));
  uint32_t next = 3;
  std::vector<uint8_t> body;
  for (const auto& stream : streams) {
    for (size_t at = 0; at < stream.size(); at += block)
      put32(directory, next++);
    body.insert(body.end(), stream.begin(), stream.end());
    body.resize((body.size() + block - 1) / block * block);
  }
  std::vector<uint8_t> file;
  const char magic[] =
      "Microsoft C/C++ MSF 7.00\r\n\x1a"
      "DS\0\0";
  file.insert(file.end(), magic, magic + 32);
  for (const uint32_t value : {block, 1u, next, static_cast<uint32_t>(directory.size()), 0u, 1u})
    put32(file, value);
  file.resize(block);
  put32(file, 2);
  file.resize(2 * block);
  file.insert(file.end(), directory.begin(), directory.end());
  file.resize(3 * block);
  file.insert(file.end(), body.begin(), body.end());
  return file;
}

PdbFile sample_pdb() {
  PdbFile pdb;
  pdb.symbols = {{0x1000, "Start"}, {0x1040, "?Second@ke@@YAXXZ"}};
  pdb.files = {"C:\\airlock\\airlock\\images\\x\\main.cpp"};
  pdb.lines = {{0x1000, 10, 0}, {0x1044, 20, 0}};
  return pdb;
}

/// How many addresses llvm-pdbutil gives a name: to public symbols, and to functions and data of modules.
size_t named_addresses(const std::vector<std::string>& listing) {
  std::set<std::string> addresses;
  bool counts = false;
  for (const std::string& line : listing) {
    for (const char* kind : {"| S_PUB32", "| S_GPROC32", "| S_LPROC32", "| S_GDATA32", "| S_LDATA32"})
      counts = counts || line.find(kind) != std::string::npos;
    const size_t at = line.find("addr = ");
    if (!counts || at == std::string::npos) continue;
    counts = false;
    const std::string address = line.substr(at + 7, line.find_first_of(", ", at + 7) - at - 7);
    if (address.rfind("0000:", 0) != 0) addresses.insert(address);  // removed by the linker
  }
  return addresses.size();
}
size_t addresses_of(const PdbFile& pdb) {
  std::set<uint32_t> addresses;
  for (const PdbSymbol& symbol : pdb.symbols) addresses.insert(symbol.rva);
  return addresses.size();
}

}  // namespace

TEST_CASE("Streams of an MSF file are collected from their blocks") {
  const std::vector<uint8_t> large(1300, 7);
  const auto bytes = make_msf({{1, 2, 3}, large, {}});
  const auto msf = MsfFile::parse(bytes);
  REQUIRE(msf.ok());
  EXPECT(msf.value().stream(0).value() == std::vector<uint8_t>{1, 2, 3});
  EXPECT(msf.value().stream(1).value() == large);
  EXPECT(msf.value().stream(2).value().empty());
  CHECK_THAT(test::message_of(msf.value().stream(3)),
             ContainsSubstring("stream 3 is referred to, but there are 3"));
}

TEST_CASE("Damaged MSF files are refused at every cut and never read out of bounds") {
  const auto whole = make_msf({{1, 2, 3}, std::vector<uint8_t>(600, 1)});
  CHECK_THAT(test::message_of(MsfFile::parse({})),
             ContainsSubstring("the MSF 7.00 signature is missing"));
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    const auto msf = MsfFile::parse(cut);
    if (msf)
      CHECK_FALSE(
          (msf.value().stream(0).ok() && msf.value().stream(1).ok() && size + 512 < whole.size()));
    CHECK_FALSE(read_pdb(cut).ok());
  }
  for (size_t at = 32; at < 1536 + 12; ++at) {
    auto flipped = whole;
    flipped[at] ^= 0xff;
    const auto msf = MsfFile::parse(flipped);
    if (msf) static_cast<void>(msf.value().stream(1));
    CHECK_FALSE(read_pdb(flipped).ok());
  }
}

TEST_CASE("Decorated names lose their decoration, other names stay") {
  EXPECT(plain_symbol_name("?SkiStart@@YAXXZ") == "SkiStart");
  EXPECT(plain_symbol_name("?find_boot_file@osl@@YAPEAXPEBD@Z") == "osl::find_boot_file");
  EXPECT(plain_symbol_name("?c@b@a@@YAXXZ") == "a::b::c");
  EXPECT(plain_symbol_name("KiSystemStartup") == "KiSystemStartup");
  EXPECT(plain_symbol_name("??_C@_0BE@FEGDKDME@") == "??_C@_0BE@FEGDKDME@");
  EXPECT(plain_symbol_name("?broken") == "?broken");
  EXPECT(plain_symbol_name("?x@?A0x1234@@3HA") == "?x@?A0x1234@@3HA");
}

TEST_CASE(
    "Addresses are named by the nearest symbol before them, and only by a PDB that belongs to the "
    "image") {
  const test::PeBuilder builder;
  const PeImage image = test::parse_good(builder.bytes());
  const PdbFile pdb = sample_pdb();
  CHECK_THAT(test::message_of(SymbolTable::make(image, &pdb)),
             ContainsSubstring("does not belong to the image"));

  test::PeBuilder linked;
  const auto data_at = test::PeBuilder::data_at;
  linked.put(data_at(0),
             pe::DebugDirectory{0, 0, 0, 0, pe::debug_type_codeview, 40, 0x2040, data_at(0x40)});
  linked.put<uint32_t>(data_at(0x40), pe::codeview_rsds).directory(Directory::Debug, 0x2000, 28);
  const auto table = SymbolTable::make(test::parse_good(linked.bytes()), &pdb);
  REQUIRE(table.ok());
  CHECK_FALSE(table.value().nearest(0xfff).has_value());
  EXPECT((table.value().nearest(0x103f)->name == "Start" &&
          table.value().nearest(0x103f)->displacement == 0x3f));
  EXPECT(table.value().nearest(0x1041)->name == "ke::Second");
  EXPECT(table.value().line(0x1043)->line == 10);
  EXPECT(table.value().line(0x1044)->line == 20);
  EXPECT(table.value().find("ke::Second") == 0x1040);
}

TEST_CASE(
    "The catalogue knows which image covers an address, per address space in the lower half") {
  ImageCatalog catalog;
  catalog.load("\\SystemRoot\\ntoskrnl.exe", 0xfffff80000400000, 0x100000, 0x1000);
  catalog.load("lsass.exe", 0x140000000, 0x1000, 0x2000);
  catalog.load("lsaiso.exe", 0x140000000, 0x2000, 0x3000);
  EXPECT(catalog.describe(0xfffff80000400010, 0x999) == "nt+0x10");
  EXPECT(catalog.find(0x140000800, 0x2000)->name == "lsass.exe");
  EXPECT(catalog.find(0x140000800, 0x3000)->name == "lsaiso.exe");
  EXPECT(catalog.find(0x140000800)->name == "lsaiso.exe");
  EXPECT(catalog.find(0x140002000) == nullptr);
  EXPECT(catalog.describe(0x10).empty());
  catalog.unload("lsaiso.exe", 0x140000000);
  EXPECT(catalog.find(0x140000800)->name == "lsass.exe");
}

TEST_CASE("The catalogue reads no file that a guest names outside its folders") {
  const fs::path folder = "symbols_scratch/inner";
  fs::create_directories(folder);
  const test::PeBuilder builder;
  for (const char* name : {"symbols_scratch/outside.dll", "symbols_scratch/inner/inside.dll"})
    std::ofstream{name, std::ios::binary}.write(
        reinterpret_cast<const char*>(builder.bytes().data()),
        static_cast<std::streamsize>(builder.bytes().size()));
  ImageCatalog catalog{{folder}};
  catalog.load("../outside.dll", 0x10000, 0x4000, 0);
  catalog.load("inside.dll", 0x20000, 0x4000, 0);
  catalog.load("..", 0x30000, 0x4000, 0);
  catalog.load(std::string_view{"nul\0.dll", 8}, 0x40000, 0x4000, 0);
  EXPECT(catalog.find(0x10000)->symbols == nullptr);
  EXPECT(catalog.find(0x20000)->symbols != nullptr);
  EXPECT(catalog.find(0x30000) == nullptr);
  EXPECT(catalog.find(0x40000) == nullptr);
  EXPECT(catalog.complaints().empty());
  std::ofstream{folder / "broken.dll"} << "MZ";
  catalog.load("broken.dll", 0x50000, 0x1000, 0);
  REQUIRE(catalog.complaints().size() == 1);
  CHECK_THAT(catalog.complaints()[0],
             ContainsSubstring("no symbols for broken.dll: the file has 2 bytes"));
}

TEST_CASE("An image whose PDB is of another build or broken keeps the names of its exports") {
  const fs::path folder = "symbols_scratch/other_pdb";
  fs::create_directories(folder);
  if (!fs::exists("guests/images/skci.dll")) SKIP("this build has no guests");
  fs::copy_file("guests/images/skci.dll", folder / "skci.dll", fs::copy_options::overwrite_existing);
  fs::copy_file("guests/images/cng.pdb", folder / "skci.pdb", fs::copy_options::overwrite_existing);
  ImageCatalog catalog{{folder}};
  catalog.load("skci.dll", 0x10000, 0x10000, 0);
  REQUIRE(catalog.complaints().size() == 1);
  CHECK_THAT(catalog.complaints()[0], ContainsSubstring("only the exports for skci.dll") && ContainsSubstring("does not belong"));
  REQUIRE(catalog.find(0x10000)->symbols != nullptr);
  CHECK_FALSE(catalog.find(0x10000)->symbols->has_pdb());
  EXPECT(catalog.find(0x10000)->symbols->find("SkciInitialize").has_value());
}

TEST_CASE("Public symbols and lines of the guests' PDBs agree with LLVM's tools") {
  size_t compared = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator{"guests/images", ignored}) {
    if (entry.path().extension() != ".pdb") continue;
    INFO(entry.path());
    const auto bytes = read_file(entry.path());
    REQUIRE(bytes.ok());
    const auto pdb = read_pdb(bytes.value());
    INFO((pdb ? std::string{} : pdb.error().message));
    REQUIRE(pdb.ok());
    const auto listing = test::run("llvm-pdbutil-19 dump -publics -symbols '" + entry.path().string() + "'");
    if (!listing) SKIP("llvm-pdbutil-19 is not installed");
    EXPECT(named_addresses(*listing) == addresses_of(pdb.value()));
    REQUIRE_FALSE(pdb.value().lines.empty());

    std::string command = "llvm-pdbutil-19 dump -l '" + entry.path().string() + "'";
    const auto lines = test::run(command);
    // Every source file that has lines is listed with its full name.
    for (const std::string& file : pdb.value().files) {
      INFO(file);
      EXPECT(std::any_of(lines->begin(), lines->end(),
                         [&](const std::string& line) { return line.rfind(file, 0) == 0; }));
    }
    ++compared;
  }
  if (compared == 0)
    SKIP("guests/images holds no PDBs: this build has no guests (AIRLOCK_GUESTS=OFF or not built)");
}

TEST_CASE("Source lines of a guest's functions agree with llvm-symbolizer") {
  const fs::path path = "guests/images/winload.efi";
  if (!fs::exists(path)) SKIP("guests/images/winload.efi is not there: this build has no guests");
  const auto image_bytes = read_file(path);
  const auto pdb_bytes = read_file("guests/images/winload.pdb");
  REQUIRE((image_bytes.ok() && pdb_bytes.ok()));
  const auto pdb = read_pdb(pdb_bytes.value());
  REQUIRE(pdb.ok());
  const PeImage image = test::parse_good(image_bytes.value());
  const auto table = SymbolTable::make(image, &pdb.value());
  REQUIRE(table.ok());
  const PeSection& code = image.sections()[0];
  std::string command =
      "llvm-symbolizer-19 --no-inlines --relative-address --output-style=LLVM --obj=" +
      path.string();
  std::vector<std::pair<uint32_t, std::string>> expected;
  for (const PdbSymbol& symbol : pdb.value().symbols) {
    if (symbol.rva < code.rva || symbol.rva >= code.rva + code.virtual_size ||
        expected.size() == 40)
      continue;
    const auto line = table.value().line(symbol.rva);
    if (!line) continue;
    command += fmt::format(" {:#x}", symbol.rva);
    expected.emplace_back(symbol.rva, fmt::format("{}:{}:", line->file, line->line));
  }
  REQUIRE(expected.size() > 10);
  const auto answer = test::run(command);
  if (!answer) SKIP("llvm-symbolizer-19 is not installed");
  // Per address: function, place, blank line.
  REQUIRE(answer->size() >= expected.size() * 3 - 1);
  size_t equal = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    INFO(
        fmt::format("{:#x}: {} / {}", expected[i].first, (*answer)[i * 3 + 1], expected[i].second));
    // Assembler files have symbols but no lines of their own: LLVM answers "??" there.
    if ((*answer)[i * 3 + 1].rfind("??", 0) == 0) continue;
    EXPECT((*answer)[i * 3 + 1].rfind(expected[i].second, 0) == 0);
    ++equal;
  }
  EXPECT(equal > 10);
}
