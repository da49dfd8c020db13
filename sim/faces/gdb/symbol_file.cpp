#include "sim/faces/gdb/symbol_file.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

namespace faces::gdb {
namespace {

constexpr uint64_t page = 4096;
/// Symbols of one module that are further apart belong to two images of that name.
constexpr uint64_t largest_image = 64 << 20;

/// A stretch of addresses that one module's symbols cover.
struct Image {
  uint64_t from{}, to{};
  std::string module;
};

std::string module_of(const Symbol& symbol) { return symbol.name.substr(0, symbol.name.find('!')); }

std::vector<Image> find_images(const std::vector<Symbol>& symbols) {
  std::map<std::string, std::vector<Image>> by_module;
  for (const Symbol& symbol : symbols) {
    auto& images = by_module[module_of(symbol)];
    const uint64_t from = symbol.address & ~(page - 1);
    if (images.empty() || symbol.address - images.back().from > largest_image)
      images.push_back({from, from, module_of(symbol)});
    images.back().to = from + page;
  }
  std::vector<Image> all;
  for (auto& [module, images] : by_module) all.insert(all.end(), images.begin(), images.end());
  std::sort(all.begin(), all.end(), [](const Image& a, const Image& b) { return a.from < b.from; });
  std::vector<Image> apart;
  for (Image& image : all)
    if (apart.empty() || image.from >= apart.back().to) apart.push_back(std::move(image));
  return apart;
}

/// Strings of a table, each once, by their offset.
class Strings {
 public:
  uint32_t add(const std::string& text) {
    const auto offset = static_cast<uint32_t>(bytes_.size());
    bytes_ += text;
    bytes_ += '\0';
    return offset;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_{std::string(1, '\0')};
};

/// Collects the parts of a file.
class Writer {
 public:
  template <class T>
  void add(const T& structure) { add(&structure, sizeof structure); }
  void add(const void* data, size_t size) {
    const auto* from = static_cast<const uint8_t*>(data);
    bytes_.insert(bytes_.end(), from, from + size);
  }
  void align() { bytes_.resize((bytes_.size() + 7) & ~size_t{7}); }
  [[nodiscard]] uint64_t size() const { return bytes_.size(); }
  [[nodiscard]] std::vector<uint8_t> take(const Elf64_Ehdr& header) {
    std::memcpy(bytes_.data(), &header, sizeof header);
    return std::move(bytes_);
  }

