// Services for images and for pages of VTL 0 that hold their code (7.13).
#include <string.h>

#include "ium/secure_services.h"
#include "skps/process.h"

namespace sk {

NtStatus ServiceCreateSecureAllocation(ServiceCall& call) {
  uint64_t handle = 0;
  SK_TRY(SkmmCreateSecureAllocation(call.argument(0x08), handle));
  call.answer(0x10, handle);
  return NtStatus::Success;
}

NtStatus ServiceFillSecureAllocation(ServiceCall& call) {
  AllocationReference allocation{call.argument(0x08)};
  if (!allocation) return NtStatus::InvalidHandle;
  TransferList pages;
  SK_TRY(SkmmCaptureMdl(call.argument(0x18), pages));
  return SkmmFillSecureAllocation(*allocation, call.argument(0x10), pages);
}

NtStatus ServiceCreateSecureImage(ServiceCall& call) {
  AllocationReference allocation{call.argument(0x08)};
  if (!allocation) return NtStatus::InvalidHandle;
  uint64_t handle = 0, size = 0, base = 0;
  SK_TRY(SkmmCreateSecureImage(*allocation, static_cast<ImageKind>(call.argument(0x10)), handle, size, base));
  SkobCloseHandle(call.argument(0x08));  // its bytes belong to the image now
  call.answer(0x10, handle);
  call.answer(0x18, size);
  call.answer(0x20, base);
  return NtStatus::Success;
}

NtStatus ServiceFinalizeSecureImageHash(ServiceCall& call) {
  static constexpr uint32_t calg_sha256 = 0x800C, hash_length = 32;
  ImageReference image{call.argument(0x08)};
  if (!image) return NtStatus::InvalidHandle;
  uint8_t digest[hash_length];
  SK_TRY(SkciHashImage(image->file, image->file_size, digest));
  image->hashed = true;
  call.answer(0x10, calg_sha256 | uint64_t{hash_length} << 32);
  memcpy(call.answer_bytes(0x18), digest, sizeof digest);
  return NtStatus::Success;
}

NtStatus ServiceFinishSecureImageValidation(ServiceCall& call) {
  ImageReference image{call.argument(0x08)};
  if (!image) return NtStatus::InvalidHandle;
  const NtStatus status = SkmmFinishValidation(*image);
  call.answer(0x10, image->verdict.signing_level | uint64_t{image->verdict.ekus} << 32);
  call.answer(0x18, image->verdict.root);
  return status;
}

NtStatus ServiceRelocateImage(ServiceCall& call) {
  ImageReference image{call.argument(0x08)};
  if (!image) return NtStatus::InvalidHandle;
  return SkmmRelocateImage(*image, call.argument(0x10));
}

NtStatus ServiceValidateSecureImagePages(ServiceCall& call) {
  ImageReference image{call.argument(0x08)};
  if (!image) return NtStatus::InvalidHandle;
  TransferList pages;
  SK_TRY(SkmmCaptureMdl(call.argument(0x18), pages));
  uint64_t executable = 0;
  SK_TRY(SkmmValidateImagePages(*image, call.argument(0x10), pages, executable));
  call.answer(0x10, executable);
  return NtStatus::Success;
}

NtStatus ServiceMakeProtectedPageExecutable(ServiceCall& call) {
  ImageReference image{call.argument(0x10)};
  if (!image) return NtStatus::InvalidHandle;
  return SkmmMakePageExecutable(*image, call.argument(0x18), call.argument(0x08));
}

NtStatus ServiceMakeProtectedPageWritable(ServiceCall& call) { return SkmmMakePageWritable(call.argument(0x08)); }
NtStatus ServiceSetPagePrivilegeDefault(ServiceCall& call) { return SkmmSetPageDefault(call.argument(0x08)); }

// Processes end by RundownProcess, not by closing their handle: their memory would stay claimed.
NtStatus ServiceCloseSecureHandle(ServiceCall& call) {
  ObjectType type{};
  if (!SkobQueryType(call.argument(0x08), type)) return NtStatus::InvalidHandle;
  if (type == ObjectType::Process) return NtStatus::InvalidParameter;
  return SkobCloseHandle(call.argument(0x08));
}

}  // namespace sk
