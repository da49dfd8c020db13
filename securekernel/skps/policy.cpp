#include "skps/policy.h"

#include <string.h>

namespace sk {

using namespace abi::sk;

static const pe::Section* find_policy_section(const pe::Headers& headers) {
  for (uint32_t i = 0; i < headers.section_count; ++i)
    if (memcmp(headers.sections[i].name, policy_section_name, sizeof headers.sections[i].name) == 0)
      return &headers.sections[i];
  return nullptr;
}

NtStatus SkpsReadPolicy(const pe::Headers& headers, const uint8_t* mapped, uint64_t trustlet_id,
                        TrustletPolicy& policy) {
  static_assert(sizeof policy_section_name == sizeof pe::Section::name + 1);
  const pe::Section* section = find_policy_section(headers);
  if (section == nullptr || section->characteristics != policy_section_characteristics)
    return NtStatus::InvalidImageFormat;
  const uint32_t rva = pe::find_export(mapped, headers.image_size, policy_symbol_name);
  const uint64_t end = uint64_t{section->rva} + section->virtual_size;
  if (rva < section->rva || rva + sizeof(PolicyMetadata) > end || end > headers.image_size)
    return NtStatus::InvalidImageFormat;

  PolicyMetadata metadata;
  memcpy(&metadata, mapped + rva, sizeof metadata);
  if (metadata.version != policy_metadata_version) return NtStatus::InvalidImageFormat;
  if (metadata.application_id != trustlet_id) return NtStatus::InvalidParameter;
  policy.application_id = metadata.application_id;
  policy.entry_count = 0;
  for (uint64_t at = rva + sizeof metadata; at + sizeof(PolicyEntry) <= end; at += sizeof(PolicyEntry)) {
    PolicyEntry entry;
    memcpy(&entry, mapped + at, sizeof entry);
    if (entry.type == 0 && entry.policy_id == 0) return NtStatus::Success;
    if (policy.entry_count == maximum_policy_entries) break;
    policy.entries[policy.entry_count++] = entry;
  }
  return NtStatus::InvalidImageFormat;
}

bool SkpspFindPolicy(const TrustletPolicy& policy, PolicyId id, PolicyType type, uint64_t& value) {
  for (uint32_t i = 0; i < policy.entry_count; ++i) {
    const PolicyEntry& entry = policy.entries[i];
    if (entry.policy_id != static_cast<uint32_t>(id) || entry.type != static_cast<uint32_t>(type)) continue;
    value = entry.value;
    return true;
  }
  return false;
}

}  // namespace sk
