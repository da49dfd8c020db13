// The code of a module as text: functions, source lines, instructions, and which of them ran.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "sim/container/output_file.h"
#include "sim/dump/dump.h"
#include "sim/loader/pe_image.h"
#include "sim/symbols/places.h"
#include "sim/symbols/structures.h"
#include "sim/symbols/type_table.h"
#include "sim/trace/disassembler.h"

namespace dump {
namespace {

using support::Error;
using support::Result;
using support::Status;
using support::Unit;

/// Lines of the source files that a PDB names, where they can be found.
class Sources {
 public:
  explicit Sources(const std::vector<std::string>& folders) : folders_{folders} {}

  /// Empty where it is not at hand.
  [[nodiscard]] std::string line(std::string_view file, uint32_t line) {
    const auto known = files_.find(file);
    const std::vector<std::string>& lines =
        known != files_.end() ? known->second : (files_[std::string{file}] = find(file));
    return line != 0 && line <= lines.size() ? lines[line - 1] : std::string{};
  }

 private:
  /// The file under the longest end of its path that exists in a folder.
  [[nodiscard]] std::vector<std::string> find(std::string_view file) const {
    std::string path{file};
    std::replace(path.begin(), path.end(), '\\', '/');
    if (path.find("..") != std::string::npos) return {};  // a PDB names no file outside the folders
    for (size_t at = 0; at != std::string::npos; at = path.find('/', at + 1)) {
      const std::string end = path.substr(at == 0 ? 0 : at + 1);
      for (const std::string& folder : folders_) {
        std::ifstream stream{folder + "/" + end};
        if (!stream) continue;
        std::vector<std::string> lines;
        for (std::string text; std::getline(stream, text);) lines.push_back(text);
        return lines;
      }
    }
    return {};
  }

  std::vector<std::string> folders_;
  std::map<std::string, std::vector<std::string>, std::less<>> files_;
};

class Listing {
 public:
  Listing(const Present& present, const loader::LoadedImage& image, const ListingOptions& options)
      : present_{present},
        image_{image},
        options_{options},
        sources_{options.source_folders},
        read_{symbols::reader_of(present.machine, present.vp, present.vtl,
                                 (image.base >> 63) != 0 || image.cr3 == 0 ? std::nullopt : std::optional{image.cr3})} {
  }

  Status write(container::OutputFile& file) {
    for (const auto& [rva, size] : TRY(code_ranges())) TRY(section(file, rva, size));
    return Unit{};
  }
  [[nodiscard]] std::string summary() const {
    if (!options_.coverage) return fmt::format("{} instructions of {}", instructions_, image_.name);
    return fmt::format(
        "{} of {} instructions of {} ran ({:.1f} %)", covered_, instructions_, image_.name,
        instructions_ == 0 ? 0.0 : 100.0 * static_cast<double>(covered_) / static_cast<double>(instructions_));
  }

 private:
  /// RVA and size of the executable sections, as the headers in memory say.
  [[nodiscard]] Result<std::vector<std::pair<uint32_t, uint32_t>>> code_ranges() const {
    std::vector<uint8_t> headers(abi::page_size);
    if (read_(image_.base, headers) != symbols::Reach::Read)
      return Error{fmt::format("the headers of {} cannot be read at {:#x}", image_.name, image_.base)};
    const auto field = [&](uint64_t at) { return loader::read_at<uint32_t>(headers, at).value_or(0); };
    const uint64_t pe = field(0x3c);
    const auto count = loader::read_at<uint16_t>(headers, pe + 6).value_or(0);
    const auto optional = loader::read_at<uint16_t>(headers, pe + 20).value_or(0);
    std::vector<std::pair<uint32_t, uint32_t>> out;
    for (uint64_t i = 0; i < count; ++i) {
      const auto section = loader::read_at<loader::pe::SectionHeader>(
          headers, pe + 24 + optional + i * sizeof(loader::pe::SectionHeader));
      if (!section) break;
      const uint64_t end = uint64_t{section->virtual_address} + section->virtual_size;
      if ((section->characteristics & loader::pe::section_execute) != 0 && end <= image_.size)
        out.emplace_back(section->virtual_address, section->virtual_size);
    }
    if (out.empty()) return Error{fmt::format("{} has no code in memory", image_.name)};
    return out;
  }

