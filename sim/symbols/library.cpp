#include "sim/symbols/library.h"

#include <fmt/format.h>

#include <filesystem>

#include "abi/boot/firmware_handoff.h"
#include "sim/loader/pdb_layout.h"
#include "sim/loader/pe_directories.h"

namespace symbols {
namespace {

namespace fs = std::filesystem;
using support::Error;
using support::Result;
using support::Status;
using support::Unit;

Status check_identity(const std::vector<uint8_t>& image_file, const loader::PdbLayout& layout) {
  const loader::PeImage image = TRY(loader::PeImage::parse(image_file));
  const loader::DebugInfo debug = TRY(loader::read_debug(image));
  if (!debug.pdb || debug.pdb->guid != layout.guid) return Error{"the PDB does not belong to the image"};
  return Unit{};
}

Status read_pdb(const std::string& path, const std::vector<uint8_t>& image_file, ImageSymbols& to) {
  const std::vector<uint8_t> bytes = TRY(loader::read_file(path));
  const loader::MsfFile msf = TRY(loader::MsfFile::parse(bytes));
  const loader::PdbLayout layout = TRY(loader::read_pdb_layout(msf));
  TRY(check_identity(image_file, layout));
  std::vector<uint8_t> types = TRY(msf.stream(loader::pdb_type_stream));
  to.types = TRY(TypeTable::parse(std::move(types)));
  to.functions = TRY(FunctionTable::parse(bytes));
  to.has_pdb = true;
  return Unit{};
}

}  // namespace

Status note_firmware(loader::ImageCatalog& images, const loader::MachineConfig& config) {
  if (config.board != loader::Board::Native) return Unit{};
  const std::vector<uint8_t> file = TRY(loader::read_file(config.firmware));
  const loader::PeImage image = TRY(loader::PeImage::parse(file));
  images.load(fs::path{config.firmware}.filename().string(), abi::boot::firmware_base,
              image.optional_header().size_of_image, 0);
  return Unit{};
}

const ImageSymbols& Library::of(const std::string& file_name) const {
  std::unique_ptr<ImageSymbols>& entry = entries_[file_name];
  if (entry != nullptr) return *entry;
  entry = std::make_unique<ImageSymbols>();
  if (fs::path{file_name}.filename() != file_name) return *entry;  // a name, never a way out of the folders
  const auto complain = [&](const std::string& message) {
    complaints_.push_back(fmt::format("{}: {}", loader::printable(file_name), message));
  };
  for (const std::string& folder : folders_) {
    const fs::path path = fs::path{folder} / file_name;
    std::error_code ignored;
    if (!fs::is_regular_file(path, ignored)) continue;
    const auto file = loader::read_file(path.string());
    if (!file) {
      complain(file.error().message);
      break;
    }
    if (auto unwind = UnwindTable::parse(file.value())) entry->unwind = std::move(unwind.value());
    else complain(unwind.error().message);
    const std::string pdb = fs::path{path}.replace_extension(".pdb").string();
    if (!fs::is_regular_file(pdb, ignored)) break;
    if (const Status read = read_pdb(pdb, file.value(), *entry); !read) {
      complain(read.error().message);
      entry->types = {};
      entry->functions = {};
    }
    break;
  }
  return *entry;
}

}  // namespace symbols
