#pragma once
// The one inversion of the dependency rule: parts announce what happened, and nobody who listens can influence the run.
#include <cstdint>
#include <string_view>

#include "abi/hv/vtl.h"
#include "sim/support/instant.h"

namespace support {

enum class EventKind : uint8_t {
  Hypercall,         ///< a: control word (RCX), b: result (RAX); completed, not VtlCall or VtlReturn
  VtlCall,           ///< from `vtl` to the next higher; a: RBX (first 8 bytes of SKCALL), b: parameter 0
  VtlReturn,         ///< from `vtl` to the next lower; a: RBX, b: parameter 0; fast return: c = 1
  VtlInterruptEntry, ///< a higher VTL was entered by an interrupt or intercept; a: vector
  Intercept,         ///< a SLAT violation became a message; a: GVA, b: GPA, c: access (0 r, 1 w, 2 x)
  ProtectionChange,  ///< a: first GPA, b: pages, c: map flags
  VtlEnabled,        ///< a: target VTL, b: 0 partition, 1 VP
  Exception,         ///< a: vector, b: error code, c: CR2 for #PF
  Interrupt,         ///< a: vector
  SystemCall,        ///< a: RAX
  MsrWrite,          ///< a: MSR, b: value
  TlbFlush,          ///< a: CR3 or ~0, b: flags
  ImageLoaded,       ///< text: name; a: base GVA, b: size, c: CR3
  ImageUnloaded,     ///< as ImageLoaded
  ProcessCreated,    ///< text: image name; a: process id, b: CR3, c: secure handle or 0
  ProcessExited,     ///< as ProcessCreated, while its address space still stands
  DebugPrint,        ///< text
  Milestone,         ///< text
  HypervisorLaunched,
  PowerOff,
  TripleFault,
  Walk,              ///< only in traces recorded with cycles: a walk of the last instruction shown; a: GVA, b: GPA,
                     ///< c: access; text: the walk as sim/timing encodes it
};

/// Something that happened at an instant on a VP. `text` lives only during the call.
struct Event {
  Instant at;
  uint32_t vp{};
  abi::hv::Vtl vtl{};
  EventKind kind{};
  uint64_t a{}, b{}, c{};
  uint64_t rip{};
  /// The 0x68 bytes of SKCALL for VtlCall and VtlReturn; 13 words: RBX and XMM10..XMM15 (section 4.4).
  const uint64_t* frame{};
  std::string_view text{};
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on(const Event& event) = 0;
};

}  // namespace support
