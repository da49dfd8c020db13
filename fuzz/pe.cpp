// The PE parser and everything that reads a PE through it, as the loaders and `airlock pe` do.
#include <cstdlib>

#include "sim/loader/authenticode.h"
#include "sim/loader/pe_directories.h"
#include "sim/loader/pe_map.h"
#include "sim/loader/symbol_table.h"

namespace {

/// What was accepted must hold together; a broken promise is a crash that the fuzzer sees.
void require(bool promise) {
  if (!promise) std::abort();
}

void check_mapping(const loader::PeImage& image) {
  // A small image only: clearing a large one again and again would only cost time.
  if (image.optional_header().size_of_image > (1u << 20)) return;
  const auto mapped = loader::map_image(image, 0xfffff80000000000);
  if (!mapped) return;
  require(mapped.value().bytes.size() >= image.optional_header().size_of_image);
  for (const auto& range : mapped.value().ranges)
    require(uint64_t{range.rva} + range.size <= mapped.value().bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const loader::Bytes file{data, size};
  const auto parsed = loader::PeImage::parse(file);
  if (!parsed) {
    require(!parsed.error().message.empty());
    return 0;
  }
  const loader::PeImage& image = parsed.value();
  check_mapping(image);
  const auto exports = loader::read_exports(image);
  if (exports)
    for (const auto& entry : exports.value().entries)
      require(entry.rva < image.optional_header().size_of_image);
  static_cast<void>(loader::read_imports(image));
  static_cast<void>(loader::read_relocations(image));
  static_cast<void>(loader::read_debug(image));
  static_cast<void>(loader::read_load_config_size(image));
  static_cast<void>(loader::read_trustlet_policy(image));
  static_cast<void>(loader::authenticode_digest(image));
  static_cast<void>(loader::page_hashes(image));
  static_cast<void>(loader::read_signature(image));
  const auto symbols = loader::SymbolTable::make(image, nullptr);
  if (symbols) static_cast<void>(symbols.value().nearest(0x1234));
  return 0;
}
