#pragma once
// A copy of the boot disk with files exchanged, as a user does it with mtools.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temporary_folder.h"

namespace test {

/// What the build made, seen from the build folder, where tests run.
inline const std::string guest_disk = "guests/disk.img";
inline const std::string guest_firmware = "guests/images/firmware.efi";
[[nodiscard]] std::string guest_image(std::string_view file);

/// Folders of the disk.
inline constexpr std::string_view boot_folder = "/EFI/MICROSOFT/BOOT/";
inline constexpr std::string_view system_folder = "/WINDOWS/SYSTEM32/";
inline constexpr std::string_view driver_folder = "/WINDOWS/SYSTEM32/DRIVERS/";

class DiskVariant {
 public:
  DiskVariant();

  [[nodiscard]] const std::string& path() const { return path_; }
  /// `name` is a path on the disk, such as "/WINDOWS/SYSTEM32/lsaiso.exe".
  void replace(std::string_view name, std::span<const uint8_t> bytes);
  void replace_with_file(std::string_view name, const std::string& host_file);
  void remove(std::string_view name);
  [[nodiscard]] std::vector<uint8_t> read(std::string_view name) const;

 private:
  TemporaryFolder folder_;
  std::string path_;
};

/// The image with one bit of its code changed: the first byte of the section that holds the entry point.
[[nodiscard]] std::vector<uint8_t> with_flipped_code_byte(std::vector<uint8_t> image);

}  // namespace test
