#include "tests/support/temporary_folder.h"

#include "tests/support/catch.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace test {

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "airlock-test-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryFolder::write(std::string_view name, std::span<const uint8_t> bytes) const {
  const std::string path = file(name);
  std::ofstream out{path, std::ios::binary};
  out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  out.close();
  REQUIRE(out.good());
  return path;
}

std::string TemporaryFolder::write(std::string_view name, std::string_view text) const {
  return write(name, std::span{reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

std::vector<uint8_t> read_file(const std::string& path) {
  std::ifstream in{path, std::ios::binary};
  INFO(path);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>{in}, {}};
}

std::string read_text(const std::string& path) {
  const std::vector<uint8_t> bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

}  // namespace test
