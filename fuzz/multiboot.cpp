// Kernel files as --kernel reads them, and what is told to a kernel that was accepted.
#include <cstdlib>

#include "sim/loader/multiboot.h"

namespace {

void require(bool promise) {
  if (!promise) std::abort();
}

void check(const loader::KernelImage& kernel, loader::Bytes file) {
  require(!kernel.segments.empty() && kernel.overlaps(kernel.entry, 1) && kernel.end() <= uint64_t{1} << 32);
  for (size_t i = 0; i < kernel.segments.size(); ++i) {
    const loader::KernelSegment& segment = kernel.segments[i];
    require(segment.memory_size > 0 && segment.bytes.size() <= segment.memory_size);
    require(segment.bytes.empty() ||
            (segment.bytes.data() >= file.data() && segment.bytes.data() + segment.bytes.size() <= file.data() + file.size()));
    for (size_t j = 0; j < i; ++j)
      require(kernel.segments[j].end() <= segment.address || segment.end() <= kernel.segments[j].address);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const loader::Bytes file{data, size};
  const auto kernel = loader::parse_kernel(file);
  if (!kernel) {
    require(!kernel.error().message.empty());
    return 0;
  }
  check(kernel.value(), file);
  constexpr uint64_t memory = 64 << 20;
  const std::vector<loader::MemoryRange> map{{0, 0x9fc00, 1}, {0x100000, memory - 0x100000, 1}};
  const auto information = loader::make_boot_information(kernel.value(), "kernel", {{file, "module"}}, map, memory);
  if (!information) return 0;
  require(information.value().address + information.value().bytes.size() <= memory);
  require(!kernel.value().overlaps(information.value().address, information.value().bytes.size()));
  for (const auto& module : information.value().modules)
    require(module.address + module.bytes.size() <= memory && !kernel.value().overlaps(module.address, module.bytes.size()));
  return 0;
}
