#pragma once
// Functions of one PDB with their ranges, and the parameters and locals that they have at one instruction.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/loader/msf_file.h"
#include "sim/support/result.h"
#include "sim/symbols/type_table.h"

namespace loader {
struct PdbLayout;
}

namespace symbols {

struct Function {
  uint32_t rva{}, size{};   ///< bytes
  std::string_view name;    ///< qualified
  TypeIndex type{};
  uint32_t module{}, offset{};  ///< of its record: for locals()
};

/// Static and global data.
struct Datum {
  uint32_t rva{};
  std::string_view name;  ///< qualified; several may have one name
  TypeIndex type{};
};

/// Where a variable is at one instruction.
struct Local {
  enum class Where : uint8_t { Register, Memory, Nowhere };
  std::string_view name;
  TypeIndex type{};
  bool is_parameter{};
  Where where{};
  uint8_t reg{};          ///< Register: its number as vtl::Gpr. Memory: the base, likewise
  int64_t displacement{}; ///< Memory: from the base
  uint32_t inlined{};     ///< 0: of the function itself; else how deep the inlined function is that it belongs to
};

class FunctionTable {
 public:
  FunctionTable() = default;
  FunctionTable(FunctionTable&&) = default;
  FunctionTable& operator=(FunctionTable&&) = default;
  /// Reads the symbol streams of all modules. `pdb` is the whole file and is not kept.
  [[nodiscard]] static support::Result<FunctionTable> parse(loader::Bytes pdb);

  [[nodiscard]] const std::vector<Function>& functions() const { return functions_; }  ///< ascending by RVA
  [[nodiscard]] const std::vector<Datum>& data() const { return data_; }               ///< ascending by name
  /// The function whose range has `rva`; null if none.
  [[nodiscard]] const Function* at(uint32_t rva) const;
  /// All of that name: exactly, or by its last part, as loader::last_name_part has it.
  [[nodiscard]] std::vector<const Datum*> find_data(std::string_view name) const;
  /// In the order of their declaration, those of inlined functions after those of the function itself. Variables that
  /// the compiler removed, or that have no value at `rva`, are Nowhere.
  [[nodiscard]] std::vector<Local> locals(const Function& function, uint32_t rva) const;

 private:
  class Scope;
  [[nodiscard]] support::Status read_module(uint32_t module, const loader::PdbLayout& layout);

  std::vector<std::vector<uint8_t>> modules_;  ///< symbol records of each; the last has those of no module
  std::vector<uint32_t> sections_;             ///< RVA of each
  std::vector<Function> functions_;
  std::vector<Datum> data_;
};

}  // namespace symbols
