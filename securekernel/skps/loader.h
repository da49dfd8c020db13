#pragma once
#include "ke/skpcr.h"
#include "skmm/secure_image.h"

namespace sk {

/// An image inside a process.
struct LoadedUserImage {
  SecureImage* image;
  uint64_t base;
  const char* name;
};

/// SkmmMapSecureImage (7.13): allocates the range at the image's preferred base, copies and relocates it there, binds
/// its imports to `modules` and gives every page the rights of its section. In Windows the loader in the process binds;
/// here the secure kernel does, so that no writable import table ever exists in ring 3.
NtStatus SkmmMapSecureImage(SkProcess& process, SecureImage& image, const LoadedUserImage* modules, size_t count,
                            uint64_t& base);

}  // namespace sk