  Status section(container::OutputFile& file, uint32_t rva, uint32_t size) {
    std::vector<uint8_t> code(size);
    for (uint32_t at = 0; at < size; at += abi::page_size) {
      const std::span page{code.data() + at, std::min<size_t>(abi::page_size, size - at)};
      if (read_(image_.base + rva + at, page) != symbols::Reach::Read)
        return Error{fmt::format("the code of {} cannot be read at {:#x}", image_.name, image_.base + rva + at)};
    }
    for (uint32_t at = 0; at < size;) {
      std::string text = heading(rva + at) + source(rva + at);
      const uint32_t limit = std::min<uint32_t>(size - at, next_symbol(rva + at) - (rva + at));
      const std::span bytes{code.data() + at, limit};
      // Between functions there is nothing but INT3.
      const auto padding = static_cast<uint32_t>(
          std::find_if(bytes.begin(), bytes.end(), [](uint8_t b) { return b != 0xcc; }) - bytes.begin());
      if (padding == limit) {
        at += padding;
        continue;
      }
      at += instruction(rva + at, bytes, text);
      TRY(file.append({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
    }
    return Unit{};
  }

  [[nodiscard]] uint32_t next_symbol(uint32_t rva) const {
    const uint32_t end = static_cast<uint32_t>(image_.size);
    if (image_.symbols == nullptr) return end;
    const auto& all = image_.symbols->symbols();
    const auto next =
        std::upper_bound(all.begin(), all.end(), rva,
                         [](uint32_t value, const loader::PdbSymbol& symbol) { return value < symbol.rva; });
    return next == all.end() ? end : next->rva;
  }

  [[nodiscard]] std::string heading(uint32_t rva) const {
    if (image_.symbols == nullptr) return {};
    const auto symbol = image_.symbols->nearest(rva);
    return symbol && symbol->displacement == 0 ? fmt::format("\n{}:\n", symbol->name) : std::string{};
  }

  [[nodiscard]] std::string source(uint32_t rva) {
    if (image_.symbols == nullptr) return {};
    const auto line = image_.symbols->line(rva);
    if (!line || (line->line == line_ && line->file == file_)) return {};
    file_ = line->file;
    line_ = line->line;
    return fmt::format("; {}:{}  {}\n", loader::printable(line->file), line->line,
                       sources_.line(line->file, line->line));
  }

  uint32_t instruction(uint32_t rva, std::span<const uint8_t> bytes, std::string& text) {
    const uint64_t address = image_.base + rva;
    const trace::Instruction decoded =
        disassembler_.decode(64, address, bytes.first(std::min<size_t>(bytes.size(), 15)));
    const uint32_t length = std::max<uint32_t>(decoded.length, 1);
    std::string mark;
    if (options_.coverage && decoded.length != 0) {
      const uint64_t ran = options_.coverage(address);
      mark = ran == 0 ? "        -  " : fmt::format("{:9}  ", ran);
      covered_ += ran != 0 ? 1 : 0;
    }
    instructions_ += decoded.length != 0 ? 1 : 0;
    std::string raw;
    for (uint32_t i = 0; i < length; ++i) raw += fmt::format("{:02x}", bytes[i]);
    const std::string names =
        decoded.target ? "  ; " + symbols::place_at(present_.images, *decoded.target, image_.cr3).text : "";
    text += fmt::format("{}{:016x}  {:20}  {} {}{}\n", mark, address, raw,
                        decoded.length == 0 ? "??" : decoded.mnemonic, decoded.operands, names);
    return length;
  }

  const Present& present_;
  const loader::LoadedImage& image_;
  const ListingOptions& options_;
  Sources sources_;
  symbols::ReadMemory read_;
  trace::Disassembler disassembler_;
  std::string file_;
  uint32_t line_{};
  uint64_t instructions_{}, covered_{};
};

}  // namespace

Result<Written> write_listing(const Present& present, std::string_view module, const std::string& path,
                              const ListingOptions& options) {
  const auto& images = present.images.images();
  const auto image = std::find_if(images.rbegin(), images.rend(), [&](const loader::LoadedImage& one) {
    return symbols::matches_pattern(one.module, module) || symbols::matches_pattern(one.name, module);
  });
  if (image == images.rend())
    return Error{fmt::format("no module is called \"{}\"", loader::printable(module.substr(0, 64)))};
  container::OutputFile file = TRY(container::OutputFile::create(path));
  Listing listing{present, *image, options};
  const std::string head = fmt::format("; {} at {:#x}, {:#x} bytes, VTL {} at instant {}\n", image->name, image->base,
                                       image->size, static_cast<int>(present.vtl), present.machine.now().ticks);
  TRY(file.append({reinterpret_cast<const uint8_t*>(head.data()), head.size()}));
  TRY(listing.write(file));
  const std::string tail = "\n; " + listing.summary() + "\n";
  TRY(file.append({reinterpret_cast<const uint8_t*>(tail.data()), tail.size()}));
  Written out{file.size(), {path}, listing.summary()};
  TRY(file.close());
  return out;
}

}  // namespace dump
