#include "mmu/translator.h"

#include "mmu/walker.h"

namespace mmu {
namespace {

/// The answer that an entry gives to an access which it permits.
Translation from_entry(const AddressSpace& space, const TlbEntry& entry, const Access& access) {
  const uint8_t rights = granted(space, entry, access.user, access.implicit_supervisor);
  Translation translation;
  translation.spa = entry.spa() + access.address.page_offset();
  translation.gpa = entry.gpa() + access.address.page_offset();
  translation.readable = (rights & grant::read) != 0;
  translation.writable = (rights & grant::write) != 0;
  translation.executable = (rights & grant::execute) != 0;
  translation.user_page = entry.has(TlbEntry::User);
  translation.dirty = entry.has(TlbEntry::Dirty);
  translation.global = entry.has(TlbEntry::Global);
  translation.ram = entry.has(TlbEntry::Ram);
  return translation;
}

/// Completes the answer of a walk that was granted.
void finish(const AddressSpace& space, const Access& access, WalkVerdict& verdict) {
  Translation& translation = verdict.result.translation;
  const TlbEntry entry{0, 0, 0, translation.spa, translation.gpa, verdict.attributes};
  translation = from_entry(space, entry, access);
}

}  // namespace

Translator::Translator(PhysicalMemory& memory, TranslatorConfig config)
    : memory_{memory}, config_{config}, tlb_{config.tlb_entries} {
  CHECK(config.physical_address_bits >= 32 && config.physical_address_bits <= 48);
}

TranslationResult Translator::translate(const AddressSpace& space, const Access& access) {
  const TlbEntry* const entry =
      lookup(space, access.address, access.kind, access.user, access.implicit_supervisor);
  if (entry != nullptr) return {true, from_entry(space, *entry, access), {}};
  ++misses_;
  WalkVerdict verdict =
      walk(memory_, config_.physical_address_bits, space, access, WalkEffect::Commit, nullptr);
  if (!verdict.result.ok) {
    // SDM vol. 3, 4.10.4.1 and 28.4.3.1: a page fault and an EPT violation remove what is cached
    // for their address.
    invalidate_address(space, access.address);
    return verdict.result;
  }
  tlb_.fill(space, access.address, verdict.result.translation.spa, verdict.result.translation.gpa,
            verdict.attributes);
  finish(space, access, verdict);
  return verdict.result;
}

TranslationResult Translator::probe(const AddressSpace& space, const Access& access) const {
  const TlbEntry* const entry =
      lookup(space, access.address, access.kind, access.user, access.implicit_supervisor);
  if (entry != nullptr) return {true, from_entry(space, *entry, access), {}};
  return walk_only(space, access, nullptr);
}

TranslationResult Translator::walk_only(const AddressSpace& space, const Access& access,
                                        WalkReport* report) const {
  WalkVerdict verdict =
      walk(memory_, config_.physical_address_bits, space, access, WalkEffect::None, report);
  if (verdict.result.ok) finish(space, access, verdict);
  if (report != nullptr) report->rule = verdict.rule;
  return verdict.result;
}

void Translator::invalidate_address(const AddressSpace& space, Gva address) {
  tlb_.invalidate_address(space, current_pcid(space), address, false);
}

void Translator::invalidate_address_in_pcid(const AddressSpace& space, uint16_t pcid, Gva address) {
  tlb_.invalidate_address(space, pcid, address, true);
}

void Translator::invalidate_pcid(const AddressSpace& space, uint16_t pcid) {
  tlb_.invalidate_pcid(space, pcid);
}

void Translator::invalidate_all(const AddressSpace& space, bool keep_globals) {
  tlb_.invalidate_all(space, keep_globals);
}

void Translator::invalidate_guest_physical(uint8_t partition, abi::hv::Vtl vtl) {
  tlb_.invalidate_guest_physical(partition, vtl);
}

}  // namespace mmu
