#pragma once
// The registers as gdb numbers them. The order is QEMU's, which also EXDI's preset for QEMU expects.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace faces::gdb {

/// A register of the target description; its number is its place in registers().
struct RegisterRow {
  std::string_view name;    ///< gdb's
  std::string_view source;  ///< the interface's; of the last feature: what the stub itself knows
  uint16_t bits{};
  std::string_view type, group;
};

[[nodiscard]] std::span<const RegisterRow> registers();

/// Numbers of those that a stop reply carries along.
inline constexpr size_t rbp_number = 6, rsp_number = 7, rip_number = 16;

/// The feature of registers that are not a processor's: vtl, vp, instant, instructions.
inline constexpr std::string_view vsm_feature = "org.airlock.vsm";
[[nodiscard]] bool is_vsm_register(size_t number);

/// target.xml. Names no osabi "Windows": a gdb that was built for Linux refuses the whole description then.
[[nodiscard]] std::string target_xml();
/// All addresses are memory: gdb shall ask.
[[nodiscard]] std::string memory_map_xml();

/// Text with & < > ' " made harmless, and without what XML cannot hold.
[[nodiscard]] std::string xml_text(std::string_view text);

}  // namespace faces::gdb
