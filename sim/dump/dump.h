#pragma once
// A machine's present as files of other tools.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loader/image_catalog.h"
#include "sim/machine/machine.h"
#include "sim/support/result.h"
#include "sim/symbols/library.h"

namespace dump {

/// One moment, and the names of it. Nothing of it changes.
struct Present {
  machine::Machine& machine;
  uint32_t vp{};
  vtl::Vtl vtl{};
  const loader::ImageCatalog& images;
  const symbols::Library& library;
};

/// What was written.
struct Written {
  uint64_t bytes{};
  std::vector<std::string> files;  ///< the file asked for, then what stands beside it
  std::string text;                ///< a sentence: what is in it
};

struct KernelDumpOptions {
  bool everything{};  ///< also pages that VTL 0 may not read, which are zero otherwise and listed in a file beside it
  bool secure_kernel{};  ///< VTL 1's registers and tables instead. Experimental: no debugger is known to load it
};
/// A 64-bit full kernel dump (DUMP_HEADER64, physical runs): for WinDbg and whoever reads its files.
[[nodiscard]] support::Result<Written> write_kernel_dump(const Present& present, const std::string& path,
                                                         const KernelDumpOptions& options = {});
/// An ELF core of the address space that the VTL has at present: for gdb.
[[nodiscard]] support::Result<Written> write_core(const Present& present, const std::string& path);

/// Tells how often the instruction at an address was executed; which ones is all that matters to a block list (then 1).
using Coverage = std::function<uint64_t(uint64_t address)>;
struct ListingOptions {
  std::vector<std::string> source_folders;  ///< where to look for the source files that the PDB names
  Coverage coverage;                        ///< empty: none is shown
};
/// The disassembly of a module (LoadedImage::module or name), its source lines between.
[[nodiscard]] support::Result<Written> write_listing(const Present& present, std::string_view module,
                                                     const std::string& path, const ListingOptions& options = {});

}  // namespace dump
