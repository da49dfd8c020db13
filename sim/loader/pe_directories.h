#pragma once
// What a PE image's data directories say. Each reader checks its own directory in full and answers
// with a message that names the place of the first thing that is wrong. An absent directory is an
// empty answer, not an error.
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/loader/pe_image.h"

namespace loader {

struct PeExport {
  uint32_t ordinal{};     ///< as importers name it, with the directory's base added
  std::string name;       ///< empty where it is exported by ordinal only
  uint32_t rva{};         ///< of the code or data; of the forwarder's text where there is one
  std::string forwarder;  ///< "MODULE.Name" or "MODULE.#ordinal"
};

struct ExportTable {
  std::string module;             ///< the name that the image gives itself
  std::vector<PeExport> entries;  ///< by ordinal; an aliased ordinal appears once per name
};
[[nodiscard]] support::Result<ExportTable> read_exports(const PeImage& image);

struct PeImport {
  std::string name;  ///< empty where `ordinal` counts
  uint16_t ordinal{};
  uint16_t hint{};
  uint32_t address_rva{};  ///< the slot of the import address table that the loader fills
};

struct ImportedModule {
  std::string module;
  std::vector<PeImport> imports;
};
[[nodiscard]] support::Result<std::vector<ImportedModule>> read_imports(const PeImage& image);

/// RVAs of the 8-byte addresses to rebase (type DIR64), in the file's order. Any other type but
/// padding is refused.
[[nodiscard]] support::Result<std::vector<uint32_t>> read_relocations(const PeImage& image);

/// The link to the PDB (CodeView "RSDS").
struct PdbReference {
  std::array<uint8_t, 16> guid{};
  uint32_t age{};
  std::string path;
};
struct DebugEntry {
  uint32_t type{}, size{}, rva{}, file_offset{};
};
struct DebugInfo {
  std::vector<DebugEntry> entries;
  std::optional<PdbReference> pdb;
};
[[nodiscard]] support::Result<DebugInfo> read_debug(const PeImage& image);
/// "{00112233-4455-6677-8899-AABBCCDDEEFF}".
[[nodiscard]] std::string format_guid(const std::array<uint8_t, 16>& guid);

/// The size that the load configuration gives itself, its version (SDK
/// IMAGE_LOAD_CONFIG_DIRECTORY64.Size).
[[nodiscard]] support::Result<std::optional<uint32_t>> read_load_config_size(const PeImage& image);

/// One WIN_CERTIFICATE of the security directory.
struct AttributeCertificate {
  uint16_t revision{}, type{};
  uint32_t file_offset{};
  Bytes data;  ///< views the file; what follows the 8-byte header, padding included
};
[[nodiscard]] support::Result<std::vector<AttributeCertificate>> read_certificates(
    const PeImage& image);

/// IMAGE_POLICY_ENTRY and IMAGE_POLICY_METADATA of a trustlet (section 7.10).
struct TrustletPolicyEntry {
  uint32_t type{}, policy_id{};
  uint64_t value{};  ///< or a pointer at the preferred base, for the string and GUID types
};
struct TrustletPolicy {
  uint8_t version{};
  uint64_t application_id{};  ///< the trustlet id
  std::vector<TrustletPolicyEntry> entries;
};
/// From the exported s_IumPolicyMetadata or else the start of the section .tpolicy (any case);
/// nothing if it has neither.
[[nodiscard]] support::Result<std::optional<TrustletPolicy>> read_trustlet_policy(
    const PeImage& image);
[[nodiscard]] std::string_view trustlet_policy_name(uint32_t policy_id);

}  // namespace loader
