#pragma once
// What files say about images: types, functions, unwind data. One entry per file name, read when it is first asked for.
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loader/image_catalog.h"
#include "sim/loader/machine_config.h"
#include "sim/symbols/functions.h"
#include "sim/symbols/type_table.h"
#include "sim/symbols/unwind.h"

namespace symbols {

/// Of one image file and the PDB beside it. What could not be read is empty.
struct ImageSymbols {
  TypeTable types;
  FunctionTable functions;
  UnwindTable unwind;
  bool has_pdb{};
};

/// Not for several threads at once: files are read on demand.
class Library {
 public:
  /// Looks for images in these folders, the first that has one wins, as loader::ImageCatalog does.
  explicit Library(std::vector<std::string> folders = {}) : folders_{std::move(folders)} {}

  /// By the file name of an image, as LoadedImage::name has it; never null, stays where it is.
  [[nodiscard]] const ImageSymbols& of(const std::string& file_name) const;
  /// What could not be used and why, one sentence each.
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }
  void forget() { entries_.clear(); complaints_.clear(); }

 private:
  std::vector<std::string> folders_;
  mutable std::map<std::string, std::unique_ptr<ImageSymbols>> entries_;
  mutable std::vector<std::string> complaints_;
};

/// The firmware lies in memory from reset on and announces nothing: notes it in `images`. Nothing happens where
/// `config` has a kernel instead. Errors: its file cannot be read.
support::Status note_firmware(loader::ImageCatalog& images, const loader::MachineConfig& config);

}  // namespace symbols
