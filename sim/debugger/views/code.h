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
  std::optional<uint64_t> beginning;  ///< of the function, where it is known: instructions before begin there
};
inline constexpr size_t maximum_before = 1024;

/// 64, 32 or 16, as the eye's VTL executes.
[[nodiscard]] uint8_t code_bits(const Eye& eye);
/// Ascending. Instructions have no fixed length: what stands before the address is the sequence that ends there and begins
/// at the function, else the longest one that does.
[[nodiscard]] std::vector<CodeLine> disassemble(const Eye& eye, trace::Disassembler& disassembler, const CodeRequest& request);

}  // namespace debugger::views
