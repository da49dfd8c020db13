#pragma once
// From a VMCALL to a handler and back: control word, row, copied input, handler, written output.
// Knows no policy.
#include <array>
#include <cstdint>
#include <span>

#include "abi/hv/hypercalls.h"
#include "mmu/translator.h"
#include "vtl/outcome.h"
#include "vtl/partition.h"

namespace vtl {

using abi::hv::CallCode;
using abi::hv::HvStatus;

class Hypervisor;

/// Who calls.
struct CallContext {
  Partition& partition;
  VpState& vp;
  VirtualProcessor& registers;
  Vtl vtl{};
  Instant now;
};

/// Selects a handler at compile time.
template <CallCode Code>
struct CallTag {};

/// What a handler answers: `completed` elements of the span it was given (rep calls). `wait`: the
/// call cannot be done now (a TLB lock) and is tried again.
struct CallResult {
  HvStatus status{HvStatus::Success};
  uint16_t completed{};
  bool wait{};
  bool yields{};  ///< others may run first
  CallResult(HvStatus s) : status{s} {}
  CallResult(HvStatus s, size_t elements) : status{s}, completed{static_cast<uint16_t>(elements)} {}
  static CallResult later() {
    CallResult result{HvStatus::Success};
    result.wait = true;
    result.yields = true;
    return result;
  }
};

/// The copied parameters of one call.
struct CallBlock {
  const uint8_t* header{};
  std::span<const uint64_t> variable;  ///< the variable header
  const uint8_t* elements{};
  uint8_t* output{};
  uint16_t count{};  ///< elements to do now
};

/// What one entry of the table does; made by the thunks of hypercall_table.cpp.
using CallThunk = CallResult (*)(Hypervisor&, const CallContext&, const CallBlock&);
using SwitchThunk = Outcome (*)(Hypervisor&, const CallContext&);

struct CallRow {
  const abi::hv::CallInfo* info{};
  CallThunk call{};
  SwitchThunk transfer{};  ///< Switch only
};
/// The row of a code, or null.
[[nodiscard]] const CallRow* find_row(uint16_t code);

/// How a dispatched call ended.
struct DispatchResult {
  enum class Kind : uint8_t {
    Completed,    ///< RAX is set; the instruction retires
    Unfinished,   ///< RCX is moved on; the instruction executes again
    InputDenied,  ///< stage 2 denies the caller the parameter page at `gpa`
    OutputDenied,
  };
  Kind kind{Kind::Completed};
  Gpa gpa{};
  bool yields{};  ///< the caller waits for others
};

class HypercallDispatcher {
 public:
  HypercallDispatcher(mmu::Translator& translator, uint16_t reps_per_entry)
      : translator_{translator}, reps_per_entry_{reps_per_entry} {}

  /// Only CPL 0 may call, in 64-bit or in 32-bit protected mode (TLFS 3.3, 3.7): not in real mode,
  /// not from a compatibility segment of a 64-bit system, which has neither register convention.
  [[nodiscard]] static bool may_call(const VirtualProcessor& vp);

  /// The control word: RCX, or EDX:EAX of a 32-bit caller.
  [[nodiscard]] static abi::hv::HypercallControl control(const VirtualProcessor& vp);

  /// The control of a VTL switch: RAX, or ECX of a 32-bit caller (section 4.2).
  [[nodiscard]] static uint64_t switch_control(const VirtualProcessor& vp);

  /// Dispatches the hypercall in the caller's registers, which is no VTL switch, to the handler of
  /// `row` (null: unknown). Results go to RAX or EDX:EAX (and the control word of an unfinished rep
  /// call), output to the caller's memory or XMM registers.
  DispatchResult dispatch(Hypervisor& hypervisor, const CallContext& context, const CallRow* row);

  /// The parameters that the last dispatch() captured: header and the elements of that entry; empty
  /// if it read none.
  [[nodiscard]] std::span<const uint8_t> captured() const { return {input_.data(), captured_}; }

 private:
  /// Where the parameters of a call are; sizes in bytes.
  struct Layout {
    uint32_t header{};  ///< with the variable header
    uint32_t element{}, output_element{};
    uint32_t input{}, output{};
    uint16_t count{}, start{};
    bool fast{};
    uint32_t output_at{};  ///< fast: offset in the register block
  };
  /// A parameter page as the caller named it.
  struct Page {
    Gpa gpa{};
    HvStatus status{HvStatus::Success};
    bool denied{};
  };
  [[nodiscard]] HvStatus check(const abi::hv::HypercallControl& word, const CallRow* row,
                               Vtl vtl, Layout& layout) const;
  [[nodiscard]] Page check_page(const CallContext& context, uint64_t gpa, uint32_t bytes,
                                bool write) const;
  DispatchResult run(Hypervisor& hypervisor, const CallContext& context, const CallRow& row,
                     const Layout& layout, abi::hv::HypercallControl word);
  void copy_in(const CallContext& context, const Layout& layout, uint16_t chunk, Gpa page);
  void copy_out(const CallContext& context, const Layout& layout, uint16_t completed, Gpa page);
  void load_registers(const VirtualProcessor& vp);
  void store_registers(VirtualProcessor& vp, uint32_t first, uint32_t bytes);

  mmu::Translator& translator_;
  uint16_t reps_per_entry_;
  uint32_t captured_{};  ///< bytes of input_
  alignas(16) std::array<uint8_t, abi::page_size> input_;
  alignas(16) std::array<uint8_t, abi::page_size> output_;
  alignas(16) std::array<uint8_t, abi::hv::xmm_fast_bytes> registers_;
};

}  // namespace vtl
