#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "sim/loader/pe_image.h"

namespace loader {

support::Result<std::vector<uint8_t>> read_file(const std::string& path, uint64_t limit) {
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  const auto failed = [&](int reason) {
    return support::Error{fmt::format("cannot read {}: {}", path, std::strerror(reason))};
  };
  const std::unique_ptr<std::FILE, Close> file{std::fopen(path.c_str(), "rb")};
  if (!file) return failed(errno);
  struct stat status{};
  if (fstat(fileno(file.get()), &status) != 0) return failed(errno);
  if (S_ISDIR(status.st_mode)) return failed(EISDIR);
  if (S_ISREG(status.st_mode) && static_cast<uint64_t>(status.st_size) > limit)
    return support::Error{
        fmt::format("{} has {} bytes; at most {} are read", path, status.st_size, limit)};

  std::vector<uint8_t> bytes;
  uint8_t block[65536];
  while (const size_t count = std::fread(block, 1, sizeof block, file.get())) {
    if (bytes.size() + count > limit)
      return support::Error{
          fmt::format("{} has more than the {} bytes that are read at most", path, limit)};
    bytes.insert(bytes.end(), block, block + count);
  }
  if (std::ferror(file.get()) != 0) return failed(errno);
  return bytes;
}

}  // namespace loader
