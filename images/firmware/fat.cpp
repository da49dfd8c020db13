// Every number that comes from the disk is compared with what it indexes before it is used: the
// disk image is the user's.
#include "fat.h"

#include <string.h>

#include "firmware.h"

namespace firmware {
namespace {

constexpr uint32_t sector_size = 512;

struct Volume {
  uint64_t start{};  // first sector on the disk
  uint32_t cluster_sectors{};
  uint32_t fat_start{}, fat_sectors{};
  uint32_t root_start{}, root_sectors{};  // FAT16 only
  uint32_t data_start{};
  uint32_t cluster_count{};
  uint32_t root_cluster{};  // FAT32 only
  bool fat32{};
};
Volume volume;

alignas(16) uint8_t bounce[sector_size];
alignas(16) uint8_t fat_sector[sector_size];
uint64_t cached_fat_sector = ~0ull;

template <class T>
T get(const uint8_t* at) {
  T value;
  memcpy(&value, at, sizeof value);
  return value;
}

bool read_sector(uint64_t sector, uint8_t* to) {
  return disk_read(volume.start + sector, 1, to);
}

// Fills `volume` from the BIOS parameter block of its first sector.
bool parse_boot_sector(const uint8_t* s) {
  const uint32_t reserved = get<uint16_t>(s + 14), fats = s[16],
                 root_entries = get<uint16_t>(s + 17);
  uint32_t total = get<uint16_t>(s + 19), fat_size = get<uint16_t>(s + 22);
  if (total == 0) total = get<uint32_t>(s + 32);
  if (fat_size == 0) fat_size = get<uint32_t>(s + 36);
  const uint32_t cluster = s[13];
  if (get<uint16_t>(s + 11) != sector_size || cluster == 0 || (cluster & (cluster - 1)) != 0)
    return false;
  if (reserved == 0 || fats == 0 || fats > 4 || fat_size == 0 || get<uint16_t>(s + 510) != 0xAA55)
    return false;

  volume.cluster_sectors = cluster;
  volume.fat_start = reserved;
  volume.fat_sectors = fat_size;
  const uint64_t root_start = reserved + uint64_t{fats} * fat_size;
  volume.root_sectors = (root_entries * 32 + sector_size - 1) / sector_size;
  const uint64_t data_start = root_start + volume.root_sectors;
  if (data_start >= total) return false;
  volume.root_start = static_cast<uint32_t>(root_start);
  volume.data_start = static_cast<uint32_t>(data_start);
  volume.cluster_count = (total - volume.data_start) / cluster;
  volume.fat32 = volume.cluster_count >= 65525;
  if (volume.cluster_count < 4085) return false;  // FAT12
  volume.root_cluster = volume.fat32 ? get<uint32_t>(s + 44) : 0;
  const uint64_t entry_bytes = volume.fat32 ? 4 : 2;
  return (volume.cluster_count + 2ull) * entry_bytes <= uint64_t{fat_size} * sector_size;
}

bool is_data_cluster(uint32_t cluster) {
  return cluster >= 2 && cluster < volume.cluster_count + 2;
}

// The cluster after `cluster`: 0 at the end of the chain, 1 when the table is unreadable or names
// no cluster.
uint32_t next_cluster(uint32_t cluster) {
  const uint64_t offset = uint64_t{cluster} * (volume.fat32 ? 4 : 2);
  const uint64_t sector = volume.fat_start + offset / sector_size;
  if (sector != cached_fat_sector) {
    cached_fat_sector = ~0ull;
    if (!read_sector(sector, fat_sector)) return 1;
    cached_fat_sector = sector;
  }
  const uint8_t* entry = fat_sector + offset % sector_size;
  const uint32_t value = volume.fat32 ? get<uint32_t>(entry) & 0x0FFFFFFF : get<uint16_t>(entry);
  if (value >= (volume.fat32 ? 0x0FFFFFF8u : 0xFFF8u)) return 0;
  return is_data_cluster(value) ? value : 1;
}

// Sector of byte `offset` of a chain, or 0. `walk` remembers where the last call stopped, so that
// reading on is linear.
struct ChainWalk {
  uint32_t cluster;
  uint64_t index{};  // of `cluster` in the chain
};
uint64_t sector_in_chain(ChainWalk& walk, uint64_t offset) {
  const uint64_t wanted = offset / (volume.cluster_sectors * sector_size);
  while (walk.index < wanted) {
    walk.cluster = next_cluster(walk.cluster);
    if (walk.cluster < 2 || ++walk.index > volume.cluster_count) return 0;
  }
  if (!is_data_cluster(walk.cluster)) return 0;
  const uint64_t first = volume.data_start + uint64_t{walk.cluster - 2} * volume.cluster_sectors;
  return first + offset / sector_size % volume.cluster_sectors;
}

bool is_fat16_root(const FatNode& node) {
  return node.is_folder() && node.first_cluster == 0;
}

char16_t lower(char16_t c) {
  return c >= u'A' && c <= u'Z' ? static_cast<char16_t>(c + 32) : c;
}

// The 8.3 name as text.
void short_name(const uint8_t* entry, char16_t* name) {
  int n = 0;
  for (int i = 0; i < 8 && entry[i] != ' '; ++i)
    name[n++] = entry[i];
  if (entry[8] != ' ') name[n++] = u'.';
  for (int i = 8; i < 11 && entry[i] != ' '; ++i)
    name[n++] = entry[i];
  name[n] = 0;
}

// One piece of a long name: 13 characters whose place the order byte says.
void long_name_piece(const uint8_t* entry, char16_t (&name)[256]) {
  static constexpr uint8_t places[13] = {1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30};
  const uint32_t first = ((entry[0] & 0x1F) - 1u) * 13;
  if ((entry[0] & 0x1F) == 0 || first + 13 > 255) return;
  if ((entry[0] & 0x40) != 0) memset(name, 0, sizeof name);
  for (uint32_t i = 0; i < 13; ++i) {
    const uint16_t c = get<uint16_t>(entry + places[i]);
    name[first + i] = c == 0xFFFF ? 0 : c;
  }
}

}  // namespace

bool fat_mount() {
  volume = {};
  cached_fat_sector = ~0ull;
  if (!read_sector(0, bounce)) return false;
  if (parse_boot_sector(bounce)) return true;
  if (get<uint16_t>(bounce + 510) != 0xAA55) return false;
  for (int i = 0; i < 4; ++i) {
    const uint8_t* entry = bounce + 446 + 16 * i;
    const uint8_t type = entry[4];
    if (type != 0x04 && type != 0x06 && type != 0x0B && type != 0x0C && type != 0x0E &&
        type != 0xEF)
      continue;
    volume = {};
    volume.start = get<uint32_t>(entry + 8);
    uint8_t first[sector_size];
    return disk_read(volume.start, 1, first) && parse_boot_sector(first);
  }
  return false;
}

FatNode fat_root() {
  FatNode root;
  root.first_cluster = volume.root_cluster;
  root.attributes = 0x10;
  return root;
}

int64_t fat_read(const FatNode& node, uint64_t offset, uint64_t size, void* buffer) {
  if (!node.is_folder()) {
    if (offset >= node.size) return 0;
    if (size > node.size - offset) size = node.size - offset;
  }
  auto to = static_cast<uint8_t*>(buffer);
  ChainWalk walk{node.first_cluster};
  uint64_t done = 0;
  while (done < size) {
    const uint64_t at = offset + done;
    uint64_t sector{};
    if (is_fat16_root(node)) {
      if (at / sector_size >= volume.root_sectors) break;
      sector = volume.root_start + at / sector_size;
    } else {
      sector = sector_in_chain(walk, at);
      if (sector == 0) return node.is_folder() ? static_cast<int64_t>(done) : -1;
    }
    // Whole sectors up to the end of the cluster go straight to the caller, the rest through the
    // bounce buffer.
    const uint64_t in_sector = at % sector_size;
    uint64_t whole = (size - done) / sector_size;
    if (in_sector == 0 && whole != 0 && !is_fat16_root(node)) {
      const uint64_t left = volume.cluster_sectors - at / sector_size % volume.cluster_sectors;
      if (whole > left) whole = left;
      if (!disk_read(volume.start + sector, static_cast<uint32_t>(whole), to + done)) return -1;
      done += whole * sector_size;
      continue;
    }
    if (!read_sector(sector, bounce)) return -1;
    uint64_t part = sector_size - in_sector;
    if (part > size - done) part = size - done;
    memcpy(to + done, bounce + in_sector, part);
    done += part;
  }
  return static_cast<int64_t>(done);
}

int fat_next(const FatNode& folder, uint32_t* cursor, FatNode* found) {
  char16_t long_name[256]{};
  for (;; ++*cursor) {
    uint8_t entry[32];
    const int64_t got = fat_read(folder, uint64_t{*cursor} * 32, 32, entry);
    if (got < 0) return -1;
    if (got < 32 || entry[0] == 0) return 0;
    if (entry[0] == 0xE5) continue;
    if (entry[11] == 0x0F) {
      long_name_piece(entry, long_name);
      continue;
    }
    if ((entry[11] & 0x08) != 0) continue;  // volume label
    *found = {};
    found->attributes = entry[11];
    found->size = get<uint32_t>(entry + 28);
    found->first_cluster =
        get<uint16_t>(entry + 26) | (volume.fat32 ? uint32_t{get<uint16_t>(entry + 20)} << 16 : 0);
    if (long_name[0] != 0) {
      memcpy(found->name, long_name, sizeof long_name);
    } else {
      short_name(entry, found->name);
    }
    ++*cursor;
    return 1;
  }
}

int fat_find(const FatNode& folder, const char16_t* path, FatNode* found) {
  FatNode current = folder;
  for (;;) {
    while (*path == u'\\')
      ++path;
    if (*path == 0) {
      *found = current;
      return 1;
    }
    if (!current.is_folder()) return 0;
    uint32_t cursor = 0;
    int result;
    FatNode entry;
    uint32_t length = 0;
    while ((result = fat_next(current, &cursor, &entry)) == 1) {
      for (length = 0; path[length] != 0 && path[length] != u'\\' && length < 255; ++length)
        if (lower(path[length]) != lower(entry.name[length])) break;
      if ((path[length] == 0 || path[length] == u'\\') && entry.name[length] == 0) break;
    }
    if (result != 1) return result;
    current = entry;
    path += length;
  }
}

}  // namespace firmware
