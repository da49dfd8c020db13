#include "sim/loader/multiboot.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "sim/loader/elf.h"

namespace loader {
namespace {

using support::Error;
using support::Result;

struct Header {
  uint32_t magic, flags, checksum;
};
struct AddressFields {
  uint32_t header, load, load_end, bss_end, entry;
};

/// Flags 0 (modules on page boundaries), 1 (memory map) and 2 (video mode) are known. A video mode is never found, and a
/// kernel that asks for one has to look (3.3, "vbe").
constexpr uint32_t known_requirements = 0x7, requirement_bits = 0xffff, has_addresses = 1u << 16;

struct Found {
  uint64_t offset;
  Header header;
};

std::optional<Found> find_header(Bytes file) {
  for (uint64_t offset = 0; offset + sizeof(Header) <= std::min(file.size(), multiboot::search_bytes); offset += 4) {
    const Header header = *read_at<Header>(file, offset);
    if (header.magic == multiboot::header_magic && header.magic + header.flags + header.checksum == 0)
      return Found{offset, header};
  }
  return std::nullopt;
}

/// Multiboot 3.1.3: the header itself says which bytes go where.
Result<KernelImage> parse_flat(Bytes file, const Found& found) {
  const auto fields = read_at<AddressFields>(file, found.offset + sizeof(Header));
  if (!fields) return Error{"kernel: the file ends inside the addresses of its Multiboot header"};
  if (fields->load > fields->header)
    return Error{fmt::format("kernel: Multiboot load_addr {:#x} is above header_addr {:#x}", fields->load, fields->header)};
  const uint64_t before = fields->header - fields->load;
  if (before > found.offset)
    return Error{fmt::format("kernel: Multiboot load_addr {:#x} lies {:#x} bytes before the file", fields->load,
                             before - found.offset)};
  const uint64_t start = found.offset - before;
  uint64_t size = file.size() - start;
  if (fields->load_end != 0) {
    if (fields->load_end < fields->load)
      return Error{fmt::format("kernel: Multiboot load_end_addr {:#x} is below load_addr {:#x}", fields->load_end, fields->load)};
    if (fields->load_end - fields->load > size)
      return Error{fmt::format("kernel: Multiboot load_end_addr {:#x} reaches past the end of the file", fields->load_end)};
    size = fields->load_end - fields->load;
  }
  uint64_t memory_size = size;
  if (fields->bss_end != 0) {
    if (fields->bss_end < fields->load + size)
      return Error{fmt::format("kernel: Multiboot bss_end_addr {:#x} is below the end of what is loaded, {:#x}",
                               fields->bss_end, fields->load + size)};
    memory_size = fields->bss_end - fields->load;
  }
  if (memory_size == 0) return Error{"kernel: its Multiboot header asks to load nothing"};
  if (fields->load + memory_size > uint64_t{1} << 32)
    return Error{fmt::format("kernel: {:#x} bytes at {:#x} are not below 4 GiB", memory_size, fields->load)};
  if (fields->entry < fields->load || fields->entry - fields->load >= memory_size)
    return Error{fmt::format("kernel: Multiboot entry_addr {:#x} is outside of what is loaded", fields->entry)};
  return KernelImage{.format = KernelFormat::Flat,
                     .entry = fields->entry,
                     .segments = {{fields->load, *part(file, start, size), static_cast<uint32_t>(memory_size)}}};
}

bool is_linux(Bytes file) {
  const auto boot_flag = read_at<uint16_t>(file, 0x1fe);
  const auto magic = read_at<uint32_t>(file, 0x202);
  return boot_flag && magic && *boot_flag == 0xaa55 && *magic == 0x53726448;  // "HdrS"
}

}  // namespace

Result<KernelImage> parse_kernel(Bytes file) {
  if (file.empty()) return Error{"kernel: the file is empty"};
  const auto found = find_header(file);
  if (!found) {
    if (is_elf(file))
      return Error{fmt::format("kernel: an ELF file without a Multiboot header in its first {} bytes", multiboot::search_bytes)};
    if (is_linux(file)) return Error{"kernel: a Linux kernel (boot protocol header); only Multiboot 1 is implemented"};
    if (file.size() > (uint64_t{1} << 32) - raw_kernel_address) return Error{"kernel: the file does not fit below 4 GiB"};
    return KernelImage{.format = KernelFormat::Raw,
                       .entry = raw_kernel_address,
                       .segments = {{raw_kernel_address, file, static_cast<uint32_t>(file.size())}}};
  }
  const uint32_t unknown = found->header.flags & requirement_bits & ~known_requirements;
  if (unknown != 0)
    return Error{fmt::format("kernel: its Multiboot header requires features that do not exist (flags {:#x})", unknown)};
  if ((found->header.flags & has_addresses) != 0) return parse_flat(file, *found);
  if (!is_elf(file)) return Error{"kernel: a Multiboot header without addresses (flag 16) in a file that is no ELF"};
  return parse_elf_kernel(file);
}

}  // namespace loader
