#pragma once
// Memory as instructions, also before an address.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/debugger/views/eye.h"
#include "sim/trace/disassembler.h"

namespace debugger::views {

struct CodeLine {
  uint64_t address{};
  std::vector<uint8_t> bytes;      ///< empty where memory cannot be read
  std::string text;                ///< "??" for what is no instruction
  std::optional<uint64_t> target;  ///< the constant address that it names
};

struct CodeRequest {
  uint64_t address{};
  size_t count{};                     ///< from the address on
  size_t before{};                    ///< at most maximum_before
  std::vector<uint64_t> beginnings{};  ///< of functions before the address, ascending, where they are known
};
inline constexpr size_t maximum_before = 1024;

/// 64, 32 or 16, as the eye's VTL executes.
[[nodiscard]] uint8_t code_bits(const Eye& eye);
/// Ascending. Instructions have no fixed length: what stands before the address is what follows from the beginnings of
/// functions, else the longest sequence that ends there.
[[nodiscard]] std::vector<CodeLine> disassemble(const Eye& eye, trace::Disassembler& disassembler, const CodeRequest& request);

}  // namespace debugger::views
