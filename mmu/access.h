#pragma once
// What is attempted, where it lands, why it does not. Plain data; the only vocabulary between the
// MMU and its users.
#include <cstdint>

#include "abi/hv/vtl.h"
#include "abi/layout/address.h"
#include "sim/support/state_fields.h"

namespace mmu {

using abi::Gpa;
using abi::Gva;
using abi::Spa;

enum class AccessKind : uint8_t { Read, Write, Execute };

/// One attempt to touch one byte range inside one page.
struct Access {
  Gva address;
  AccessKind kind{AccessKind::Read};
  bool user{};                 ///< CPL 3 and not an implicit supervisor access
  bool implicit_supervisor{};  ///< the processor's own access (GDT, IDT, TSS): SMAP applies
                               ///< whatever AC says
};

/// Rights as stage 2 knows them: R, W, and execution by supervisor-mode and user-mode linear
/// addresses (section 8.1).
struct Rights {
  bool read{}, write{}, kernel_execute{}, user_execute{};
  STATE_FIELDS(read, write, kernel_execute, user_execute)
  friend constexpr bool operator==(const Rights&, const Rights&) = default;
};
inline constexpr Rights all_rights{true, true, true, true};

/// Where an access lands.
struct Translation {
  Spa spa;
  Gpa gpa;
  bool readable{}, writable{},
      executable{};  ///< for the privilege and mode of the access, both stages combined
  bool user_page{};  ///< U/S of the linear address: set in every level
  bool dirty{};      ///< the leaf's D bit is set: a write needs no further update
  bool global{};
  bool ram{true};  ///< false: the SPA belongs to a device
};

enum class FaultKind : uint8_t {
  NonCanonical,   ///< #GP(0), or #SS(0) for a stack access
  PageFault,      ///< #PF of stage 1, error_code as SDM figure 4-12
  SlatViolation,  ///< stage 2 denies: an intercept for the VTL that set the protection, or for the
                  ///< root
  GpaUnmapped,    ///< stage 2 maps nothing there, neither page nor "no access"
  SlatMisconfigured,  ///< a SLAT entry that no processor accepts (section 8.1): a fault of the
                      ///< host, not of the guest
};

/// Why an access does not land. `qualification` has the bits of an EPT violation (SDM table 28-7,
/// section 8.4).
struct Fault {
  FaultKind kind{FaultKind::PageFault};
  Gva address;               ///< the linear address of the access (CR2 for #PF)
  uint32_t error_code{};     ///< #PF only
  Gpa gpa;                   ///< of a fault in stage 2: the guest physical address that was refused
  uint64_t qualification{};  ///< SlatViolation, GpaUnmapped; abi::x64::ept_violation names the bits
  bool paging_structure{};  ///< stage 2 refused an access to a stage-1 paging structure, not to the
                            ///< final page
};

/// What translating gives: a Translation if `ok`, else a Fault. The other one has no meaning.
struct TranslationResult {
  bool ok{};
  Translation translation;
  Fault fault;
};

}  // namespace mmu
