// Loading drivers. What decides whether their code runs is not here: with HVCI it is the second
// stage's X bit, which only the secure kernel sets, after SKCI has seen the whole file (S35, S68).
// NTOS's page tables promise what they like.
#include "io/io.h"

#include <string.h>

#include "boot/debug.h"
#include "boot/pe_image.h"
#include "hvl/hvl.h"
#include "mm/mm.h"
#include "ps/ps.h"

namespace {

// Drivers import from the kernel only.
class KernelModules final : public pe::ModuleProvider {
 public:
  bool find(const char* name, pe::Module& found) override {
    const auto* head = &KeLoaderBlock->load_order_list;
    for (auto e = reinterpret_cast<const abi::boot::ListEntry*>(head->flink); e != head;
         e = reinterpret_cast<const abi::boot::ListEntry*>(e->flink)) {
      const auto* module = reinterpret_cast<const abi::boot::LoadedModule*>(e);
      if (!pe::equal_ignoring_case(module->name, name)) continue;
      found = {reinterpret_cast<const void*>(module->base), module->image_size, module->base};
      return true;
    }
    return false;
  }
};

// Fresh pages at a fresh kernel address, writable and not executable until the image is complete.
uint64_t map_pages(uint64_t size) {
  const uint64_t count = pages_for(size);
  const uint64_t base = MiReserveSystemPages(count);
  const PFN first = MiAllocateContiguousPages(count);
  for (uint64_t i = 0; i < count; ++i)
    MiMapPage(MiSystemRoot, base + i * PAGE_SIZE, first + i, PteWrite | PteNoExecute);
  return base;
}

void unmap_pages(uint64_t base, uint64_t size) {
  const PFN first = page_of(MiTranslate(MiSystemRoot, base));
  for (uint64_t i = 0; i < pages_for(size); ++i)
    MiUnmapPage(MiSystemRoot, base + i * PAGE_SIZE);
  MiFreePages(first, pages_for(size));
}

// NTOS's own page rights: as the section table asks.
void protect_sections(const pe::Headers& headers, uint64_t base) {
  for (uint32_t i = 0; i < headers.section_count; ++i) {
    const pe::Section& s = headers.sections[i];
    uint64_t bits = 0;
    if ((s.characteristics & pe::SectionWrite) != 0) bits |= PteWrite;
    if ((s.characteristics & pe::SectionExecute) == 0) bits |= PteNoExecute;
    for (uint64_t rva = s.rva; rva < uint64_t{s.rva} + s.virtual_size; rva += PAGE_SIZE)
      MiMapPage(MiSystemRoot, base + rva, page_of(MiTranslate(MiSystemRoot, base + rva)), bits);
  }
}

NtStatus bind(const char* name, const pe::Headers& headers, uint64_t base) {
  KernelModules modules;
  pe::BindFailure failure;
  const pe::Status bound =
      pe::bind_imports(headers, reinterpret_cast<void*>(base), modules, failure);
  if (bound == pe::Status::Ok) return NtStatus::Success;
  DbgPrintEx("ntoskrnl: {}: {} ({}!{})\n", name, pe::describe(bound), failure.module,
             failure.symbol);
  return NtStatus::ProcedureNotFound;
}

// The secure kernel captures the file and judges it.
NtStatus validate(const BOOT_FILE& file, DRIVER_OBJECT* driver, NtStatus* verdict) {
  if (!HvlHvciInForce()) return NtStatus::Success;
  const NtStatus status =
      HvlCreateSecureImage(file.data, file.size, false, &driver->secure_image, verdict);
  return succeeded(status) ? *verdict : status;
}

}  // namespace

NtStatus IopLoadDriver(const char* name, DriverLoad how, DRIVER_OBJECT* driver, NtStatus* verdict) {
  *driver = {};
  *verdict = NtStatus::Success;
  strncpy_name(driver->name, name);
  const BOOT_FILE file = IoFindBootFile(name);
  if (file.data == nullptr) return NtStatus::ObjectNameNotFound;
  pe::Headers headers;
  if (pe::read_headers(file.data, file.size, headers) != pe::Status::Ok)
    return NtStatus::InvalidImageFormat;
  if (how == DriverLoad::Validated) {
    const NtStatus status = validate(file, driver, verdict);
    if (!succeeded(status)) {
      if (driver->secure_image != 0) HvlCloseSecureHandle(driver->secure_image);
      return status;
    }
  }

  driver->size = headers.image_size;
  driver->base = map_pages(headers.image_size);
  auto image = reinterpret_cast<void*>(driver->base);
  pe::map_sections(headers, file.data, image);
  NtStatus status = pe::relocate(headers, image, driver->base) == pe::Status::Ok
                        ? NtStatus::Success
                        : NtStatus::InvalidImageFormat;
  if (succeeded(status)) status = bind(name, headers, driver->base);
  if (succeeded(status) && driver->secure_image != 0) {
    uint64_t executable_pages{};
    status =
        HvlValidateDriverPages(driver->secure_image, driver->base, driver->size, &executable_pages);
  }
  if (!succeeded(status)) {
    IopUnloadDriver(driver);
    return status;
  }
  protect_sections(headers, driver->base);
  driver->entry = driver->base + headers.entry_rva;
  boot::image_loaded(name, driver->base, driver->size);
  return NtStatus::Success;
}

void IopUnloadDriver(DRIVER_OBJECT* driver) {
  if (driver->entry != 0)
    boot::announce_image(abi::boot::DebugEvent::ImageUnloaded, driver->name, driver->base,
                         driver->size);
  if (driver->secure_image != 0) {
    // Validated pages are not NTOS's to reuse before the secure kernel has wiped them: they stay
    // allocated.
    HvlCloseSecureHandle(driver->secure_image);
  } else {
    unmap_pages(driver->base, driver->size);
  }
  *driver = {};
}
