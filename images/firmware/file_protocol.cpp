// EFI_SIMPLE_FILE_SYSTEM_PROTOCOL and EFI_FILE_PROTOCOL (UEFI 13.4, 13.5) over the FAT reader.
// Read-only.
#include <string.h>

#include "fat.h"
#include "firmware.h"

namespace firmware {
namespace {

// The protocol comes first: the interface pointer is the object.
struct OpenFile {
  efi::FileProtocol protocol;
  FatNode node;
  uint64_t position;  ///< bytes in a file, directory entries in a folder
};

extern const efi::FileProtocol file_functions;

efi::Status make(const FatNode& node, efi::FileProtocol** file) {
  void* memory{};
  const efi::Status status = allocate_pool(efi::BootServicesData, sizeof(OpenFile), &memory);
  if (efi::failed(status)) return status;
  auto open = static_cast<OpenFile*>(memory);
  open->protocol = file_functions;
  open->node = node;
  open->position = 0;
  *file = &open->protocol;
  return efi::success;
}

OpenFile& object(efi::FileProtocol* self) {
  return *reinterpret_cast<OpenFile*>(self);
}

efi::Status open(efi::FileProtocol* self, efi::FileProtocol** file, const char16_t* name,
                 uint64_t mode, uint64_t) {
  if (mode != efi::file_mode_read) return efi::unsupported;
  // A leading backslash starts at the root of the volume.
  const FatNode from = name[0] == u'\\' ? fat_root() : object(self).node;
  FatNode node;
  const int found = fat_find(from, name, &node);
  if (found < 0) return efi::volume_corrupted;
  return found == 0 ? efi::not_found : make(node, file);
}

efi::Status close(efi::FileProtocol* self) {
  return free_pool(self);
}

void fill_info(const FatNode& node, efi::FileInfo& info) {
  uint32_t length = 0;
  while (node.name[length] != 0)
    ++length;
  memset(&info, 0, sizeof info);
  info.size = efi::file_info_header + (length + 1) * sizeof(char16_t);
  info.file_size = node.size;
  info.physical_size = (node.size + 511ull) & ~511ull;
  info.attribute = node.attributes;
  memcpy(info.file_name, node.name, (length + 1) * sizeof(char16_t));
}

// A folder is read one EFI_FILE_INFO at a time.
efi::Status read_folder(OpenFile& file, uint64_t* size, void* buffer) {
  auto cursor = static_cast<uint32_t>(file.position);
  FatNode entry;
  const int result = fat_next(file.node, &cursor, &entry);
  if (result < 0) return efi::volume_corrupted;
  if (result == 0) {
    *size = 0;
    return efi::success;
  }
  efi::FileInfo info;
  fill_info(entry, info);
  const uint64_t offered = *size;
  *size = info.size;
  if (offered < info.size) return efi::buffer_too_small;
  memcpy(buffer, &info, info.size);
  file.position = cursor;
  return efi::success;
}

efi::Status read(efi::FileProtocol* self, uint64_t* size, void* buffer) {
  OpenFile& file = object(self);
  if (file.node.is_folder()) return read_folder(file, size, buffer);
  const int64_t got = fat_read(file.node, file.position, *size, buffer);
  if (got < 0) return efi::device_error;
  file.position += static_cast<uint64_t>(got);
  *size = static_cast<uint64_t>(got);
  return efi::success;
}

efi::Status write(efi::FileProtocol*, uint64_t*, const void*) {
  return efi::unsupported;
}
efi::Status remove(efi::FileProtocol* self) {
  return close(self), efi::unsupported;
}

efi::Status get_position(efi::FileProtocol* self, uint64_t* position) {
  *position = object(self).position;
  return efi::success;
}

efi::Status set_position(efi::FileProtocol* self, uint64_t position) {
  OpenFile& file = object(self);
  if (file.node.is_folder() && position != 0) return efi::unsupported;
  file.position = position == ~0ull ? file.node.size : position;
  return efi::success;
}

efi::Status get_info(efi::FileProtocol* self, const efi::Guid* type, uint64_t* size, void* buffer) {
  if (!(*type == efi::file_info_id)) return efi::unsupported;
  efi::FileInfo info;
  fill_info(object(self).node, info);
  const uint64_t offered = *size;
  *size = info.size;
  if (offered < info.size) return efi::buffer_too_small;
  memcpy(buffer, &info, info.size);
  return efi::success;
}

efi::Status set_info(efi::FileProtocol*, const efi::Guid*, uint64_t, const void*) {
  return efi::unsupported;
}
efi::Status flush(efi::FileProtocol*) {
  return efi::success;
}

const efi::FileProtocol file_functions{0x10000,      open,         close,    remove,   read, write,
                                       get_position, set_position, get_info, set_info, flush};

efi::Status open_volume(efi::SimpleFileSystem*, efi::FileProtocol** root) {
  return make(fat_root(), root);
}

}  // namespace

efi::SimpleFileSystem boot_volume{0x10000, open_volume};

bool volume_mount() {
  return fat_mount();
}

}  // namespace firmware
