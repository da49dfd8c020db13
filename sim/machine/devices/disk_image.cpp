#include "sim/machine/devices/disk_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace machine {
namespace {

constexpr uint64_t largest_disk = uint64_t{1} << 30;

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};

}  // namespace

DiskImage::DiskImage(std::vector<uint8_t> bytes) : bytes_{std::move(bytes)} {
  bytes_.resize((bytes_.size() + sector_size - 1) / sector_size * sector_size);
}

support::Result<DiskImage> DiskImage::open(const std::string& path) {
  const std::unique_ptr<FILE, CloseFile> file{std::fopen(path.c_str(), "rb")};
  if (!file) return support::Error{fmt::format("disk image {}: {}", path, std::strerror(errno))};
  std::vector<uint8_t> bytes;
  std::vector<uint8_t> block(1 << 20);
  while (const size_t got = std::fread(block.data(), 1, block.size(), file.get())) {
    if (bytes.size() + got > largest_disk) {
      return support::Error{fmt::format("disk image {}: larger than 1 GiB", path)};
    }
    bytes.insert(bytes.end(), block.begin(), block.begin() + static_cast<ptrdiff_t>(got));
  }
  if (std::ferror(file.get()) != 0) {
    return support::Error{fmt::format("disk image {}: cannot be read: {}", path, std::strerror(errno))};
  }
  if (bytes.empty() || bytes.size() % sector_size != 0) {
    return support::Error{fmt::format(
        "disk image {}: {} bytes is not a whole number of 512-byte sectors", path, bytes.size())};
  }
  return DiskImage{std::move(bytes)};
}

support::StateHash DiskImage::hash() const {
  support::StateHash sum;
  std::array<uint8_t, 4096> last{};
  for (size_t at = 0, page = 0; at < bytes_.size(); at += last.size(), ++page) {
    const size_t size = std::min(last.size(), bytes_.size() - at);
    if (size < last.size()) std::memcpy(last.data(), bytes_.data() + at, size);
    sum += support::hash_page(page, size < last.size() ? last.data() : bytes_.data() + at);
  }
  return support::StateHasher{}.add(sum).add(bytes_.size()).finish();
}

std::span<const uint8_t> DiskImage::read(uint64_t first, uint32_t count) const {
  if (count == 0 || first >= sectors() || count > sectors() - first) return {};
  return std::span{bytes_}.subspan(first * sector_size, uint64_t{count} * sector_size);
}

}  // namespace machine
