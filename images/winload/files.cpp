// Files, through the firmware's file protocol.
#include <string.h>

#include "winload.h"

namespace osl {

efi::BootServices* boot_services();
efi::Handle boot_device();

namespace {

efi::FileProtocol* open_volume() {
  void* found{};
  const efi::Status status =
      boot_services()->handle_protocol(boot_device(), &efi::simple_file_system_protocol, &found);
  if (efi::failed(status)) fail("boot volume", "no file system protocol");
  auto volume = static_cast<efi::SimpleFileSystem*>(found);
  efi::FileProtocol* root{};
  if (efi::failed(volume->open_volume(volume, &root))) fail("boot volume", "cannot be opened");
  return root;
}

// Reads an open file of `size` bytes into fresh pages.
uint64_t read_whole(efi::FileProtocol* file, uint64_t size, MemoryType type) {
  const uint64_t physical = allocate_pages(type, (size + page - 1) / page);
  uint64_t got = size;
  if (efi::failed(file->read(file, &got, reinterpret_cast<void*>(physical))) || got != size)
    fail("boot volume", "a file cannot be read");
  return physical;
}

char lower_ascii(char16_t c) {
  if (c >= u'A' && c <= u'Z') c = static_cast<char16_t>(c + 32);
  return c < 0x80 ? static_cast<char>(c) : '?';
}

// False when folder and name together are longer than a BootFile can say.
bool compose_path(const char16_t* folder, const char16_t* name, BootFile& file) {
  uint32_t n = 0;
  for (; *folder != 0 && n < sizeof file.path - 1; ++folder)
    file.path[n++] = lower_ascii(*folder);
  if (n < sizeof file.path - 1) file.path[n++] = '\\';
  for (; *name != 0 && n < sizeof file.path - 1; ++name)
    file.path[n++] = lower_ascii(*name);
  file.path_length = n;
  return *folder == 0 && *name == 0;
}

void load_one(efi::FileProtocol* folder, const char16_t* folder_path, const efi::FileInfo& info) {
  auto file = static_cast<BootFile*>(allocate_loader_data(sizeof(BootFile)));
  if (!compose_path(folder_path, info.file_name, *file)) fail("boot volume", "a path is too long");
  if (info.file_size == 0 || info.file_size > 16 << 20)
    fail(file->path, "empty, or larger than 16 MiB");
  efi::FileProtocol* open{};
  if (efi::failed(folder->open(folder, &open, info.file_name, efi::file_mode_read, 0)))
    fail(file->path, "cannot be opened");
  file->physical_base = read_whole(open, info.file_size, MemoryType::BootFile);
  file->size = info.file_size;
  file->data = file->physical_base + abi::boot::direct_map_base;
  open->close(open);
  list_append(&nt_block->boot_file_list, &file->entry);
}

void load_folder(efi::FileProtocol* root, const char16_t* path) {
  efi::FileProtocol* folder{};
  if (efi::failed(root->open(root, &folder, path, efi::file_mode_read, 0)))
    return;  // an absent folder is an empty one
  for (;;) {
    efi::FileInfo info;
    uint64_t size = sizeof info;
    if (efi::failed(folder->read(folder, &size, &info))) fail("boot volume", "damaged folder");
    if (size == 0) break;
    if ((info.attribute & efi::FileDirectory) == 0) load_one(folder, path, info);
  }
  folder->close(folder);
}

}  // namespace

void OslLoadBootFiles() {
  efi::FileProtocol* root = open_volume();
  load_folder(root, u"\\windows\\system32");
  load_folder(root, u"\\windows\\system32\\drivers");
  root->close(root);
}

const BootFile* find_boot_file(const char* name) {
  const size_t length = strlen(name);
  const ListEntry* head = &nt_block->boot_file_list;
  for (auto entry = from_virtual<ListEntry>(head->flink); entry != head;
       entry = from_virtual<ListEntry>(entry->flink)) {
    auto file = reinterpret_cast<const BootFile*>(entry);
    if (file->path_length <= length || file->path[file->path_length - length - 1] != '\\') continue;
    if (strncmp(file->path + file->path_length - length, name, length) == 0) return file;
  }
  return nullptr;
}

const void* read_boot_folder_file(const char16_t* path, uint64_t* size) {
  efi::FileProtocol* root = open_volume();
  efi::FileProtocol* file{};
  const efi::Status status = root->open(root, &file, path, efi::file_mode_read, 0);
  root->close(root);
  if (efi::failed(status)) return nullptr;
  efi::FileInfo info;
  uint64_t info_size = sizeof info;
  if (efi::failed(file->get_info(file, &efi::file_info_id, &info_size, &info)) ||
      info.file_size == 0)
    return nullptr;
  *size = info.file_size;
  const uint64_t physical = read_whole(file, info.file_size, MemoryType::LoaderHeap);
  file->close(file);
  return reinterpret_cast<const void*>(physical);
}

}  // namespace osl
