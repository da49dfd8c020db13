#pragma once
// A PE file as the loaders see it, as text or as one JSON object.
#include <string>

#include "sim/loader/authenticode.h"
#include "sim/loader/pe_directories.h"
#include "sim/loader/pe_map.h"

namespace cli {

/// Everything that can be read from one file.
struct PeFacts {
  explicit PeFacts(loader::PeImage parsed) : image{std::move(parsed)} {}
  loader::PeImage image;
  loader::MappedImage mapped;
  loader::ExportTable exports;
  std::vector<loader::ImportedModule> imports;
  size_t relocations{};
  loader::DebugInfo debug;
  std::optional<uint32_t> load_config_size;
  std::optional<loader::TrustletPolicy> policy;
  loader::Sha256 digest{};
  std::optional<loader::SignatureInfo> signature;
};

/// Reads all of it; the first thing that is wrong is the error. The result views `file`.
[[nodiscard]] support::Result<PeFacts> read_pe_facts(loader::Bytes file);

[[nodiscard]] std::string pe_text(const PeFacts& facts, const std::string& name);
[[nodiscard]] std::string pe_json(const PeFacts& facts, const std::string& name);

}  // namespace cli
