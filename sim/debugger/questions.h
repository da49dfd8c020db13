#pragma once
// Who wrote it last? Questions about the past of memory, registers, page-table entries and permissions.
#include <optional>
#include <string>

#include "mmu/slat.h"
#include "sim/debugger/timeline.h"

namespace debugger {

struct Answer {
  Hit hit;
  /// What was watched, as it was found: of a page-table or SLAT entry its address, else that of the first byte.
  Spa entry;
  /// What else happened at that instant: the hypercall, the interrupt, the fault. The one that says most.
  std::optional<trace::EventRecord> event;
};

/// Watches of [first, first + bytes), page by page; `bytes` from 1 on, inside RAM (else nothing).
[[nodiscard]] Conditions watch_spa(const machine::Machine& machine, Spa first, uint64_t bytes);
/// The same by the addresses that `vtl` uses, with `cr3` in place of its own if given, as they are mapped now. An error
/// names the first address that leads nowhere.
[[nodiscard]] support::Result<Conditions> watch_gpa(const machine::Machine& machine, Vtl vtl, Gpa first, uint64_t bytes);
[[nodiscard]] support::Result<Conditions> watch_gva(const machine::Machine& machine, Vtl vtl, std::optional<uint64_t> cr3,
                                                    Gva first, uint64_t bytes);

/// The last one that met one of `watches` before now; nothing if nobody did since the machine began.
[[nodiscard]] std::optional<Answer> last_write(Timeline& timeline, const Conditions& watches);
/// Who last gave the stage-1 entry of `level` (1: the page's own; 4: PML4) for `address` another content. What the processor
/// itself sets (A, D) does not count. Errors: no such entry now.
[[nodiscard]] support::Result<std::optional<Answer>> last_mapping_change(Timeline& timeline, Vtl vtl,
                                                                         std::optional<uint64_t> cr3, Gva address,
                                                                         uint8_t level = 1);

struct PermissionChange {
  Answer answer;
  mmu::SlatMapping before, after;  ///< as `vtl` has `gpa`
};
/// Who last gave `vtl` other rights to, or another page at `gpa` in the second stage. Errors: there is no second stage yet.
[[nodiscard]] support::Result<std::optional<PermissionChange>> last_permission_change(Timeline& timeline, Vtl vtl, Gpa gpa);

}  // namespace debugger
