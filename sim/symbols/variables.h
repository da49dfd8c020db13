#pragma once
// Parameters and locals of a frame, with their values.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/symbols/library.h"
#include "sim/symbols/structures.h"
#include "sim/symbols/unwind.h"

namespace symbols {

struct Variable {
  std::string name, type;
  bool is_parameter{};
  uint32_t inlined{};                ///< 0: of the function itself; else how deep the inlined function is
  std::optional<std::string> value;  ///< "{...}" of a structure in memory, text behind what points to characters; "??" denied,
                                     ///< "--" unmapped; absent: what is nowhere at this instruction, or not known in this frame
  std::optional<uint64_t> number;    ///< of integers, pointers, enumerations
  std::optional<uint64_t> address;   ///< where it is in memory; a variable in a register has none
  std::string where;                 ///< "rcx", "rsp+0x30"; empty where it is nowhere
  bool lost{};                       ///< it depends on a register that this frame is not known to have had
  bool is_pointer{};
  const TypeTable* types{};          ///< of its image
  TypeIndex type_index{};
};

/// What the PDB of the frame's image says of them at the frame's instruction. Empty without a PDB. `read` reads the
/// memory of the frame's VTL, through its tables.
[[nodiscard]] std::vector<Variable> variables_of(const Frame& frame, const loader::ImageCatalog& images,
                                                 const Library& library, const ReadMemory& read);

}  // namespace symbols
