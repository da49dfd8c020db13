#pragma once
// Memory as somebody sees it, and why not where he does not. Nothing here changes the machine.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "sim/debugger/views/eye.h"

namespace debugger::views {

enum class Space : uint8_t {
  Gva,
  Gpa,            ///< through the second stage of the eye's VTL, with its rights
  GpaPrivileged,  ///< the same without looking at rights
  Spa,
};

enum class Reach : uint8_t {
  Readable,
  Denied,    ///< the second stage refuses this VTL
  Unmapped,  ///< nothing is there
  Device,    ///< reading would do something
};

/// A piece whose bytes are alike in how they can be reached.
struct MemoryPart {
  uint64_t offset{}, length{};  ///< of what was asked for
  Reach reach{};
  std::vector<uint8_t> bytes;   ///< where readable
  std::string why;              ///< where denied or unmapped: the rule
};

/// All of [address, address + length), in order; neighbours differ. It ends early where the address space does.
[[nodiscard]] std::vector<MemoryPart> read_memory(const Eye& eye, Space space, uint64_t address, uint64_t length);

/// Bytes up to the first that cannot be read.
[[nodiscard]] std::vector<uint8_t> readable_bytes(const Eye& eye, Space space, uint64_t address, uint64_t length);

struct Search {
  uint64_t address{}, length{};
  std::vector<uint8_t> pattern;  ///< not empty
  size_t maximum{};
};
struct Found {
  std::vector<uint64_t> addresses;  ///< ascending
  uint64_t skipped{};               ///< bytes that could not be read
  bool ended_early{};               ///< `maximum` were found, or `stop` said so
};
/// The addresses where the pattern begins, also across pages. `stop` is asked every page.
[[nodiscard]] Found search_memory(const Eye& eye, Space space, const Search& search, const std::function<bool()>& stop);

}  // namespace debugger::views
