#pragma once
// What a recording says about its run in META: configuration, images, machine, engine. No path of the host, no time.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/loader/machine_config.h"
#include "sim/loader/sha256.h"
#include "sim/machine/machine.h"
#include "sim/support/events.h"
#include "sim/support/result.h"

namespace replay {

struct ImageFacts {
  loader::Sha256 hash{};
  uint64_t size{};
  friend bool operator==(const ImageFacts&, const ImageFacts&) = default;
};

/// A file on the guest's disk.
struct FileFacts {
  std::string path;
  ImageFacts image;
  friend bool operator==(const FileFacts&, const FileFacts&) = default;
};

struct Facts {
  uint32_t semantics{};      ///< machine::semantics_version
  std::string engine;        ///< cpu::engine_name()
  std::string program;       ///< version of the program that recorded; for people
  loader::MachineConfig config;  ///< all paths are empty: where files lie is no fact of a run
  uint64_t point_interval{}; ///< instructions between two points
  bool embedded{};           ///< the images are in the file
  ImageFacts firmware;       ///< or the kernel of a PC board
  std::optional<ImageFacts> disk, initrd;
  std::vector<FileFacts> files;
  /// The file's numbers of event kinds in today's words.
  std::vector<std::optional<support::EventKind>> kinds;
};

/// The facts of a run of this program.
[[nodiscard]] Facts facts_of(const loader::MachineConfig& config, const machine::MachineParts& parts);

[[nodiscard]] std::string to_meta(const Facts& facts);
[[nodiscard]] support::Result<Facts> parse_meta(loader::Bytes meta);

/// Why this program cannot replay such a run; empty if it can.
[[nodiscard]] std::string mismatch(const Facts& facts);
/// Why `parts` are not what was recorded; empty if they are.
[[nodiscard]] std::string mismatch(const Facts& facts, const machine::MachineParts& parts);

/// The configuration as a machine file says it, one line per section; equal configurations have equal text.
[[nodiscard]] std::string canonical(const loader::MachineConfig& config);

[[nodiscard]] std::string to_hex(const loader::Sha256& hash);

}  // namespace replay