 private:
  std::vector<uint8_t> bytes_;
};

Elf64_Ehdr file_header() {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_ehsize = sizeof header;
  header.e_shentsize = sizeof(Elf64_Shdr);
  return header;
}

Elf64_Shdr section(uint32_t name, uint32_t type, uint64_t offset, uint64_t size) {
  Elf64_Shdr header{};
  header.sh_name = name;
  header.sh_type = type;
  header.sh_offset = offset;
  header.sh_size = size;
  header.sh_addralign = 1;
  return header;
}

/// No bytes: gdb reads code from the machine.
Elf64_Shdr image_section(const Image& image, uint32_t name) {
  Elf64_Shdr header = section(name, SHT_NOBITS, sizeof(Elf64_Ehdr), image.to - image.from);
  header.sh_flags = SHF_ALLOC | SHF_EXECINSTR;
  header.sh_addr = image.from;
  header.sh_addralign = page;
  return header;
}

/// "module!name" for "module!some::name"; empty for what is more than a name in namespaces.
std::string short_name(const std::string& name) {
  const size_t mark = name.find('!'), last = name.rfind("::");
  if (mark == std::string::npos || last == std::string::npos || last < mark) return {};
  const auto is_odd = [](char c) { return std::string_view{"<>()[]`' "}.find(c) != std::string_view::npos; };
  if (std::any_of(name.begin() + static_cast<std::ptrdiff_t>(mark), name.end(), is_odd)) return {};
  return name.substr(0, mark + 1) + name.substr(last + 2);
}

/// Adds what `symbols` are called without namespaces, where only one is called so.
void add_short_names(std::vector<Symbol>& symbols) {
  std::map<std::string, std::vector<uint64_t>> by_name;
  for (const Symbol& symbol : symbols) {
    const std::string name = short_name(symbol.name);
    if (!name.empty()) by_name[name].push_back(symbol.address);
  }
  for (const Symbol& symbol : symbols) by_name.erase(symbol.name);
  for (const auto& [name, addresses] : by_name)
    if (addresses.size() == 1) symbols.push_back({name, addresses.front()});
}

/// By address, each once.
void put_in_order(std::vector<Symbol>& symbols) {
  const auto key = [](const Symbol& symbol) { return std::tie(symbol.address, symbol.name); };
  std::sort(symbols.begin(), symbols.end(), [&](const Symbol& a, const Symbol& b) { return key(a) < key(b); });
  const auto same = [&](const Symbol& a, const Symbol& b) { return key(a) == key(b); };
  symbols.erase(std::unique(symbols.begin(), symbols.end(), same), symbols.end());
}

/// The symbols that lie in an image's section of the same module.
std::vector<Elf64_Sym> symbol_table(const std::vector<Symbol>& symbols, const std::vector<Image>& images,
                                    Strings& names) {
  std::vector<Elf64_Sym> table(1);
  for (const Symbol& symbol : symbols) {
    const auto after = std::upper_bound(images.begin(), images.end(), symbol.address,
                                        [](uint64_t address, const Image& image) { return address < image.from; });
    if (after == images.begin()) continue;
    const Image& image = *std::prev(after);
    if (symbol.address >= image.to || image.module != module_of(symbol)) continue;
    Elf64_Sym entry{};
    entry.st_name = names.add(symbol.name);
    entry.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC);
    entry.st_shndx = static_cast<uint16_t>(after - images.begin());  // section 0 is none
    entry.st_value = symbol.address;
    table.push_back(entry);
  }
  return table;
}

}  // namespace

std::vector<uint8_t> symbol_file(std::vector<Symbol> symbols) {
  put_in_order(symbols);
  add_short_names(symbols);
  put_in_order(symbols);
  const std::vector<Image> images = find_images(symbols);
  Strings section_names, names;
  std::vector<Elf64_Shdr> sections(1);
  for (const Image& image : images) sections.push_back(image_section(image, section_names.add("." + image.module)));
  const std::vector<Elf64_Sym> table = symbol_table(symbols, images, names);

  Elf64_Ehdr header = file_header();
  Writer writer;
  writer.add(header);
  const uint64_t table_at = writer.size();
  writer.add(table.data(), table.size() * sizeof table[0]);
  const uint64_t names_at = writer.size();
  writer.add(names.bytes().data(), names.bytes().size());
  Elf64_Shdr symtab = section(section_names.add(".symtab"), SHT_SYMTAB, table_at, table.size() * sizeof table[0]);
  symtab.sh_link = static_cast<uint32_t>(sections.size() + 1);
  symtab.sh_info = 1;  // the first that is not local
  symtab.sh_addralign = 8;
  symtab.sh_entsize = sizeof table[0];
  sections.push_back(symtab);
  sections.push_back(section(section_names.add(".strtab"), SHT_STRTAB, names_at, names.bytes().size()));
  const uint32_t own_name = section_names.add(".shstrtab");
  sections.push_back(section(own_name, SHT_STRTAB, writer.size(), section_names.bytes().size()));
  writer.add(section_names.bytes().data(), section_names.bytes().size());
  writer.align();
  header.e_shoff = writer.size();
  header.e_shnum = static_cast<uint16_t>(sections.size());
  header.e_shstrndx = static_cast<uint16_t>(sections.size() - 1);
  writer.add(sections.data(), sections.size() * sizeof sections[0]);
  return writer.take(header);
}

}  // namespace faces::gdb
