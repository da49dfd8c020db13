#pragma once
// Machines that boot the build's own images, for tests of state.
#include "tests/support/catch.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "sim/machine/machine.h"

namespace boot {

inline constexpr support::Instant limit{4'000'000'000};

inline std::vector<uint8_t> read_file(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// A machine with hypervisor and VSM, right after reset. `events` may be null.
inline std::unique_ptr<machine::Machine> make(loader::GearSetting gear, support::EventSink* events = nullptr,
                                              uint64_t seed = 1) {
  static const std::vector<uint8_t> firmware = read_file("guests/images/firmware.efi");
  static const std::vector<uint8_t> disk = read_file("guests/disk.img");
  INFO("the images that the build makes");
  REQUIRE(!firmware.empty());
  REQUIRE(!disk.empty());
  loader::MachineConfig config;
  config.gear = gear;
  config.seed = seed;
  machine::MachineParts parts;
  parts.firmware = firmware;
  parts.disk = machine::DiskImage{disk};
  auto made = machine::Machine::create(config, std::move(parts), events);
  if (!made.ok()) FAIL(made.error().message);
  return std::move(made.value());
}

}  // namespace boot
