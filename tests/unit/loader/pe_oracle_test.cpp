// The parser against programs that other people wrote: llvm-readobj and osslsigncode, on the guest
// images of this build and on a DLL that the test links itself.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "command.h"
#include "pe_builder.h"
#include "sim/loader/authenticode.h"
#include "sim/loader/pe_directories.h"
#include "sim/loader/pe_map.h"
#include "tests/support/catch.h"

namespace fs = std::filesystem;
using namespace loader;
using Lines = std::vector<std::string>;

namespace {

std::string hex(Bytes bytes) {
  std::string text;
  for (const uint8_t byte : bytes)
    text += fmt::format("{:02X}", byte);
  return text;
}

/// PE files that the build made; relative to the build folder, where tests run.
std::vector<std::string> guest_images() {
  std::vector<std::string> paths;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator{"guests/images", ignored}) {
    const std::string extension = entry.path().extension();
    if (extension == ".exe" || extension == ".dll" || extension == ".sys" || extension == ".efi")
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<std::string> images_or_skip() {
  const auto paths = guest_images();
  if (paths.empty())
    SKIP(
        "guests/images holds no PE files: this build has no guests (AIRLOCK_GUESTS=OFF or not "
        "built)");
  return paths;
}

Lines run_or_skip(const std::string& command) {
  const auto lines = test::run(command);
  if (!lines) SKIP("the oracle is not installed: " << command);
  return *lines;
}

Lines readobj(const std::string& options, const std::string& path) {
  return run_or_skip("llvm-readobj-19 " + options + " '" + path + "'");
}

void compare_headers(const PeImage& image, const std::string& path) {
  const Lines lines = readobj("--file-headers --sections", path);
  const auto& header = image.optional_header();
  EXPECT(test::values(lines, "AddressOfEntryPoint: ") ==
         Lines{fmt::format("0x{:X}", header.address_of_entry_point)});
  EXPECT(test::values(lines, "ImageBase: ") == Lines{fmt::format("0x{:X}", header.image_base)});
  EXPECT(test::values(lines, "SizeOfImage: ") == Lines{fmt::format("{}", header.size_of_image)});
  EXPECT(test::values(lines, "CheckSum: ") == Lines{fmt::format("0x{:X}", header.checksum)});
  Lines rvas, sizes, offsets, raw;
  for (const PeSection& section : image.sections()) {
    rvas.push_back(fmt::format("0x{:X}", section.rva));
    sizes.push_back(fmt::format("0x{:X}", section.virtual_size));
    offsets.push_back(fmt::format("0x{:X}", section.file_offset));
    raw.push_back(fmt::format("{}", section.file_size));
  }
  EXPECT(test::values(lines, "VirtualAddress: ") == rvas);
  EXPECT(test::values(lines, "VirtualSize: ") == sizes);
  EXPECT(test::values(lines, "PointerToRawData: ") == offsets);
  EXPECT(test::values(lines, "RawDataSize: ") == raw);
}

void compare_exports(const PeImage& image, const std::string& path) {
  const Lines lines = readobj("--coff-exports", path);
  const auto table = read_exports(image);
  REQUIRE(table.ok());
  Lines ordinals, names, places;
  for (const PeExport& entry : table.value().entries) {
    ordinals.push_back(fmt::format("{}", entry.ordinal));
    names.push_back(entry.name);
    places.push_back(entry.forwarder.empty() ? fmt::format("0x{:X}", entry.rva) : entry.forwarder);
  }
  Lines theirs;
  for (const std::string& line : lines)
    for (const std::string prefix : {"RVA: ", "ForwardedTo: "})
      if (line.rfind(prefix, 0) == 0) theirs.push_back(line.substr(prefix.size()));
  EXPECT(test::values(lines, "Ordinal: ") == ordinals);
  EXPECT(test::values(lines, "Name: ") == names);
  EXPECT(theirs == places);
}

void compare_imports(const PeImage& image, const std::string& path) {
  const Lines lines = readobj("--coff-imports", path);
  const auto modules = read_imports(image);
  REQUIRE(modules.ok());
  Lines names, symbols;
  for (const ImportedModule& module : modules.value()) {
    names.push_back(module.module);
    for (const PeImport& entry : module.imports)
      symbols.push_back(entry.name.empty() ? fmt::format("({})", entry.ordinal)
                                           : fmt::format("{} ({})", entry.name, entry.hint));
  }
  EXPECT(test::values(lines, "Name: ") == names);
  EXPECT(test::values(lines, "Symbol: ") == symbols);
}

void compare_relocations(const PeImage& image, const std::string& path) {
  const Lines lines = readobj("--coff-basereloc", path);
  const auto relocations = read_relocations(image);
  REQUIRE(relocations.ok());
  Lines ours;
  for (const uint32_t rva : relocations.value())
    ours.push_back(fmt::format("0x{:X}", rva));
  // Padding entries are listed as type ABSOLUTE.
  Lines theirs;
  for (size_t i = 1; i < lines.size(); ++i)
    if (lines[i - 1] == "Type: DIR64" && lines[i].rfind("Address: ", 0) == 0)
      theirs.push_back(lines[i].substr(9));
  EXPECT(theirs == ours);
}

void compare_debug(const PeImage& image, const std::string& path) {
  const Lines lines = readobj("--coff-debug-directory", path);
  const auto debug = read_debug(image);
  REQUIRE(debug.ok());
  const auto paths = test::values(lines, "PDBFileName: ");
  REQUIRE(paths.empty() != debug.value().pdb.has_value());
  if (paths.empty()) return;
  EXPECT(paths.front() == debug.value().pdb->path);
  EXPECT(test::values(lines, "PDBGUID: ").front() == format_guid(debug.value().pdb->guid));
  EXPECT(test::values(lines, "PDBAge: ").front() == fmt::format("{}", debug.value().pdb->age));
}

void compare_all(const std::string& path) {
  INFO(path);
  const auto bytes = read_file(path);
  REQUIRE(bytes.ok());
  const PeImage image = test::parse_good(bytes.value());
  compare_headers(image, path);
  compare_exports(image, path);
  compare_imports(image, path);
  compare_relocations(image, path);
  compare_debug(image, path);
}

/// A folder of this test's own in the build folder.
fs::path scratch() {
  const fs::path folder = "pe_oracle_scratch";
  fs::create_directories(folder);
  return folder;
}

/// A DLL with named, ordinal-only, forwarded and data exports, an import and relocations.
std::string link_sample() {
  const fs::path folder = scratch();
  std::ofstream{folder / "imported.def"} << "LIBRARY imported.sys\nEXPORTS\n  Imported\n";
  std::ofstream{folder / "sample.s"}
      << ".intel_syntax noprefix\n.globl Entry, Second, Third, table\n.text\n"
         "Entry: call [rip + __imp_Imported]\nret\nSecond: ret\nThird: ret\n"
         ".data\n.balign 8\ntable: .quad Entry, Second, table\n";
  const std::string in = "cd " + folder.string() + " && ";
  run_or_skip(in + "llvm-dlltool-19 -m i386:x86-64 -d imported.def -l imported.lib");
  run_or_skip(in + "clang-19 --target=x86_64-pc-windows-msvc -c sample.s -o sample.obj");
  const Lines lines = run_or_skip(in +
                                  "lld-link-19 /nologo /dll /nodefaultlib /entry:Entry "
                                  "/out:sample.dll sample.obj imported.lib /export:Entry "
                                  "/export:Second,@9,NONAME /export:Renamed=Third "
                                  "/export:table,DATA /export:Forwarded=other.Function");
  INFO((lines.empty() ? "" : lines.front()));
  REQUIRE(fs::exists(folder / "sample.dll"));
  return folder / "sample.dll";
}

}  // namespace

TEST_CASE(
    "Headers, exports, imports, relocations and debug records of a linked DLL agree with "
    "llvm-readobj") {
  const std::string path = link_sample();
  const auto bytes = read_file(path);
  const PeImage image = test::parse_good(bytes.value());
  const auto exports = read_exports(image);
  REQUIRE(exports.ok());
  EXPECT(exports.value().entries.size() == 5);
  REQUIRE(read_relocations(image).value().size() == 3);
  compare_all(path);
}

TEST_CASE(
    "Headers, exports, imports, relocations and debug records of the guest images agree with "
    "llvm-readobj") {
  for (const std::string& path : images_or_skip())
    compare_all(path);
}

TEST_CASE("Authenticode digests and page hashes of the guest images agree with osslsigncode") {
  size_t with_signature = 0;
  for (const std::string& path : images_or_skip()) {
    INFO(path);
    const Lines lines = run_or_skip("'" OSSLSIGNCODE "' verify -in '" + path + "'");
    const auto bytes = read_file(path);
    REQUIRE(bytes.ok());
    const PeImage image = test::parse_good(bytes.value());
    const auto digest = authenticode_digest(image);
    const auto signature = read_signature(image);
    REQUIRE(digest.ok());
    INFO((signature ? std::string{} : signature.error().message));
    REQUIRE(signature.ok());
    const auto theirs = test::values(lines, "Calculated message digest : ");
    REQUIRE(theirs.empty() != signature.value().has_value());
    if (theirs.empty()) continue;
    ++with_signature;
    // osslsigncode adds a blank behind a digest that matches.
    EXPECT(theirs.front().substr(0, 64) == hex(digest.value()));
    EXPECT(test::values(lines, "Current message digest    : ").front().substr(0, 64) ==
           hex(signature.value()->signed_digest));
    EXPECT(signature.value()->digest == Verdict::Good);
    EXPECT(signature.value()->attributes == Verdict::Good);
    EXPECT(signature.value()->signature == Verdict::Good);
    EXPECT(signature.value()->chain == Verdict::Good);
    EXPECT(signature.value()->page_hash_table == Verdict::Good);
    REQUIRE(signature.value()->signer_chain.size() >= 2);
    // "/O=Airlock test keys/CN=Name" against "O=Airlock test keys, CN=Name".
    std::string subject = "/" + signature.value()->signer_chain.front().subject;
    for (size_t comma; (comma = subject.find(", ")) != std::string::npos;)
      subject.replace(comma, 2, "/");
    const auto subjects = test::values(lines, "Subject: ");
    EXPECT(std::find(subjects.begin(), subjects.end(), subject) != subjects.end());
  }
  EXPECT(with_signature != 0);
}

TEST_CASE("One flipped byte of a signed guest image breaks its digest and its page hash") {
  for (const std::string& path : images_or_skip()) {
    auto bytes = read_file(path);
    REQUIRE(bytes.ok());
    const PeImage whole = test::parse_good(bytes.value());
    if (!read_signature(whole).value()) continue;
    bytes.value()[whole.sections()[0].file_offset + 5] ^= 0x10;
    const auto signature = read_signature(test::parse_good(bytes.value()));
    REQUIRE(signature.ok());
    EXPECT(signature.value()->digest == Verdict::Bad);
    EXPECT(signature.value()->page_hash_table == Verdict::Bad);
    EXPECT(signature.value()->attributes == Verdict::Good);
    EXPECT(signature.value()->signature == Verdict::Good);
    return;
  }
  SKIP("no guest image is signed");
}

TEST_CASE("Relocated to another base, the guest images hold the same addresses moved") {
  for (const std::string& path : images_or_skip()) {
    INFO(path);
    const auto bytes = read_file(path);
    const PeImage image = test::parse_good(bytes.value());
    const uint64_t preferred = image.optional_header().image_base;
    const auto here = map_image(image, preferred);
    const auto there = map_image(image, 0xfffff80100000000);
    REQUIRE(here.ok());
    REQUIRE(there.ok());
    std::vector<uint8_t> moved = here.value().bytes;
    const auto relocations = read_relocations(image);
    REQUIRE(relocations.ok());
    for (const uint32_t rva : relocations.value()) {
      const uint64_t value = *read_at<uint64_t>(moved, rva) - preferred + 0xfffff80100000000;
      std::memcpy(moved.data() + rva, &value, sizeof value);
    }
    EXPECT(moved == there.value().bytes);
  }
}
