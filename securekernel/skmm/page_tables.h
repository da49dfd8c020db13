#pragma once
// VTL 1's own page tables. NTOS's tables decide nothing here: the secure kernel never runs on them.
#include "abi/x64/paging.h"
#include "ke/base.h"

namespace sk {

/// What a mapping allows. Writable and executable together do not exist.
enum class Protection : uint8_t { ReadOnly, ReadWrite, ReadExecute };

/// The kernel half, shared by every address space of VTL 1 (PML4 slots 256..511).
extern uint64_t SkmmKernelRoot;

/// Maps one 4 KiB page; tables are made as needed. NoMemory when there is none left for a table.
NtStatus SkmmMapPage(uint64_t root, uint64_t address, uint64_t physical, Protection protection, bool user);
/// Maps 2 MiB of the direct window.
NtStatus SkmmMapLargePage(uint64_t root, uint64_t address, uint64_t physical);
/// Changes a page that is mapped; NotFound otherwise.
NtStatus SkmmProtectPage(uint64_t root, uint64_t address, Protection protection);
/// Removes a page; returns its physical address or ~0.
uint64_t SkmmUnmapPage(uint64_t root, uint64_t address);
/// Entry of the lowest level, or 0.
uint64_t SkmmQueryPage(uint64_t root, uint64_t address);

/// A root with the kernel half and an empty user half; 0 if no memory is left.
uint64_t SkmmCreateRoot();
/// Frees the tables of the user half and the root. The pages that were mapped are not touched.
void SkmmDeleteRoot(uint64_t root);

}  // namespace sk
