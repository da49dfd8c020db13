#pragma once
// A second implementation of the two-dimensional walk, slow and written from the rules as prose, that shares no code with
// mmu/: bits are numbered, rights are sets of letters, levels are recursion. For comparison only.
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "mmu/access.h"
#include "mmu/address_space.h"

namespace reference {

/// Raw memory: 8 bytes at an SPA, all ones outside RAM.
struct Ram {
  const uint8_t* bytes;
  uint64_t size;
  uint64_t word(uint64_t spa) const;
  uint64_t half_word(uint64_t spa) const;  ///< 4 bytes
};

struct Input {
  Ram ram;
  uint64_t cr0, cr3, cr4, efer;
  bool alignment_check, mbec;
  std::optional<uint64_t> slat_root;
  unsigned physical_bits;
  uint64_t address;
  char kind;  ///< r, w, x
  bool user, implicit;
  std::array<uint64_t, 4> pdpte{};
};

enum class End { Lands, NonCanonical, PageFault, Violation, Unmapped, Misconfigured };

struct Update {
  uint64_t spa, set_bits;
};

struct Output {
  End end{};
  uint64_t spa{}, gpa{};
  uint64_t error_code{}, qualification{};
  bool paging_structure{};
  std::set<char> grants;        ///< of r, w, x; w only if dirty
  std::vector<Update> updates;  ///< A and D, in order; those before a refused one included
  unsigned references{};
};

Output walk(const Input& input);

}  // namespace reference
