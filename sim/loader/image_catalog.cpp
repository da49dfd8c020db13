#include "sim/loader/image_catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace loader {
namespace {

using support::Result;

constexpr size_t maximum_images =
    4096;  // a guest that announces without end must not eat the host's memory
constexpr uint64_t upper_half = uint64_t{1} << 63;

/// A guest's text as a plain file name: no folders, nothing but what names of images consist of;
/// else empty.
std::string safe_file_name(std::string_view text) {
  const size_t slash = text.find_last_of("/\\");
  if (slash != std::string_view::npos) text = text.substr(slash + 1);
  const bool plain = !text.empty() && text.size() <= 64 && text[0] != '.' &&
                     std::all_of(text.begin(), text.end(), [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
                     });
  return plain ? std::string{text} : std::string{};
}

std::string module_name(const std::string& file_name) {
  const std::string stem = file_name.substr(0, file_name.find_last_of('.'));
  return stem == "ntoskrnl" ? "nt" : stem;
}

Result<SymbolTable> load_with_pdb(const PeImage& image, const std::string& path) {
  const std::vector<uint8_t> bytes = TRY(read_file(path));
  const PdbFile pdb = TRY(read_pdb(bytes));
  return SymbolTable::make(image, &pdb);
}

/// With the exports alone where the PDB cannot be used; `complaint` says why then.
Result<SymbolTable> load_symbols(const std::filesystem::path& path, std::string& complaint) {
  const std::vector<uint8_t> bytes = TRY(read_file(path.string()));
  const PeImage image = TRY(PeImage::parse(bytes));
  std::filesystem::path pdb_path = path;
  pdb_path.replace_extension(".pdb");
  std::error_code ignored;
  if (!std::filesystem::exists(pdb_path, ignored)) return SymbolTable::make(image, nullptr);
  Result<SymbolTable> loaded = load_with_pdb(image, pdb_path.string());
  if (loaded) return loaded;
  complaint = loaded.error().message;
  return SymbolTable::make(image, nullptr);
}

/// The PDB's name of a source file from the folder of this repository on: "C:\\x\\y\\mmu\\a.h" ->
/// "mmu/a.h".
std::string source_path(std::string_view file) {
  std::string path{file};
  std::replace(path.begin(), path.end(), '\\', '/');
  size_t start = std::string::npos;
  for (const std::string_view root : {"/images/", "/securekernel/", "/iumdll/", "/vtl/abi/"})
    start = std::min(start, path.find(root));
  return printable(start == std::string::npos ? path : path.substr(start + 1));
}

}  // namespace

const SymbolTable* ImageCatalog::symbols_of(const std::string& name) {
  const auto known = tables_.find(name);
  if (known != tables_.end()) return known->second.get();
  std::unique_ptr<SymbolTable>& table = tables_[name];
  for (const std::string& folder : folders_) {
    const std::filesystem::path path = std::filesystem::path{folder} / name;
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(path, ignored)) continue;
    std::string complaint;
    Result<SymbolTable> loaded = load_symbols(path, complaint);
    if (loaded) table = std::make_unique<SymbolTable>(std::move(loaded.value()));
    else complaint = loaded.error().message;
    if (!complaint.empty()) {
      const std::string_view instead = loaded ? "only the exports" : "no symbols";
      complaints_.push_back(fmt::format("{} for {}: {}", instead, name, complaint));
    }
    break;
  }
  return table.get();
}

void ImageCatalog::load(std::string_view name, uint64_t base, uint64_t size, uint64_t cr3, abi::hv::Vtl vtl) {
  const std::string file_name = safe_file_name(name);
  if (file_name.empty() || images_.size() >= maximum_images) return;
  images_.push_back({file_name, module_name(file_name), base, size, cr3, vtl, symbols_of(file_name)});
}

void ImageCatalog::unload(std::string_view name, uint64_t base) {
  const std::string file_name = safe_file_name(name);
  const auto gone = std::find_if(images_.rbegin(), images_.rend(), [&](const LoadedImage& image) {
    return image.base == base && image.name == file_name;
  });
  if (gone != images_.rend()) images_.erase(std::next(gone).base());
}

const LoadedImage* ImageCatalog::find(uint64_t address, uint64_t cr3) const {
  const LoadedImage* best = nullptr;
  for (auto image = images_.rbegin(); image != images_.rend(); ++image) {
    if (address < image->base || address - image->base >= image->size) continue;
    if ((address & upper_half) != 0 || cr3 == 0 || image->cr3 == cr3) return &*image;
    if (best == nullptr) best = &*image;
  }
  return best;
}

std::string ImageCatalog::describe(uint64_t address, uint64_t cr3) const {
  const LoadedImage* image = find(address, cr3);
  if (image == nullptr) return {};
  const uint64_t offset = address - image->base;
  if (image->symbols != nullptr && offset <= 0xffffffff) {
    if (const auto place = image->symbols->nearest(static_cast<uint32_t>(offset))) {
      if (place->displacement == 0) return fmt::format("{}!{}", image->module, place->name);
      return fmt::format("{}!{}+{:#x}", image->module, place->name, place->displacement);
    }
  }
  return fmt::format("{}+{:#x}", image->module, offset);
}

std::string ImageCatalog::source_line(uint64_t address, uint64_t cr3) const {
  const LoadedImage* image = find(address, cr3);
  if (image == nullptr || image->symbols == nullptr || address - image->base > 0xffffffff)
    return {};
  const auto line = image->symbols->line(static_cast<uint32_t>(address - image->base));
  return line ? fmt::format("{}:{}", source_path(line->file), line->line) : std::string{};
}

}  // namespace loader
