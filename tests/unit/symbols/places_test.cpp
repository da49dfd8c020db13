// Addresses and names over several images.
#include <algorithm>
#include <filesystem>
#include <set>

#include "sim/symbols/places.h"
#include "tests/support/catch.h"

namespace fs = std::filesystem;
using namespace symbols;

namespace {

constexpr uint64_t nt = 0xfffff80000400000, sk = 0xfffff80100000000;

loader::ImageCatalog images() {
  if (!fs::exists("guests/images/securekernel.exe")) SKIP("this build has no guests");
  loader::ImageCatalog catalog{{"guests/images"}};
  catalog.load("ntoskrnl.exe", nt, 0x40000, 0);
  catalog.load("securekernel.exe", sk, 0x40000, 0);
  catalog.load("lsaiso.exe", 0x140000000, 0x10000, 0x1000);
  catalog.load("lsaiso.exe", 0x140000000, 0x10000, 0x2000);
  REQUIRE(catalog.complaints().empty());
  return catalog;
}

}  // namespace

TEST_CASE("A symbol is found by module and name, by its last part, and without case") {
  const auto catalog = images();
  const auto address = address_of(catalog, "securekernel!sk::SkeProcessorLoop");
  REQUIRE(address.has_value());
  EXPECT(*address > sk);
  for (const char* name : {"securekernel!SkeProcessorLoop", "SkeProcessorLoop", "skeprocessorloop",
                           "SecureKernel!skeprocessorloop", "securekernel.exe!SkeProcessorLoop"}) {
    INFO(name);
    EXPECT(address_of(catalog, name) == address);
  }
  for (const char* name : {"nt!SkeProcessorLoop", "SkeProcessor", "", "!", "nt!"}) {
    INFO(name);
    CHECK_FALSE(address_of(catalog, name).has_value());
  }
  const Place place = place_at(catalog, *address + 5);
  EXPECT(place.text == "securekernel!sk::SkeProcessorLoop+0x5");
  EXPECT(place.symbol == "sk::SkeProcessorLoop");
  EXPECT(place.displacement == 5);
  CHECK_THAT(place.file, Catch::Matchers::EndsWith("processor.cpp"));
  EXPECT(place.line > 0);
}

TEST_CASE("Static functions and data have names, which no public symbol gives them") {
  const auto catalog = images();
  const auto data = address_of(catalog, "securekernel!sk::vtl_switch");
  REQUIRE(data.has_value());
  EXPECT(place_at(catalog, *data).text == "securekernel!sk::vtl_switch");
  EXPECT(address_of(catalog, "securekernel!dispatch_call").has_value() == false);
  EXPECT(address_of(catalog, "securekernel!pool_thread").has_value());
}

TEST_CASE("Addresses outside of images and symbols are numbers and offsets") {
  const auto catalog = images();
  EXPECT(place_at(catalog, 0x10).text == "0x10");
  EXPECT(place_at(catalog, nt).text == "nt+0x0");
  CHECK_FALSE(place_at(catalog, 0x10).displacement.has_value());
}

TEST_CASE("Patterns find symbols in order, each once, and say that there are more") {
  const auto catalog = images();
  const FoundSymbols few = find_symbols(catalog, "*!ke*", 3);
  REQUIRE(few.names.size() == 3);
  EXPECT(few.more);
  EXPECT(std::is_sorted(few.names.begin(), few.names.end()));
  const FoundSymbols all = find_symbols(catalog, "nt!KiSystemCall64", 10);
  REQUIRE(all.addresses.size() == 1);
  EXPECT(all.names[0] == "nt!KiSystemCall64");
  EXPECT(address_of(catalog, "KiSystemCall64") == all.addresses[0]);
  CHECK_FALSE(all.more);
  // One image in two address spaces has each address once.
  const FoundSymbols user = find_symbols(catalog, "lsaiso!*", 100'000);
  const std::set<uint64_t> distinct(user.addresses.begin(), user.addresses.end());
  CHECK_FALSE(user.addresses.empty());
  EXPECT(std::set<std::string>(user.names.begin(), user.names.end()).size() <= user.names.size());
  EXPECT(distinct.size() <= user.addresses.size());
}

TEST_CASE("All places of a source line are found by the end of its path") {
  const auto catalog = images();
  const uint64_t loop = *address_of(catalog, "SkeProcessorLoop");
  const Place place = place_at(catalog, loop);
  for (const char* file : {"ske/processor.cpp", "securekernel\\ske\\processor.cpp", "SKE/PROCESSOR.CPP"}) {
    INFO(file);
    const LinePlaces found = addresses_of_line(catalog, file, place.line);
    EXPECT(found.line == place.line);
    EXPECT(std::find(found.addresses.begin(), found.addresses.end(), loop) != found.addresses.end());
    for (const uint64_t address : found.addresses) EXPECT(place_at(catalog, address).line == place.line);
  }
  EXPECT(addresses_of_line(catalog, "ke/processor.cpp", place.line).addresses !=
         addresses_of_line(catalog, "ske/processor.cpp", place.line).addresses);
  EXPECT(addresses_of_line(catalog, "rocessor.cpp", 1).addresses.empty());
  EXPECT(addresses_of_line(catalog, "ske/processor.cpp", 100'000).addresses.empty());
  // A line without code: the next one that has some.
  EXPECT(addresses_of_line(catalog, "ske/processor.cpp", 1).line > 1);
  const auto files = source_files(catalog);
  EXPECT(std::any_of(files.begin(), files.end(), [](const std::string& f) { return f.ends_with("processor.cpp"); }));
}
