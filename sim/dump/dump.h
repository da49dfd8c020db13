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
#include "vtl/instruction_observer.h"

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

/// Which instructions ran: how often, or 1 where only that is known. Empty: nothing is known.
using Coverage = std::function<uint64_t(uint64_t address)>;

/// Counts the instructions of one range of addresses, in a machine with GearSetting::Exact.
class CodeCoverage final : public vtl::InstructionObserver {
 public:
  /// `size` in bytes, at most 16 MiB. `vtl` and `cr3` restrict it to one world, `cr3` 0 to none.
  CodeCoverage(uint64_t base, uint64_t size, vtl::Vtl vtl, uint64_t cr3 = 0);
  void before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) override;
  [[nodiscard]] bool needs_floating_point() const override { return false; }
  /// Valid while this lives.
  [[nodiscard]] Coverage coverage() const;

 private:
  uint64_t base_;
  vtl::Vtl vtl_;
  uint64_t cr3_;
  std::vector<uint32_t> counts_;
};

/// What a file of `airlock export --format drcov` says of the module at `base`, by the file name of its image.
/// Refuses other files.
[[nodiscard]] support::Result<Coverage> read_drcov(const std::string& path, std::string_view image, uint64_t base);

struct ListingOptions {
  std::vector<std::string> source_folders;  ///< where to look for the source files that the PDB names
  Coverage coverage;                        ///< empty: none is shown
};
/// The disassembly of a module (LoadedImage::module or name), its source lines between.
[[nodiscard]] support::Result<Written> write_listing(const Present& present, std::string_view module,
                                                     const std::string& path, const ListingOptions& options = {});

}  // namespace dump
