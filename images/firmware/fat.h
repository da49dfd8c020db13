#pragma once
// FAT16 and FAT32, read-only (Microsoft's FAT specification 1.03), with long names.
#include <stdint.h>

namespace firmware {

/// A file or folder as its directory entry describes it. The root folder of FAT16 has cluster 0.
struct FatNode {
  uint32_t first_cluster{};
  uint32_t size{};       ///< bytes; 0 for folders
  uint8_t attributes{};  ///< 0x10: folder
  char16_t name[256]{};

  bool is_folder() const { return (attributes & 0x10) != 0; }
};

/// Finds and checks the volume: the whole disk, or the first FAT partition of an MBR.
bool fat_mount();
FatNode fat_root();

/// Reads up to `size` bytes from `offset`; returns how many, or -1 when disk or cluster chain are
/// damaged.
int64_t fat_read(const FatNode& node, uint64_t offset, uint64_t size, void* buffer);

/// Reads the entry at `*cursor` (0 first) of a folder and moves the cursor behind it. 1: an entry,
/// 0: the end, -1: damaged.
int fat_next(const FatNode& folder, uint32_t* cursor, FatNode* entry);

/// Follows a path with backslashes from a folder; names compare without case. 1: found, 0: not
/// there, -1: damaged.
int fat_find(const FatNode& folder, const char16_t* path, FatNode* found);

}  // namespace firmware
