#include "sim/replay/disk_files.h"

#include <algorithm>
#include <array>

namespace replay {
namespace {

constexpr size_t maximum_files = 4096;
constexpr unsigned maximum_depth = 8;
constexpr size_t entry_size = 32;
constexpr uint8_t attribute_volume = 0x08, attribute_folder = 0x10, attribute_long_name = 0x0f;
constexpr uint8_t lower_base = 0x08, lower_extension = 0x10;  // of byte 12: how Windows keeps "ntdll.dll" as a short name

/// The geometry of a FAT16 volume (Microsoft FAT specification, boot sector fields by offset).
struct Volume {
  loader::Bytes disk;
  uint64_t cluster_bytes{}, fat_at{}, root_at{}, root_bytes{}, data_at{};
  uint32_t clusters{};

  [[nodiscard]] uint16_t next(uint16_t cluster) const {
    return loader::read_at<uint16_t>(disk, fat_at + uint64_t{cluster} * 2).value_or(0xffff);
  }

  /// The bytes of a chain of clusters, at most `limit`; shorter if the chain ends or leaves the disk.
  [[nodiscard]] std::vector<uint8_t> read(uint16_t first, uint64_t limit) const {
    std::vector<uint8_t> bytes;
    uint16_t cluster = first;
    for (uint32_t i = 0; i < clusters && bytes.size() < limit && cluster >= 2 && cluster < 0xfff0; ++i) {
      const auto part = loader::part(disk, data_at + uint64_t{cluster - 2u} * cluster_bytes, cluster_bytes);
      if (!part) break;
      const size_t count = static_cast<size_t>(std::min<uint64_t>(part->size(), limit - bytes.size()));
      bytes.insert(bytes.end(), part->begin(), part->begin() + static_cast<ptrdiff_t>(count));
      cluster = next(cluster);
    }
    return bytes;
  }
};

std::optional<Volume> open_volume(loader::Bytes disk) {
  const auto byte_size = loader::read_at<uint16_t>(disk, 11);
  const auto per_cluster = loader::read_at<uint8_t>(disk, 13);
  const auto reserved = loader::read_at<uint16_t>(disk, 14);
  const auto fats = loader::read_at<uint8_t>(disk, 16);
  const auto root_entries = loader::read_at<uint16_t>(disk, 17);
  const auto fat_sectors = loader::read_at<uint16_t>(disk, 22);
  if (!fat_sectors || *byte_size != 512 || *per_cluster == 0 || *fats == 0 || *fats > 2 || *root_entries == 0 ||
      *fat_sectors == 0)
    return std::nullopt;
  Volume volume;
  volume.disk = disk;
  volume.cluster_bytes = uint64_t{512} * *per_cluster;
  volume.fat_at = uint64_t{512} * *reserved;
  volume.root_at = volume.fat_at + uint64_t{512} * *fat_sectors * *fats;
  volume.root_bytes = uint64_t{entry_size} * *root_entries;
  volume.data_at = volume.root_at + (volume.root_bytes + 511) / 512 * 512;
  if (volume.data_at >= disk.size()) return std::nullopt;
  volume.clusters = static_cast<uint32_t>(std::min<uint64_t>((disk.size() - volume.data_at) / volume.cluster_bytes, 65525));
  return volume;
}

std::string trimmed(loader::Bytes name, bool lower) {
  std::string text{name.begin(), name.end()};
  text.erase(text.find_last_not_of(' ') + 1);
  if (lower)
    for (char& c : text)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string short_name(loader::Bytes entry) {
  const std::string base = trimmed(entry.first(8), (entry[12] & lower_base) != 0);
  const std::string extension = trimmed(entry.subspan(8, 3), (entry[12] & lower_extension) != 0);
  return extension.empty() ? base : base + "." + extension;
}

/// The 13 UTF-16 characters of one entry of a long name; what is not ASCII becomes '?'.
std::string long_part(loader::Bytes entry) {
  static constexpr std::array<uint8_t, 13> places{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
  std::string text;
  for (const uint8_t place : places) {
    const uint16_t unit = loader::read_at<uint16_t>(entry, place).value_or(0);
    if (unit == 0) break;
    text += unit >= 0x20 && unit < 0x7f ? static_cast<char>(unit) : '?';
  }
  return text;
}

class Walk {
 public:
  explicit Walk(const Volume& volume) : volume_{volume} {}

  void folder(loader::Bytes entries, const std::string& path, unsigned depth) {
    std::string long_name;
    for (size_t at = 0; at + entry_size <= entries.size() && files_.size() < maximum_files; at += entry_size) {
      const loader::Bytes entry = entries.subspan(at, entry_size);
      if (entry[0] == 0) return;
      if (entry[11] == attribute_long_name && entry[0] != 0xe5) {
        long_name = long_part(entry) + long_name;  // they stand last part first
        if (long_name.size() > 260) long_name.clear();
        continue;
      }
      const std::string name = long_name.empty() ? short_name(entry) : long_name;
      long_name.clear();
      if (entry[0] == 0xe5 || entry[0] == '.' || (entry[11] & attribute_volume) != 0) continue;
      add(entry, path + "/" + name, depth);
    }
  }
  std::vector<FileFacts> take() {
    std::sort(files_.begin(), files_.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
    return std::move(files_);
  }

 private:
  void add(loader::Bytes entry, const std::string& path, unsigned depth) {
    const uint16_t first = *loader::read_at<uint16_t>(entry, 26);
    const uint32_t size = *loader::read_at<uint32_t>(entry, 28);
    // Clusters may be linked in circles or from many places: all that is read together stays below the disk's size.
    const uint64_t limit = volume_.disk.size() - std::min<uint64_t>(read_, volume_.disk.size());
    if ((entry[11] & attribute_folder) != 0) {
      if (depth == 0) return;
      const std::vector<uint8_t> entries = volume_.read(first, std::min<uint64_t>(limit, 1u << 20));
      read_ += entries.size();
      folder(entries, path, depth - 1);
      return;
    }
    const std::vector<uint8_t> bytes = volume_.read(first, std::min<uint64_t>(limit, size));
    read_ += bytes.size();
    files_.push_back({path, {loader::sha256({bytes}), bytes.size()}});
  }

  const Volume& volume_;
  std::vector<FileFacts> files_;
  uint64_t read_{};
};

}  // namespace

std::vector<FileFacts> files_on(loader::Bytes disk) {
  const std::optional<Volume> volume = open_volume(disk);
  if (!volume) return {};
  Walk walk{*volume};
  if (const auto root = loader::part(disk, volume->root_at, volume->root_bytes)) walk.folder(*root, "", maximum_depth);
  return walk.take();
}

}  // namespace replay
