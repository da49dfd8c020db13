#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace test {

/// A folder of its own below the working folder of the test (the build folder), removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const { return path_ + "/" + std::string{name}; }
  /// Writes a file into the folder and answers its path.
  [[nodiscard]] std::string write(std::string_view name, std::span<const uint8_t> bytes) const;
  [[nodiscard]] std::string write(std::string_view name, std::string_view text) const;

 private:
  std::string path_;
};

/// The whole file; a test that cannot read its input fails.
[[nodiscard]] std::vector<uint8_t> read_file(const std::string& path);
[[nodiscard]] std::string read_text(const std::string& path);

}  // namespace test
