#pragma once
// The machine file: TOML that overrides the defaults of MachineConfig.
//
//   [machine]
//   memory = "128MiB"              # 64MiB .. 3GiB, whole 2 MiB
//   seed = 1                       # 0 .. 2^63-1
//   gear = "fast"                  # or "exact"
//   processors = 1                 # 1 .. 8
//   board = "native"               # or "pc": what [boot] kernel makes it
//   clock = 1767225600             # Unix seconds that the PC's clock shows at first
//   [scheduler]
//   policy = "round-robin"         # or "random", "adversarial"
//   seed = 1                       # 0 .. 2^63-1
//   quantum = 50_000               # instructions of a slice
//   [boot]
//   disk = "disk.img"              # relative to the folder of this file
//   firmware = "firmware.efi"
//   kernel = "kernel.elf"          # Multiboot 1, on the PC board, in place of disk and firmware
//   initrd = "module.bin"
//   append = ""                    # its command line after the first word
//   hypervisorlaunchtype = "auto"  # or "off"
//   vsmlaunchtype = "auto"         # or "off"; "auto" needs hypervisorlaunchtype = "auto"
//   secure_boot = true
//   test_signing = false
//   hvci = "on"                    # or "off", "strict"; all but "off" need VSM
//   [limits]
//   instructions = 20_000_000_000  # 0 = no limit
#include <optional>
#include <string>
#include <string_view>

#include "sim/loader/machine_config.h"
#include "sim/support/result.h"

namespace loader {

/// Reads `path`. Messages begin with "path:line:column:" and say what would be allowed. With
/// hypervisorlaunchtype or vsmlaunchtype "off", the settings that need more follow to "off" unless
/// the file names them itself.
[[nodiscard]] support::Result<MachineConfig> read_machine_file(const std::string& path);

/// The same for text that is already in memory; `path` is for messages and for the folder of
/// relative paths.
[[nodiscard]] support::Result<MachineConfig> parse_machine_text(std::string_view text,
                                                                const std::string& path);

/// "64MiB" as bytes, if a machine may have so much memory: see minimum_memory and its neighbours.
[[nodiscard]] std::optional<uint64_t> parse_memory_size(std::string_view text);
/// What parse_memory_size() takes, in words.
[[nodiscard]] std::string allowed_memory_sizes();

/// Whether `text` may be MachineConfig::append.
[[nodiscard]] bool is_command_line(std::string_view text);

}  // namespace loader
