#include "sim/cli/pe_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "sim/trace/json_text.h"

namespace cli {
namespace {

using loader::printable;
using support::Result;

std::string hex(loader::Bytes bytes) {
  std::string text;
  for (const uint8_t byte : bytes)
    text += fmt::format("{:02x}", byte);
  return text;
}

std::string_view subsystem_name(uint16_t subsystem) {
  switch (subsystem) {
    case 1:
      return "native";
    case 2:
      return "Windows GUI";
    case 3:
      return "Windows console";
    case 10:
      return "EFI application";
    case 11:
      return "EFI boot service driver";
    case 12:
      return "EFI runtime driver";
    case 16:
      return "boot application";
    default:
      return "other";
  }
}

std::string protection(const loader::MappedRange& range) {
  return fmt::format("R{}{}", range.writable ? "W" : "-", range.executable ? "X" : "-");
}

std::string oid_text(const std::string& oid) {
  const std::string_view name = loader::name_of_oid(oid);
  return name.empty() ? oid : fmt::format("{} ({})", name, oid);
}

using Out = std::back_insert_iterator<std::string>;

void header_text(Out out, const PeFacts& facts, const std::string& name) {
  const auto& header = facts.image.optional_header();
  fmt::format_to(out, "{}: PE32+ x86-64, {}, {} bytes\n", name, subsystem_name(header.subsystem),
                 facts.image.file().size());
  fmt::format_to(
      out, "  base {:#x}, image {:#x} bytes, entry {}\n", header.image_base, header.size_of_image,
      header.address_of_entry_point == 0 ? "none" : fmt::format("{:#x}", facts.mapped.entry));
  fmt::format_to(out,
                 "  characteristics {:#06x}, DLL characteristics {:#06x}, time stamp {:#010x}, "
                 "checksum {:#010x}\n",
                 facts.image.file_header().characteristics, header.dll_characteristics,
                 facts.image.file_header().time_date_stamp, header.checksum);
  fmt::format_to(out, "  {} relocations", facts.relocations);
  if (facts.load_config_size)
    fmt::format_to(out, ", load configuration of {:#x} bytes", *facts.load_config_size);
  fmt::format_to(out, "\n");
  if (facts.debug.pdb)
    fmt::format_to(out, "  PDB {} {} age {}\n", printable(facts.debug.pdb->path),
                   loader::format_guid(facts.debug.pdb->guid), facts.debug.pdb->age);
}

void map_text(Out out, const PeFacts& facts) {
  fmt::format_to(out, "\nIn memory at the preferred base\n");
  for (const loader::MappedRange& range : facts.mapped.ranges) {
    const loader::PeSection* section = facts.image.section_at(range.rva);
    fmt::format_to(out, "  {:#014x} {:#10x}  {}  {}", facts.mapped.base + range.rva, range.size,
                   protection(range), range.name);
    if (section != nullptr)
      fmt::format_to(
          out, "  (file {:#x}, {:#x} bytes{})", section->file_offset, section->file_size,
          (section->characteristics & loader::pe::section_discardable) != 0 ? ", discardable" : "");
    fmt::format_to(out, "\n");
  }
}

void exports_text(Out out, const PeFacts& facts) {
  if (facts.exports.entries.empty()) return;
  fmt::format_to(out, "\nExports of {}\n", printable(facts.exports.module));
  for (const loader::PeExport& entry : facts.exports.entries) {
    fmt::format_to(out, "  {:>5}  {:#010x}  {}", entry.ordinal, entry.rva,
                   entry.name.empty() ? "(by ordinal only)" : printable(entry.name));
    if (!entry.forwarder.empty()) fmt::format_to(out, " -> {}", printable(entry.forwarder));
    fmt::format_to(out, "\n");
  }
}

void imports_text(Out out, const PeFacts& facts) {
  for (const loader::ImportedModule& module : facts.imports) {
    fmt::format_to(out, "\nImports from {}\n", printable(module.module));
    for (const loader::PeImport& entry : module.imports)
      fmt::format_to(
          out, "  {:#010x}  {}\n", entry.address_rva,
          entry.name.empty() ? fmt::format("#{}", entry.ordinal) : printable(entry.name));
  }
}

void policy_text(Out out, const PeFacts& facts) {
  if (!facts.policy) return;
  fmt::format_to(out, "\nTrustlet policy\n  trustlet id {}\n", facts.policy->application_id);
  for (const auto& entry : facts.policy->entries)
    fmt::format_to(out, "  {} = {:#x} (type {})\n", loader::trustlet_policy_name(entry.policy_id),
                   entry.value, entry.type);
}

void signature_text(Out out, const PeFacts& facts) {
  fmt::format_to(out, "\nAuthenticode\n  SHA-256 of the file  {}\n", hex(facts.digest));
  if (!facts.signature) {
    fmt::format_to(out, "  not signed\n");
    return;
  }
  const loader::SignatureInfo& signature = *facts.signature;
  fmt::format_to(out, "  digest      {}: signed as {} {}\n", name_of(signature.digest),
                 oid_text(signature.digest_algorithm), hex(signature.signed_digest));
  fmt::format_to(out,
                 "  attributes  {}\n  signature   {}\n  chain       {} (whether its root is "
                 "trusted is the guest's decision)\n",
                 name_of(signature.attributes), name_of(signature.signature),
                 name_of(signature.chain));
  fmt::format_to(out, "  page hashes {}: {} rows\n", name_of(signature.page_hash_table),
                 signature.page_hashes.size());
  for (size_t i = 0; i < signature.signer_chain.size(); ++i) {
    const loader::SignerCertificate& one = signature.signer_chain[i];
    fmt::format_to(out, "  {} {}\n      issuer {}\n      serial {}, {}, {} to {}\n",
                   i == 0 ? "signer" : "issuer", one.subject, one.issuer, one.serial, one.key,
                   one.not_before, one.not_after);
    for (const std::string& usage : one.extended_key_usage)
      fmt::format_to(out, "      for {}\n", oid_text(usage));
  }
}

template <class Items, class Make>
std::string json_array(const Items& items, Make make) {
  std::string out;
  for (const auto& item : items)
    out += (out.empty() ? "" : ",") + make(item);
  return "[" + out + "]";
}

std::string signature_json(const loader::SignatureInfo& signature) {
  trace::JsonLine line;
  line.text("digest_algorithm", signature.digest_algorithm)
      .text("signed_digest", hex(signature.signed_digest));
  line.text("digest", name_of(signature.digest)).text("attributes", name_of(signature.attributes));
  line.text("signature", name_of(signature.signature)).text("chain", name_of(signature.chain));
  line.text("page_hash_table", name_of(signature.page_hash_table))
      .number("page_hashes", signature.page_hashes.size());
  line.raw(
      "certificates", json_array(signature.signer_chain, [](const loader::SignerCertificate& one) {
        trace::JsonLine certificate;
        certificate.text("subject", one.subject)
            .text("issuer", one.issuer)
            .text("serial", one.serial)
            .text("key", one.key);
        certificate.text("not_before", one.not_before).text("not_after", one.not_after);
        certificate.raw("extended_key_usage",
                        json_array(one.extended_key_usage,
                                   [](const std::string& oid) { return trace::json_quote(oid); }));
        return certificate.line();
      }));
  return line.line();
}

void directories_json(trace::JsonLine& line, const PeFacts& facts) {
  line.raw("exports", json_array(facts.exports.entries, [](const loader::PeExport& entry) {
             trace::JsonLine one;
             one.number("ordinal", entry.ordinal).hex("rva", entry.rva).text("name", entry.name);
             if (!entry.forwarder.empty()) one.text("forwarder", entry.forwarder);
             return one.line();
           }));
  line.raw("imports", json_array(facts.imports, [](const loader::ImportedModule& module) {
             trace::JsonLine one;
             one.text("module", module.module)
                 .raw("symbols", json_array(module.imports, [](const loader::PeImport& entry) {
                        return trace::json_quote(
                            entry.name.empty() ? fmt::format("#{}", entry.ordinal) : entry.name);
                      }));
             return one.line();
           }));
  line.number("relocations", facts.relocations);
  if (facts.debug.pdb) {
    trace::JsonLine pdb;
    pdb.text("path", facts.debug.pdb->path)
        .text("guid", loader::format_guid(facts.debug.pdb->guid));
    line.raw("pdb", pdb.number("age", facts.debug.pdb->age).line());
  }
  if (facts.load_config_size) line.hex("load_config_size", *facts.load_config_size);
  if (!facts.policy) return;
  trace::JsonLine policy;
  policy.number("trustlet_id", facts.policy->application_id);
  policy.raw("entries",
             json_array(facts.policy->entries, [](const loader::TrustletPolicyEntry& entry) {
               trace::JsonLine one;
               one.text("policy", loader::trustlet_policy_name(entry.policy_id))
                   .number("policy_id", entry.policy_id);
               return one.number("type", entry.type).hex("value", entry.value).line();
             }));
  line.raw("trustlet_policy", policy.line());
}

}  // namespace

Result<PeFacts> read_pe_facts(loader::Bytes file) {
  PeFacts facts {
    TRY(loader::PeImage::parse(file))
  };
  facts.mapped = TRY(loader::map_image(facts.image, facts.image.optional_header().image_base));
  facts.exports = TRY(loader::read_exports(facts.image));
  facts.imports = TRY(loader::read_imports(facts.image));
  facts.relocations = TRY(loader::read_relocations(facts.image))
  .size();
  facts.debug = TRY(loader::read_debug(facts.image));
  facts.load_config_size = TRY(loader::read_load_config_size(facts.image));
  facts.policy = TRY(loader::read_trustlet_policy(facts.image));
  facts.digest = TRY(loader::authenticode_digest(facts.image));
  facts.signature = TRY(loader::read_signature(facts.image));
  return facts;
}

std::string pe_text(const PeFacts& facts, const std::string& name) {
  std::string text;
  const Out out = std::back_inserter(text);
  header_text(out, facts, name);
  map_text(out, facts);
  exports_text(out, facts);
  imports_text(out, facts);
  policy_text(out, facts);
  signature_text(out, facts);
  return text;
}

std::string pe_json(const PeFacts& facts, const std::string& name) {
  const auto& header = facts.image.optional_header();
  trace::JsonLine line;
  line.text("file", name)
      .number("size", facts.image.file().size())
      .number("subsystem", header.subsystem);
  line.hex("image_base", header.image_base).hex("size_of_image", header.size_of_image);
  line.hex("entry_rva", header.address_of_entry_point).hex("checksum", header.checksum);
  line.raw(
      "sections", json_array(facts.image.sections(), [](const loader::PeSection& section) {
        trace::JsonLine one;
        one.text("name", section.name)
            .hex("rva", section.rva)
            .hex("virtual_size", section.virtual_size);
        one.hex("file_offset", section.file_offset).hex("file_size", section.file_size);
        one.boolean("writable", section.writable()).boolean("executable", section.executable());
        return one.hex("characteristics", section.characteristics).line();
      }));
  directories_json(line, facts);
  line.text("authenticode_sha256", hex(facts.digest))
      .boolean("signed", facts.signature.has_value());
  if (facts.signature) line.raw("signature", signature_json(*facts.signature));
  return line.line();
}

}  // namespace cli
