// Images of both worlds: found in the boot-file list, mapped in contiguous pages, relocated, bound
// to each other by name.
#include <string.h>

#include "winload.h"

namespace osl {
namespace {

void read_headers(const char* name, const BootFile& file, pe::Headers& headers) {
  const auto status =
      pe::read_headers(reinterpret_cast<const void*>(file.physical_base), file.size, headers);
  if (status != pe::Status::Ok) fail(name, pe::describe(status));
}

const BootFile& need_file(const char* name) {
  const BootFile* file = find_boot_file(name);
  if (file == nullptr) fail(name, "not found on the boot volume");
  return *file;
}

// Imports are looked up among the images of one list: the two worlds cannot bind to each other.
class ListModules final : public pe::ModuleProvider {
 public:
  explicit ListModules(const ListEntry* head) : head_{head} {}
  bool find(const char* name, pe::Module& found) override {
    for (auto e = from_virtual<ListEntry>(head_->flink); e != head_;
         e = from_virtual<ListEntry>(e->flink)) {
      auto module = reinterpret_cast<const LoadedModule*>(e);
      if (!pe::equal_ignoring_case(module->name, name)) continue;
      found = {reinterpret_cast<const void*>(module->physical_base), module->image_size,
               module->base};
      return true;
    }
    return false;
  }

 private:
  const ListEntry* head_;
};

}  // namespace

uint32_t image_pages(const char* name) {
  pe::Headers headers;
  read_headers(name, need_file(name), headers);
  return headers.image_size / page;
}

LoadedModule* load_image(const char* name, uint64_t base, uint64_t physical, ListEntry* list) {
  const BootFile& file = need_file(name);
  pe::Headers headers;
  read_headers(name, file, headers);
  auto image = reinterpret_cast<void*>(physical);
  pe::map_sections(headers, reinterpret_cast<const void*>(file.physical_base), image);
  if (pe::Status status = pe::relocate(headers, image, base); status != pe::Status::Ok)
    fail(name, pe::describe(status));

  auto module = static_cast<LoadedModule*>(allocate_loader_data(sizeof(LoadedModule)));
  module->base = base;
  module->physical_base = physical;
  module->entry_point = base + headers.entry_rva;
  module->file = file.data;
  module->file_size = static_cast<uint32_t>(file.size);
  module->image_size = headers.image_size;
  module->name_length = static_cast<uint32_t>(strlen(name));
  memcpy(module->name, name, module->name_length);
  list_append(list, &module->entry);
  boot::image_loaded(name, base, headers.image_size);
  return module;
}

void bind_images(ListEntry* list) {
  ListModules modules{list};
  for (auto e = from_virtual<ListEntry>(list->flink); e != list;
       e = from_virtual<ListEntry>(e->flink)) {
    auto module = reinterpret_cast<const LoadedModule*>(e);
    pe::Headers headers;
    read_headers(module->name, need_file(module->name), headers);
    pe::BindFailure failure;
    const auto status =
        pe::bind_imports(headers, reinterpret_cast<void*>(module->physical_base), modules, failure);
    if (status == pe::Status::Ok) continue;
    char text[160];
    fail(module->name,
         rt::print(text, "{} ({}!{})", pe::describe(status), failure.module, failure.symbol));
  }
}

}  // namespace osl
