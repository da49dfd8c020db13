#pragma once
// A timeline over the default machine, with the images that the build makes.
#include "tests/unit/machine/boot.h"

#include <algorithm>
#include <memory>

#include "sim/debugger/timeline.h"

namespace test {

inline machine::MachineParts boot_parts() {
  machine::MachineParts parts;
  parts.firmware = boot::read_file("guests/images/firmware.efi");
  parts.disk = machine::DiskImage{boot::read_file("guests/disk.img")};
  INFO("the images that the build makes");
  REQUIRE(!parts.firmware.empty());
  REQUIRE(parts.disk->sectors() != 0);
  return parts;
}

inline std::unique_ptr<debugger::Timeline> boot_timeline(const debugger::TimelineOptions& options = {}) {
  auto timeline = debugger::Timeline::over(loader::MachineConfig{}, boot_parts(), options);
  if (!timeline) FAIL(timeline.error().message);
  return std::move(timeline.value());
}

}  // namespace test
