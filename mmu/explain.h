#pragma once
// The whole two-dimensional walk of one access, reference by reference, with the rule that decided.
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "mmu/access.h"
#include "mmu/address_space.h"
#include "mmu/slat_tlb.h"

namespace mmu {

class Translator;

/// Which rule ended a walk (sections 5.2, 8.1 to 8.3).
enum class WalkRule : uint8_t {
  Granted,
  NonCanonical,       ///< bits 63:47 of the linear address differ
  NotPresent,         ///< P = 0
  ReservedBit,        ///< a reserved bit of a stage-1 entry is set
  SupervisorPage,     ///< user access, U/S = 0 in some level
  ReadOnlyPage,       ///< R/W = 0 in some level, and user access or CR0.WP
  NoExecutePage,      ///< XD in some level
  SmepFetch,          ///< supervisor fetch from a user page
  SmapAccess,         ///< supervisor data access to a user page without AC, or an implicit one
  SlatUnmapped,       ///< stage 2 maps nothing at the final GPA
  SlatNoRead,
  SlatNoWrite,
  SlatNoKernelExecute,
  SlatNoUserExecute,  ///< MBEC: a fetch from a user page
  TableUnmapped,      ///< stage 2 maps nothing at the GPA of a paging structure
  TableNotReadable,   ///< stage 2 denies the read of a stage-1 entry
  TableNotWritable,   ///< stage 2 denies the update of A or D
  SlatMisconfigured,  ///< a SLAT entry that no processor accepts
};

/// One short sentence.
[[nodiscard]] const char* describe(WalkRule rule);

/// One memory reference of a walk.
struct WalkReference {
  enum class Kind : uint8_t { Stage1, Stage2 };
  Kind kind{};
  uint8_t level{};   ///< 5 (PML5) or 4 (PML4) to 1 (page table), of its own stage
  Spa address;       ///< of the entry
  Gpa gpa;           ///< Stage1: of the entry. Stage2: the GPA under translation
  uint64_t value{};  ///< as read
  bool leaf{};
  bool present{};
};

/// References in the order in which a processor makes them (section 8.2): 24 with four levels in both stages, 29 with
/// five in the first.
struct WalkReport {
  static constexpr size_t max_references = 29;
  std::array<WalkReference, max_references> list{};
  uint8_t count{};
  WalkRule rule{};
  TranslationResult result;  ///< what translate() answers if the TLB has no entry
  std::optional<TlbEntry>
      cached;  ///< what the TLB has for the page; it may be stale where hardware may be
  [[nodiscard]] std::span<const WalkReference> references() const { return {list.data(), count}; }
};

/// Walks without changing anything. A and D that would be set are not, but the rights to set them
/// are checked.
[[nodiscard]] WalkReport explain(const Translator& translator, const AddressSpace& space,
                                 const Access& access);

/// The report as lines of text for a person; no colours, a newline after each line.
[[nodiscard]] std::string to_text(const WalkReport& report, const AddressSpace& space,
                                  const Access& access);

}  // namespace mmu
