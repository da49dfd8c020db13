// What a kernel finds at EBX (Multiboot 3.3).
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "sim/loader/multiboot.h"

namespace loader {
namespace {

using support::Error;
using support::Result;

/// The structure up to what we tell; every field that is not valid is zero.
struct Information {
  uint32_t flags, memory_lower, memory_upper, boot_device, command_line, module_count, modules;
  uint32_t symbols[4];
  uint32_t map_length, map, drives_length, drives, configuration, boot_loader_name, apm;
  uint32_t video[7];
};
static_assert(sizeof(Information) == 100 && offsetof(Information, boot_loader_name) == 64);

struct Module {
  uint32_t begin, end, text, reserved;
};

constexpr uint32_t has_memory = 1, has_command_line = 4, has_modules = 8, has_map = 0x40, has_loader_name = 0x200;
constexpr uint64_t page = 4096, low_begin = 0x9000, low_end = 0x9'0000, upper_begin = 0x10'0000;

uint64_t align_up(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// Bytes at an address that grows with them.
class Area {
 public:
  explicit Area(uint32_t address) : address_{address} {}
  template <class T>
  uint32_t put(const T& value) {
    return append(&value, sizeof value);
  }
  uint32_t text(std::string_view text) {
    const uint32_t at = append(text.data(), text.size());
    bytes_.push_back(0);
    return at;
  }
  void align() { bytes_.resize(align_up(bytes_.size(), 8)); }
  std::vector<uint8_t> take() { return std::move(bytes_); }
  [[nodiscard]] uint32_t here() const { return address_ + static_cast<uint32_t>(bytes_.size()); }
  void write_back(uint32_t at, const Information& value) { std::memcpy(&bytes_[at - address_], &value, sizeof value); }

 private:
  uint32_t append(const void* data, size_t size) {
    const uint32_t at = here();
    const size_t before = bytes_.size();
    bytes_.resize(before + size);
    if (size != 0) std::memcpy(&bytes_[before], data, size);
    return at;
  }
  uint32_t address_;
  std::vector<uint8_t> bytes_;
};

/// Kibibytes of the usable range that begins at `base`: 640 at most below 1 MiB.
uint32_t kibibytes_from(const std::vector<MemoryRange>& map, uint64_t base) {
  for (const MemoryRange& range : map)
    if (range.type == 1 && range.base == base) return static_cast<uint32_t>(range.length / 1024);
  return 0;
}

size_t size_of_information(std::string_view command_line, const std::vector<BootModule>& modules,
                           const std::vector<MemoryRange>& map) {
  size_t size = sizeof(Information) + map.size() * 24 + modules.size() * sizeof(Module) + 64 + command_line.size();
  for (const BootModule& module : modules) size += module.text.size() + 1;
  return size;
}

uint32_t put_map(Area& area, const std::vector<MemoryRange>& map) {
  const uint32_t at = area.here();
  for (const MemoryRange& range : map) {
    area.put(uint32_t{20});  // of what follows
    area.put(range.base);
    area.put(range.length);
    area.put(range.type);
  }
  return at;
}

}  // namespace

Result<BootInformation> make_boot_information(const KernelImage& kernel, std::string_view command_line,
                                              const std::vector<BootModule>& modules,
                                              const std::vector<MemoryRange>& map, uint64_t memory_bytes) {
  BootInformation result;
  uint64_t next = std::max(align_up(kernel.end(), page), upper_begin);
  for (const BootModule& module : modules) {
    if (next + module.bytes.size() > memory_bytes)
      return Error{fmt::format("kernel: a module of {} bytes does not fit into {} MiB of memory", module.bytes.size(),
                               memory_bytes >> 20)};
    result.modules.push_back({static_cast<uint32_t>(next), module.bytes});
    next = align_up(next + module.bytes.size(), page);
  }
  // Low memory, as other loaders do, or above everything else when the kernel lies there itself.
  const size_t size = size_of_information(command_line, modules, map);
  const bool low = low_begin + size <= low_end && !kernel.overlaps(low_begin, size);
  result.address = static_cast<uint32_t>(low ? low_begin : next);
  if (result.address + size > memory_bytes) return Error{"kernel: no room in memory for the Multiboot information"};

  Area area{result.address};
  Information information{};
  area.put(information);
  information.flags = has_memory | has_command_line | has_map | has_loader_name;
  information.memory_lower = kibibytes_from(map, 0);
  information.memory_upper = kibibytes_from(map, upper_begin);
  information.map = put_map(area, map);
  information.map_length = area.here() - information.map;
  information.command_line = area.text(command_line);
  information.boot_loader_name = area.text(multiboot::boot_loader_name);
  std::vector<uint32_t> texts;
  for (const BootModule& module : modules) texts.push_back(area.text(module.text));
  area.align();
  if (!modules.empty()) {
    information.flags |= has_modules;
    information.module_count = static_cast<uint32_t>(modules.size());
    information.modules = area.here();
    for (size_t i = 0; i < modules.size(); ++i) {
      const uint32_t begin = result.modules[i].address;
      area.put(Module{begin, begin + static_cast<uint32_t>(modules[i].bytes.size()), texts[i], 0});
    }
  }
  area.write_back(result.address, information);
  result.bytes = area.take();
  return result;
}

}  // namespace loader
