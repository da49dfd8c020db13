#include "skps/loader.h"

#include "dbg/debug_port.h"
#include "ske/thread.h"
#include "skmm/user_memory.h"

namespace sk {

namespace {

// Only what was mapped before can be imported from: the IUM system DLLs (S102).
class SystemDlls : public pe::ModuleProvider {
 public:
  SystemDlls(const LoadedUserImage* modules, size_t count) : modules_{modules}, count_{count} {}
  bool find(const char* name, pe::Module& module) override {
    for (size_t i = 0; i < count_; ++i) {
      if (!pe::equal_ignoring_case(modules_[i].name, name)) continue;
      module = {reinterpret_cast<const void*>(modules_[i].base), modules_[i].image->headers.image_size,
                modules_[i].base};
      return true;
    }
    return false;
  }

 private:
  const LoadedUserImage* modules_;
  size_t count_;
};

NtStatus to_status(pe::Status status) {
  switch (status) {
    case pe::Status::Ok: return NtStatus::Success;
    case pe::Status::MissingModule: return NtStatus::DllNotFound;
    case pe::Status::MissingExport: return NtStatus::ProcedureNotFound;
    default: return NtStatus::InvalidImageFormat;
  }
}

NtStatus fill(const SecureImage& image, uint64_t base, pe::ModuleProvider& modules) {
  auto* at = reinterpret_cast<void*>(base);
  pe::map_sections(image.headers, image.file, at);
  SK_TRY(to_status(pe::relocate(image.headers, at, base)));
  pe::BindFailure failure;
  const pe::Status status = pe::bind_imports(image.headers, at, modules, failure);
  if (status != pe::Status::Ok)
    DbgMilestone("securekernel: cannot bind {}!{}: {}", failure.module, failure.symbol, pe::describe(status));
  return to_status(status);
}

NtStatus protect(SkProcess& process, const SecureImage& image, uint64_t base) {
  for (uint64_t rva = 0; rva < image.headers.image_size; rva += page_size) {
    Protection protection = Protection::ReadOnly;
    if (SkmmIsExecutablePage(image.headers, rva)) protection = Protection::ReadExecute;
    else if (SkmmIsWritablePage(image.headers, rva)) protection = Protection::ReadWrite;
    SK_TRY(SkmmProtectUserMemory(process, base + rva, 1, protection));
  }
  return NtStatus::Success;
}

}  // namespace

NtStatus SkmmMapSecureImage(SkProcess& process, SecureImage& image, const LoadedUserImage* modules, size_t count,
                            uint64_t& base) {
  if (!image.accepted || image.kind != ImageKind::Trustlet) return NtStatus::InvalidImageHash;
  base = image.headers.preferred_base;
  SK_TRY(SkmmAllocateUserMemory(process, base, image.headers.image_size / page_size));
  SystemDlls provider{modules, count};
  AttachedProcess attached{process};
  SK_TRY(fill(image, base, provider));
  return protect(process, image, base);
}

}  // namespace sk
