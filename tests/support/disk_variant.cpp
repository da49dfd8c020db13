#include "tests/support/disk_variant.h"

#include "tests/support/catch.h"

#include <filesystem>

#include "sim/loader/pe_image.h"
#include "tests/support/program.h"

namespace test {
namespace {

std::string on_disk(std::string_view name) { return "::" + std::string{name}; }

void run_mtools(const std::vector<std::string>& command) {
  const ProgramResult result = run_program(command);
  INFO(command[0] << ": " << result.errors);
  REQUIRE(result.exit_code == 0);
}

}  // namespace

std::string guest_image(std::string_view file) { return "guests/images/" + std::string{file}; }

DiskVariant::DiskVariant() : path_{folder_.file("disk.img")} {
  REQUIRE(std::filesystem::copy_file(guest_disk, path_));
}

void DiskVariant::replace_with_file(std::string_view name, const std::string& host_file) {
  run_mtools({"mcopy", "-o", "-i", path_, host_file, on_disk(name)});
}

void DiskVariant::replace(std::string_view name, std::span<const uint8_t> bytes) {
  replace_with_file(name, folder_.write("replacement", bytes));
}

void DiskVariant::remove(std::string_view name) { run_mtools({"mdel", "-i", path_, on_disk(name)}); }

std::vector<uint8_t> DiskVariant::read(std::string_view name) const {
  const std::string copy = folder_.file("copy");
  run_mtools({"mcopy", "-o", "-n", "-i", path_, on_disk(name), copy});
  return read_file(copy);
}

std::vector<uint8_t> with_flipped_code_byte(std::vector<uint8_t> image) {
  uint32_t offset = 0;
  {
    const auto parsed = loader::PeImage::parse(image);
    REQUIRE(parsed.ok());
    const loader::PeSection* code = parsed.value().section_at(parsed.value().optional_header().address_of_entry_point);
    REQUIRE(code != nullptr);
    offset = code->file_offset;
  }
  image.at(offset) ^= 1;
  return image;
}

}  // namespace test
