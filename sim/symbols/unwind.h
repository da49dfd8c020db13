#pragma once
// Stacks: from the innermost frame out, through .pdata and .xdata (x64 exception handling, UNWIND_INFO versions 1 and
// 2), trap frames, system calls and the other VTL of a processor.
//
// Code without .pdata is a leaf by the rules of x64, and the assembly of kernels is often neither: then the function is
// followed forwards, instruction by instruction and without effects, to its RET, IRET or SYSRET, which gives the
// caller. Frames found so are not trusted.
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "abi/layout/address.h"
#include "sim/loader/byte_view.h"
#include "sim/support/result.h"
#include "vtl/virtual_processor.h"

namespace loader {
class ImageCatalog;
}
namespace machine {
class Machine;
}

namespace symbols {

class Library;

/// .pdata and .xdata of one image.
class UnwindTable {
 public:
  UnwindTable() = default;
  /// `image` is the file of a PE image. One without .pdata has an empty table; a malformed one is refused.
  [[nodiscard]] static support::Result<UnwindTable> parse(loader::Bytes image);

  /// RUNTIME_FUNCTION, as RVAs.
  struct Entry {
    uint32_t begin{}, end{}, unwind{};
  };
  [[nodiscard]] const Entry* find(uint32_t rva) const;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }  ///< ascending, disjoint
  /// Bytes of the image as it is mapped, read from the file; fewer where there are none.
  [[nodiscard]] loader::Bytes bytes(uint32_t rva, size_t count) const;

 private:
  /// Bytes of the file that are mapped at an RVA.
  struct Part {
    uint32_t rva{}, offset{}, size{};
  };
  std::vector<Entry> entries_;
  std::vector<Part> parts_;  ///< headers and sections, ascending
  std::vector<uint8_t> file_;
};

/// The registers that a frame had.
struct FrameRegisters {
  std::array<uint64_t, vtl::gpr_count> gpr{};  ///< with RSP
  uint64_t rip{};
  uint16_t known{0xffff};  ///< bit per general register: volatile ones are lost in outer frames
  /// What GS and SWAPGS lead to, for entry code that fetches its stack from there. 0: not known.
  uint64_t gs_base{}, kernel_gs_base{};
};

/// How the frame inside a frame was entered, as record Frame of sim/rpc/methods.def has it.
enum class Entered : uint8_t { Call, Interrupt, SystemCall, VtlCall, VtlReturn, Start };
[[nodiscard]] std::string_view word_of(Entered entered);  ///< "call", "system_call" ...

struct Frame {
  uint32_t index{};
  vtl::Vtl vtl{};
  uint8_t ring{};
  uint64_t cr3{};
  FrameRegisters registers;  ///< when it is the innermost; RIP is where it goes on
  Entered entered{Entered::Start};  ///< of frame 0: Start
  bool trusted{true};

  [[nodiscard]] uint64_t pc() const { return registers.rip; }
  [[nodiscard]] uint64_t sp() const { return registers.gpr[vtl::Rsp]; }
  [[nodiscard]] bool knows(uint8_t gpr) const { return (registers.known >> gpr & 1) != 0; }
};

struct Stack {
  std::vector<Frame> frames;  ///< never empty
  std::string why;            ///< a sentence: why it ends there
};

/// What the unwinder asks for.
struct UnwindWorld {
  /// Memory of `vtl` through the tables at `cr3`; false if any of it cannot be read.
  std::function<bool(vtl::Vtl vtl, uint64_t cr3, abi::Gva address, std::span<uint8_t> to)> read;
  /// The image at an address, and where it begins; nothing if none is known.
  struct Code {
    uint64_t base{};
    const UnwindTable* table{};
  };
  std::function<std::optional<Code>(vtl::Vtl vtl, uint64_t cr3, uint64_t address)> code;
  /// Where a stack goes on that ends in `vtl`: the world that waits for it, as its innermost frame; nothing if none
  /// does.
  std::function<std::optional<Frame>(vtl::Vtl vtl)> beyond;
};

/// The caller of `frame`, or why there is none.
[[nodiscard]] support::Result<Frame> unwind_once(const Frame& frame, const UnwindWorld& world);
/// All frames, at most `maximum`; `innermost` is frame 0.
[[nodiscard]] Stack unwind(const Frame& innermost, const UnwindWorld& world, size_t maximum);

/// The stack of one processor as `vtl` has it: where it is, or where it will go on. `images` must be as of this moment.
[[nodiscard]] Stack stack_of(const machine::Machine& machine, uint32_t vp, vtl::Vtl vtl,
                             const loader::ImageCatalog& images, const Library& library, size_t maximum);

}  // namespace symbols
