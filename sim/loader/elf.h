#pragma once
// ELF executables, as far as loading a kernel needs them (System V ABI, chapters 4 and 5; ELF-64 Object File Format).
#include "sim/loader/kernel_image.h"

namespace loader {

[[nodiscard]] bool is_elf(Bytes file);

/// The loadable segments at their physical addresses. Accepts executables for the 80386 and x86-64 whose addresses
/// lie below 4 GiB; the entry is the header's, as a physical address. Whatever is wrong with a file is said in a
/// sentence.
[[nodiscard]] support::Result<KernelImage> parse_elf_kernel(Bytes file);

}  // namespace loader
