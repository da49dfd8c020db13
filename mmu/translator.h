#pragma once
// The single door from a linear address to memory.
#include <cstdint>
#include <span>

#include "mmu/access.h"
#include "mmu/address_space.h"
#include "mmu/physical_memory.h"
#include "mmu/slat.h"
#include "mmu/slat_tlb.h"
#include "sim/support/state_fields.h"

namespace mmu {

struct WalkReport;

struct TranslatorConfig {
  /// MAXPHYADDR, 32 to 48: address bits from here on are reserved in entries of both stages (CPUID
  /// 0x80000008 says the same).
  uint8_t physical_address_bits{40};
  /// Entries of the SLAT TLB before its generation is dropped.
  uint32_t tlb_entries{1536};
};

/// Translates accesses of every partition, VP and VTL. Order of checks as section 8.3; rules as
/// sections 5.2 and 8.1.
///
/// Changing CR0, CR3, CR4 or EFER invalidates nothing by itself. Who emulates the instruction calls
/// what the SDM (vol. 3, 4.10.4.1) asks for:
///   MOV CR3 with bit 63 clear      invalidate_pcid(new space, its PCID)
///   INVLPG                         invalidate_address(space, address)
///   INVPCID 0, 1, 2, 3             invalidate_address_in_pcid, invalidate_pcid, invalidate_all(..,
///   false), (.., true) MOV CR0 clearing PG; MOV CR4 changing PGE, PAE, or setting SMEP, or
///   clearing PCIDE
///                                  invalidate_all(space, false)
///   SLAT rights lowered, unmapped  invalidate_guest_physical(partition, vtl of the SLAT)
class Translator {
 public:
  explicit Translator(PhysicalMemory& memory, TranslatorConfig config = {});

  /// The access of a running processor: TLB hit, or the two-dimensional walk, which sets A and D
  /// and fills the TLB. A fault removes the TLB entries of its own page, as a processor does.
  [[nodiscard]] TranslationResult translate(const AddressSpace& space, const Access& access);

  /// What translate() would answer, with nothing changed: for debuggers, for the host's reads of
  /// guest memory. What the TLB holds counts, as for the processor.
  [[nodiscard]] TranslationResult probe(const AddressSpace& space, const Access& access) const;

  /// The same past the TLB: what memory says now. Writes the references into `report` unless it is
  /// null.
  [[nodiscard]] TranslationResult walk_only(const AddressSpace& space, const Access& access,
                                            WalkReport* report) const;

  /// For an engine's fill hook: the entry that permits this access, or null: then refuse the fill
  /// and call translate() outside. Pure. What else may be granted at once: granted(space, *entry,
  /// user).
  [[nodiscard]] const TlbEntry* lookup(const AddressSpace& space, Gva address, AccessKind kind,
                                       bool user, bool implicit_supervisor = false) const {
    const TlbEntry* entry = tlb_.find(space, address);
    if (entry == nullptr) return nullptr;
    return (granted(space, *entry, user, implicit_supervisor) & grant::of(kind)) != 0 ? entry
                                                                                      : nullptr;
  }

  void invalidate_address(const AddressSpace& space, Gva address);
  void invalidate_address_in_pcid(const AddressSpace& space, uint16_t pcid, Gva address);
  void invalidate_pcid(const AddressSpace& space, uint16_t pcid);
  void invalidate_all(const AddressSpace& space, bool keep_globals);
  void invalidate_guest_physical(uint8_t partition, abi::hv::Vtl vtl);

  /// Moves when engines that run this partition and VTL must flush their own TLB. An engine whose TLB has no tags also
  /// flushes when the AddressSpace that it runs becomes another one: CR0, CR3, CR4, EFER, AC, VP.
  [[nodiscard]] uint64_t epoch(uint8_t partition, abi::hv::Vtl vtl) const {
    return tlb_.epoch(partition, vtl);
  }
  /// Walks that translate() made: the same in every run of the same machine.
  [[nodiscard]] uint64_t misses() const { return misses_; }

  STATE_FIELDS((memory_), (config_), tlb_, misses_, (remembered_misses_))
  /// As SlatTlb::remember() and put_back().
  void remember() {
    tlb_.remember();
    remembered_misses_ = misses_;
  }
  bool put_back() {
    misses_ = remembered_misses_;
    return tlb_.put_back();
  }
  /// After a restore from bytes that nobody vouches for: no TLB entry leads to where nothing is.
  [[nodiscard]] bool state_is_sound() const {
    return tlb_.addresses_are_sound(memory_.size(), config_.physical_address_bits);
  }

  [[nodiscard]] const SlatTlb& tlb() const { return tlb_; }
  [[nodiscard]] const TranslatorConfig& config() const { return config_; }
  [[nodiscard]] PhysicalMemory& memory() const { return memory_; }

 private:
  PhysicalMemory& memory_;
  TranslatorConfig config_;
  SlatTlb tlb_;
  uint64_t misses_{};
  uint64_t remembered_misses_{};
};

/// Copies from or to a linear address by the rules of probe(), as a supervisor's explicit access
/// (`user`: as CPL 3's). Returns the bytes copied before the first one that cannot be: less than
/// asked for is the guest's bad pointer. Never wraps around the end of the address space, never
/// touches devices.
[[nodiscard]] uint64_t read_gva(const Translator& translator, const AddressSpace& space,
                                Gva address, std::span<uint8_t> bytes, bool user = false);
[[nodiscard]] uint64_t write_gva(Translator& translator, const AddressSpace& space, Gva address,
                                 std::span<const uint8_t> bytes, bool user = false);

/// The same for guest physical addresses through `space.slat` (R, or W), for hypercall pages and
/// messages.
[[nodiscard]] uint64_t read_gpa(const Translator& translator, const AddressSpace& space,
                                Gpa address, std::span<uint8_t> bytes);
[[nodiscard]] uint64_t write_gpa(Translator& translator, const AddressSpace& space, Gpa address,
                                 std::span<const uint8_t> bytes);

}  // namespace mmu
