// Mapping images for ordinary processes. Windows maps ntdll only and lets it load the rest in user
// mode; here the kernel maps an image with everything that it imports, because ntdll of this
// machine has no loader.
#include <string.h>

#include "boot/debug.h"
#include "boot/pe_image.h"
#include "io/io.h"
#include "ps/ps.h"

namespace {

constexpr uint32_t max_modules = 8;

struct UserModule {
  char name[64];
  uint8_t* image;  ///< a kernel copy, bound here and then written to the process
  uint64_t base;
  pe::Headers headers;
};

struct LoadContext final : pe::ModuleProvider {
  EPROCESS* process{};
  UserModule* modules[max_modules]{};
  uint32_t count{};
  NtStatus status{};

  bool find(const char* name, pe::Module& found) override;
  UserModule* load(const char* name);
};

constexpr uint32_t load_tag = 0x2072644C;  // "Ldr "

UserModule* LoadContext::load(const char* name) {
  for (uint32_t i = 0; i < count; ++i)
    if (pe::equal_ignoring_case(modules[i]->name, name)) return modules[i];
  const BOOT_FILE file = IoFindBootFile(name);
  if (file.data == nullptr || count == max_modules) {
    status = NtStatus::DllNotFound;
    return nullptr;
  }
  auto module = ExAllocate<UserModule>(load_tag);
  strncpy_name(module->name, name);
  if (pe::read_headers(file.data, file.size, module->headers) != pe::Status::Ok) {
    ExFreePoolWithTag(module, load_tag);
    status = NtStatus::InvalidImageFormat;
    return nullptr;
  }
  modules[count++] = module;
  uint64_t size = module->headers.image_size;
  module->base = module->headers.preferred_base;
  status = MmAllocateVirtualMemory(process, &module->base, &size, MEM_COMMIT | MEM_RESERVE,
                                   PAGE_EXECUTE_READ);
  if (status == NtStatus::ConflictingAddresses) {
    module->base = 0;
    status = MmAllocateVirtualMemory(process, &module->base, &size, MEM_COMMIT | MEM_RESERVE,
                                     PAGE_EXECUTE_READ);
  }
  if (!succeeded(status)) return nullptr;
  module->image =
      static_cast<uint8_t*>(ExAllocatePoolWithTag(0, module->headers.image_size, load_tag));
  pe::map_sections(module->headers, file.data, module->image);
  if (pe::relocate(module->headers, module->image, module->base) != pe::Status::Ok)
    status = NtStatus::InvalidImageFormat;
  return succeeded(status) ? module : nullptr;
}

bool LoadContext::find(const char* name, pe::Module& found) {
  const UserModule* module = load(name);
  if (module == nullptr) return false;
  found = {module->image, module->headers.image_size, module->base};
  return true;
}

// Copies the finished image into the process and gives each section its own rights.
void commit(EPROCESS* process, const UserModule& module) {
  for (uint64_t rva = 0; rva < module.headers.image_size; rva += PAGE_SIZE) {
    uint64_t* pte = MiGetPteAddress(process->directory_table_base, module.base + rva, false);
    memcpy(MiPhysicalToVirtual(*pte & PteFrameMask), module.image + rva, PAGE_SIZE);
    *pte |= PteNoExecute;
  }
  for (uint32_t i = 0; i < module.headers.section_count; ++i) {
    const pe::Section& s = module.headers.sections[i];
    for (uint64_t rva = s.rva; rva < uint64_t{s.rva} + s.virtual_size; rva += PAGE_SIZE) {
      uint64_t* pte = MiGetPteAddress(process->directory_table_base, module.base + rva, false);
      if ((s.characteristics & pe::SectionExecute) != 0) *pte &= ~PteNoExecute;
      if ((s.characteristics & pe::SectionWrite) != 0) *pte |= PteWrite;
    }
  }
  boot::image_loaded(module.name, module.base, module.headers.image_size);
}

}  // namespace

NtStatus PspMapUserImage(EPROCESS* process, const char* name, uint64_t* base, uint64_t* entry) {
  auto context = new (ExAllocatePoolWithTag(0, sizeof(LoadContext), load_tag)) LoadContext{};
  context->process = process;
  UserModule* image = context->load(name);
  // Binding may load more modules, which are bound in turn.
  for (uint32_t i = 0; succeeded(context->status) && i < context->count; ++i) {
    UserModule* m = context->modules[i];
    pe::BindFailure failure;
    const pe::Status bound = pe::bind_imports(m->headers, m->image, *context, failure);
    if (bound == pe::Status::Ok) continue;
    DbgPrintEx("ntoskrnl: {}: {} ({}!{})\n", static_cast<const char*>(m->name), pe::describe(bound),
               failure.module, failure.symbol);
    context->status =
        bound == pe::Status::MissingExport ? NtStatus::ProcedureNotFound : NtStatus::DllNotFound;
  }
  const NtStatus status = context->status;
  if (succeeded(status)) {
    for (uint32_t i = 0; i < context->count; ++i)
      commit(process, *context->modules[i]);
    *base = image->base;
    *entry = image->base + image->headers.entry_rva;
  }
  for (uint32_t i = 0; i < context->count; ++i) {
    if (context->modules[i]->image != nullptr)
      ExFreePoolWithTag(context->modules[i]->image, load_tag);
    ExFreePoolWithTag(context->modules[i], load_tag);
  }
  ExFreePoolWithTag(context, load_tag);
  return status;
}
