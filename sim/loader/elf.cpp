#include "sim/loader/elf.h"

#include <fmt/format.h>

#include <algorithm>

namespace loader {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

// Elf32_Ehdr and Elf64_Ehdr as they lie in the file.
struct Identification {
  uint8_t magic[4], file_class, data, version, abi, padding[8];
};
struct Header32 {
  Identification identification;
  uint16_t type, machine;
  uint32_t version, entry, program_offset, section_offset, flags;
  uint16_t header_size, program_size, program_count, section_size, section_count, names;
};
struct Header64 {
  Identification identification;
  uint16_t type, machine;
  uint32_t version;
  uint64_t entry, program_offset, section_offset;
  uint32_t flags;
  uint16_t header_size, program_size, program_count, section_size, section_count, names;
};
static_assert(sizeof(Header32) == 52 && sizeof(Header64) == 64);

struct Program32 {
  uint32_t type, offset, virtual_address, physical_address, file_size, memory_size, flags, align;
};
struct Program64 {
  uint32_t type, flags;
  uint64_t offset, virtual_address, physical_address, file_size, memory_size, align;
};
static_assert(sizeof(Program32) == 32 && sizeof(Program64) == 56);

constexpr uint8_t class32 = 1, class64 = 2, little_endian = 1;
constexpr uint16_t executable = 2, machine_386 = 3, machine_x86_64 = 62;
constexpr uint32_t loadable = 1;
constexpr uint64_t four_gigabytes = uint64_t{1} << 32;

/// One segment, checked against the file, the address space and those before it.
Status add_segment(Bytes file, size_t number, uint64_t offset, uint64_t address, uint64_t file_size,
                   uint64_t memory_size, KernelImage& image) {
  if (memory_size == 0) return Unit{};
  const auto bytes = part(file, offset, file_size);
  if (!bytes) {
    return Error{fmt::format("kernel: program header {}: {:#x} bytes at {:#x} reach past the end of the file", number,
                             file_size, offset)};
  }
  if (file_size > memory_size) {
    return Error{fmt::format("kernel: program header {}: {:#x} bytes of the file for {:#x} bytes of memory", number,
                             file_size, memory_size)};
  }
  if (address >= four_gigabytes || memory_size > four_gigabytes - address) {
    return Error{fmt::format("kernel: program header {}: {:#x} bytes at the physical address {:#x} are not below 4 GiB",
                             number, memory_size, address)};
  }
  if (image.overlaps(address, memory_size)) {
    return Error{fmt::format("kernel: program header {}: its memory at {:#x} overlaps another segment", number, address)};
  }
  if (image.segments.size() == maximum_kernel_segments) {
    return Error{fmt::format("kernel: more than {} loadable segments", maximum_kernel_segments)};
  }
  image.segments.push_back({static_cast<uint32_t>(address), *bytes, static_cast<uint32_t>(memory_size)});
  return Unit{};
}

/// Headers give the entry as a virtual address; a kernel that is linked high is entered at the physical one.
uint64_t physical_entry(uint64_t entry, uint64_t virtual_address, uint64_t physical_address, uint64_t size) {
  return entry >= virtual_address && entry - virtual_address < size ? entry - virtual_address + physical_address : entry;
}

template <class Header, class Program>
Result<KernelImage> parse(Bytes file, KernelFormat format) {
  const auto header = read_at<Header>(file, 0);
  if (!header) return Error{"kernel: the file ends inside its ELF header"};
  if (header->type != executable) return Error{fmt::format("kernel: ELF type {} is no executable", header->type)};
  if (header->machine != machine_386 && header->machine != machine_x86_64)
    return Error{fmt::format("kernel: ELF for machine {}, not for the 80386 or x86-64", header->machine)};
  if (header->program_count == 0) return Error{"kernel: the ELF file has no program headers, nothing to load"};
  if (header->program_size < sizeof(Program))
    return Error{fmt::format("kernel: program headers of {} bytes, {} are needed", header->program_size, sizeof(Program))};

  KernelImage image;
  image.format = format;
  uint64_t entry = header->entry;
  bool placed = false;
  for (size_t i = 0; i < header->program_count; ++i) {
    const uint64_t offset = i * header->program_size;
    const auto program = header->program_offset > file.size()
                             ? std::nullopt
                             : read_at<Program>(file, header->program_offset + offset);
    if (!program) return Error{fmt::format("kernel: program header {} lies past the end of the file", i)};
    if (program->type != loadable) continue;
    TRY(add_segment(file, i, program->offset, program->physical_address, program->file_size, program->memory_size, image));
    if (placed) continue;
    entry = physical_entry(header->entry, program->virtual_address, program->physical_address, program->memory_size);
    placed = header->entry >= program->virtual_address &&
             header->entry - program->virtual_address < program->memory_size;
  }
  if (image.segments.empty()) return Error{"kernel: no program header is loadable"};
  if (entry >= four_gigabytes)
    return Error{fmt::format("kernel: its entry at {:#x} cannot be reached by 32-bit code", entry)};
  if (!image.overlaps(entry, 1))
    return Error{fmt::format("kernel: its entry at {:#x} is in no segment", entry)};
  image.entry = static_cast<uint32_t>(entry);
  return image;
}

}  // namespace

uint64_t KernelImage::end() const {
  uint64_t last = 0;
  for (const KernelSegment& segment : segments) last = std::max(last, segment.end());
  return last;
}

bool KernelImage::overlaps(uint64_t begin, uint64_t size) const {
  return std::any_of(segments.begin(), segments.end(), [&](const KernelSegment& segment) {
    return begin < segment.end() && segment.address < begin + size;
  });
}

bool is_elf(Bytes file) {
  constexpr uint8_t magic[] = {0x7f, 'E', 'L', 'F'};
  return file.size() >= sizeof magic && std::equal(std::begin(magic), std::end(magic), file.begin());
}

Result<KernelImage> parse_elf_kernel(Bytes file) {
  const auto identification = read_at<Identification>(file, 0);
  if (!identification || !is_elf(file)) return Error{"kernel: this is no ELF file"};
  if (identification->data != little_endian) return Error{"kernel: the ELF file is not little-endian"};
  switch (identification->file_class) {
    case class32: return parse<Header32, Program32>(file, KernelFormat::Elf32);
    case class64: return parse<Header64, Program64>(file, KernelFormat::Elf64);
    default: return Error{fmt::format("kernel: ELF class {} is neither 32 nor 64 bits", identification->file_class)};
  }
}

}  // namespace loader
