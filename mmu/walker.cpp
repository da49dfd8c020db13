#include "mmu/walker.h"

#include <cstring>

#include "abi/x64/paging.h"
#include "mmu/slat.h"
#include "mmu/slat_entry.h"

namespace mmu {
namespace {

namespace x64 = abi::x64;
namespace ept = abi::x64::ept;
namespace pte = abi::x64::pte;
namespace legacy = abi::x64::legacy_paging;
namespace violation = abi::x64::ept_violation;

constexpr uint64_t all_ept_rights = ept::read | ept::write | ept::execute | ept::user_execute;
/// What a read of an address without RAM gives.
constexpr uint64_t open_bus = ~uint64_t{0};

/// What stage 2 says about one GPA.
struct Stage2 {
  enum class State : uint8_t { Present, Denied, Unmapped, Misconfigured };
  State state{State::Present};
  Spa spa;
  uint64_t rights{all_ept_rights};  ///< EPT bits, AND over the levels
};

/// A stage-1 entry that the walk used, kept for its A and D bits.
struct UsedEntry {
  Gpa gpa;
  Spa spa;
  uint64_t slat_rights{};
  uint64_t value{};
};

class Walk {
 public:
  Walk(PhysicalMemory& memory, uint8_t physical_address_bits, const AddressSpace& space,
       const Access& access, WalkReport* report)
      : memory_{memory},
        ram_{memory.data()},
        space_{space},
        access_{access},
        report_{report},
        beyond_physical_{ept::address_mask & ~((uint64_t{1} << physical_address_bits) - 1)},
        mode_{paging_mode(space.stage1)},
        user_{access.user && !access.implicit_supervisor} {}

  WalkVerdict run(WalkEffect effect);

 private:
  // Each step answers false when it has written a refusal into verdict_.
  bool walk_tables();
  bool choose_root(int& level, uint64_t& table);
  [[nodiscard]] bool is_leaf(uint64_t value, int level) const;
  [[nodiscard]] uint64_t reserved_bits(bool leaf, int level) const;
  [[nodiscard]] Gpa page_address(uint64_t value, int level) const;
  bool read_entry(int level, Gpa gpa);
  bool use_entry(int level);
  bool check_permissions();
  bool update_accessed_and_dirty(WalkEffect effect);
  bool translate_final();

  Stage2 stage2(Gpa gpa);
  [[nodiscard]] bool misconfigured(uint64_t entry, int level, bool leaf) const;
  [[nodiscard]] uint64_t load(Spa address, unsigned bytes = 8) const;
  void store(Spa address, uint64_t entry);
  bool refuse(WalkRule rule, FaultKind kind);
  bool refuse_page_fault(WalkRule rule, uint32_t error_bits);
  bool refuse_stage2(WalkRule rule, FaultKind kind, Gpa gpa, const Stage2& stage2,
                     uint64_t qualification, bool paging_structure);
  bool refuse_table(const Stage2& stage2, Gpa gpa);
  bool refuse_final(const Stage2& stage2);
  void record(WalkReference::Kind kind, int level, Spa address, Gpa gpa, uint64_t value, bool leaf,
              bool present);
  void accept(const Stage2& final);

  [[nodiscard]] bool paged() const { return paging_enabled(space_); }
  [[nodiscard]] bool no_execute_enabled() const {
    return (space_.stage1.efer & control::efer_no_execute) != 0 && mode_ != PagingMode::Bits32;
  }
  [[nodiscard]] unsigned entry_bytes() const { return mode_ == PagingMode::Bits32 ? 4 : 8; }
  [[nodiscard]] bool smep() const { return (space_.stage1.cr4 & control::cr4_smep) != 0; }

  PhysicalMemory& memory_;
  const uint8_t* ram_;
  const AddressSpace& space_;
  const Access& access_;
  WalkReport* report_;
  uint64_t beyond_physical_;
  PagingMode mode_;
  bool user_;

  // Accumulated over the levels of stage 1.
  bool writable_{true}, user_page_{true}, no_execute_{};
  int leaf_level_{};
  Gpa gpa_;
  UsedEntry used_[x64::pml5_level];  ///< by order of use, root first
  int used_count_{};
  bool dirty_{true};
  bool global_{};

  WalkVerdict verdict_;
};

WalkVerdict Walk::run(WalkEffect effect) {
  if (!x64::is_canonical(access_.address.value(), x64::linear_address_bits(space_.stage1.cr4))) {
    refuse(WalkRule::NonCanonical, FaultKind::NonCanonical);
  } else if (!paged()) {
    gpa_ = Gpa{access_.address.value()};
    translate_final();
  } else {
    walk_tables() && check_permissions() && update_accessed_and_dirty(effect) && translate_final();
  }
  return verdict_;
}

bool Walk::walk_tables() {
  int level = 0;
  uint64_t table = 0;
  if (!choose_root(level, table)) return false;
  for (;; --level) {
    const uint64_t address = access_.address.value();
    const Gpa gpa{table + (mode_ == PagingMode::Bits32 ? legacy::entry_offset(address, level)
                                                       : x64::entry_offset(address, level))};
    if (!read_entry(level, gpa) || !use_entry(level)) return false;
    if (leaf_level_ != 0) return true;
    table = used_[used_count_ - 1].value & pte::address_mask;
  }
}

/// The table of the highest level that lies in memory.
bool Walk::choose_root(int& level, uint64_t& table) {
  switch (mode_) {
    case PagingMode::Bits32:
      level = x64::page_directory_level;
      table = space_.stage1.cr3 & legacy::address_mask;
      return true;
    case PagingMode::Pae: {
      // From the registers; their reserved bits were looked at when they were loaded (SDM vol. 3, 4.4.1).
      const uint64_t pointer =
          space_.stage1.pdpte[access_.address.value() >> x64::level_shift(x64::directory_pointer_level) &
                              (x64::pae_paging::pointers - 1)];
      if ((pointer & pte::present) == 0) return refuse_page_fault(WalkRule::NotPresent, 0);
      level = x64::page_directory_level;
      table = pointer & pte::address_mask & ~beyond_physical_;
      return true;
    }
    default:
      level = mode_ == PagingMode::FiveLevel ? x64::pml5_level : x64::pml4_level;
      table = space_.stage1.cr3 & pte::address_mask & ~beyond_physical_;
      return true;
  }
}

bool Walk::is_leaf(uint64_t value, int level) const {
  if (level == x64::page_table_level) return true;
  if (level > x64::directory_pointer_level || (value & pte::large_page) == 0) return false;
  return mode_ != PagingMode::Bits32 || (space_.stage1.cr4 & control::cr4_page_size) != 0;
}

uint64_t Walk::reserved_bits(bool leaf, int level) const {
  if (mode_ == PagingMode::Bits32) {
    if (!leaf || level == x64::page_table_level) return 0;
    // Bits 20:13 of a 4 MiB page are bits 39:32 of its address, bit 21 is reserved (PSE-36; SDM vol. 3, table 4-4).
    const uint64_t high = beyond_physical_ >> 32 << 13;
    return uint64_t{1} << 21 | (high & 0x1f'e000);
  }
  uint64_t reserved = beyond_physical_;
  if (!no_execute_enabled()) reserved |= pte::no_execute;
  if (mode_ == PagingMode::Pae) reserved |= x64::pae_paging::entry_reserved;
  if (level >= x64::pml4_level) reserved |= pte::large_page;
  // Between the PAT bit of a large page, bit 12, and its number all address bits are reserved.
  if (leaf && level > x64::page_table_level) reserved |= x64::level_size(level) - 0x2000;
  return reserved;
}

/// Where the access lands in the page of a leaf.
Gpa Walk::page_address(uint64_t value, int level) const {
  const bool huge = mode_ == PagingMode::Bits32 && level == x64::page_directory_level;
  const uint64_t offset_mask =
      huge ? (uint64_t{1} << legacy::directory_shift) - 1 : x64::level_size(level) - 1;
  uint64_t address = value & pte::address_mask;
  if (mode_ == PagingMode::Bits32) address &= legacy::address_mask;
  if (huge) address |= (value >> 13 & 0xff) << 32;
  return Gpa{(address & ~offset_mask) | (access_.address.value() & offset_mask)};
}

bool Walk::read_entry(int level, Gpa gpa) {
  const Stage2 where = stage2(gpa);
  if (where.state != Stage2::State::Present) return refuse_table(where, gpa);
  const uint64_t value = load(where.spa, entry_bytes());
  record(WalkReference::Kind::Stage1, level, where.spa, gpa, value, is_leaf(value, level),
         (value & pte::present) != 0);
  used_[used_count_++] = {gpa, where.spa, where.rights, value};
  return true;
}

// Present, then reserved bits; then the entry's rights take part (section 8.3, step 2).
bool Walk::use_entry(int level) {
  const uint64_t value = used_[used_count_ - 1].value;
  if ((value & pte::present) == 0) return refuse_page_fault(WalkRule::NotPresent, 0);
  const bool leaf = is_leaf(value, level);
  if ((value & reserved_bits(leaf, level)) != 0) {
    return refuse_page_fault(WalkRule::ReservedBit,
                             x64::page_fault::present | x64::page_fault::reserved);
  }
  writable_ &= (value & pte::writable) != 0;
  user_page_ &= (value & pte::user) != 0;
  no_execute_ |= (value & pte::no_execute) != 0;
  if (leaf) {
    leaf_level_ = level;
    dirty_ = (value & pte::dirty) != 0;
    global_ = (value & pte::global) != 0 && (space_.stage1.cr4 & control::cr4_page_global) != 0;
    gpa_ = page_address(value, level);
  }
  return true;
}

bool Walk::check_permissions() {
  constexpr uint32_t present = x64::page_fault::present;
  const bool fetch = access_.kind == AccessKind::Execute;
  if (user_ && !user_page_) return refuse_page_fault(WalkRule::SupervisorPage, present);
  if (!user_ && user_page_ && !fetch && (space_.stage1.cr4 & control::cr4_smap) != 0 &&
      (access_.implicit_supervisor || !space_.stage1.alignment_check)) {
    return refuse_page_fault(WalkRule::SmapAccess, present);
  }
  if (!user_ && user_page_ && fetch && smep())
    return refuse_page_fault(WalkRule::SmepFetch, present);
  if (fetch && no_execute_) return refuse_page_fault(WalkRule::NoExecutePage, present);
  if (access_.kind == AccessKind::Write && !writable_ &&
      (user_ || (space_.stage1.cr0 & control::cr0_write_protect) != 0)) {
    return refuse_page_fault(WalkRule::ReadOnlyPage, present);
  }
  return true;
}

// Writes through stage 2 (section 8.2). Root first, as the entries were used.
bool Walk::update_accessed_and_dirty(WalkEffect effect) {
  for (int i = 0; i < used_count_; ++i) {
    const UsedEntry& entry = used_[i];
    uint64_t wanted = pte::accessed;
    if (i == used_count_ - 1 && access_.kind == AccessKind::Write) wanted |= pte::dirty;
    if ((entry.value & wanted) == wanted) continue;
    if ((entry.slat_rights & ept::write) == 0) {
      return refuse_stage2(WalkRule::TableNotWritable, FaultKind::SlatViolation, entry.gpa,
                           {Stage2::State::Denied, entry.spa, entry.slat_rights},
                           violation::data_write, true);
    }
    // One entry may serve several levels of a table that maps itself; the leaf, which asks for most, comes last.
    if (effect == WalkEffect::Commit) store(entry.spa, entry.value | wanted);
  }
  if (access_.kind == AccessKind::Write) dirty_ = true;
  return true;
}

bool Walk::translate_final() {
  const Stage2 where = stage2(gpa_);
  if (where.state != Stage2::State::Present) return refuse_final(where);
  const bool user_right = user_page_ && user_execute_governs(space_);
  switch (access_.kind) {
    case AccessKind::Read:
      if ((where.rights & ept::read) == 0) return refuse_final(where);
      break;
    case AccessKind::Write:
      if ((where.rights & ept::write) == 0) return refuse_final(where);
      break;
    case AccessKind::Execute:
      if ((where.rights & (user_right ? ept::user_execute : ept::execute)) == 0) {
        return refuse_final(where);
      }
      break;
  }
  accept(where);
  return true;
}

// Four EPT references at most. Tables lie in RAM: only this program writes SLAT entries.
Stage2 Walk::stage2(Gpa gpa) {
  if (space_.slat == nullptr) return {Stage2::State::Present, Spa{gpa.value()}, all_ept_rights};
  Stage2 result;
  Spa table = space_.slat->root();
  if (table == Spa{} || (gpa.value() >> slat_entry::address_bits) != 0) {
    return {Stage2::State::Unmapped, Spa{}, 0};
  }
  const uint64_t presence =
      ept::read | ept::write | ept::execute | (space_.mbec ? ept::user_execute : 0);
  for (int level = x64::pml4_level;; --level) {
    const Spa address = table + x64::entry_offset(gpa.value(), level);
    CHECK(memory_.contains(address, 8));
    const uint64_t entry = load(address);
    const bool present = (entry & presence) != 0;
    const bool leaf = level == x64::page_table_level ||
                      (level <= x64::directory_pointer_level && (entry & ept::large_page) != 0);
    record(WalkReference::Kind::Stage2, level, address, gpa, entry, leaf, present);
    result.rights &= entry;
    if (!present) {
      const bool mapped = (entry & slat_entry::mapped) != 0;
      result.state = mapped ? Stage2::State::Denied : Stage2::State::Unmapped;
      return result;
    }
    if (misconfigured(entry, level, leaf)) {
      result.state = Stage2::State::Misconfigured;
      return result;
    }
    if (leaf) {
      const uint64_t offset = gpa.value() & (x64::level_size(level) - 1);
      result.spa = Spa{(entry & ept::address_mask) + offset};
      return result;
    }
    table = Spa{entry & ept::address_mask};
  }
}

// SDM vol. 3, 28.3.3.1. Execution without R is not supported by this processor.
bool Walk::misconfigured(uint64_t entry, int level, bool leaf) const {
  if ((entry & ept::read) == 0) return true;  // it is present, so it has W or X
  uint64_t reserved = beyond_physical_;
  if (!leaf) {
    reserved |= ept::memory_type_mask | ept::ignore_pat;
    if (level == x64::pml4_level) reserved |= ept::large_page;
    return (entry & reserved) != 0;
  }
  if (level > x64::page_table_level) reserved |= x64::level_size(level) - abi::page_size;
  constexpr unsigned reserved_memory_types = 1u << 2 | 1u << 3 | 1u << 7;
  const auto type = (entry & ept::memory_type_mask) >> ept::memory_type_shift;
  return (entry & reserved) != 0 || ((reserved_memory_types >> type) & 1) != 0;
}

uint64_t Walk::load(Spa address, unsigned bytes) const {
  if (!memory_.contains(address, bytes)) return bytes == 4 ? open_bus >> 32 : open_bus;
  uint64_t value = 0;
  std::memcpy(&value, ram_ + address.value(), bytes);
  return value;
}

void Walk::store(Spa address, uint64_t entry) {
  if (entry_bytes() == 8)
    memory_.write(address, entry);
  else
    memory_.write(address, static_cast<uint32_t>(entry));
}

bool Walk::refuse(WalkRule rule, FaultKind kind) {
  verdict_.rule = rule;
  verdict_.result.ok = false;
  verdict_.result.fault.kind = kind;
  verdict_.result.fault.address = access_.address;
  return false;
}

bool Walk::refuse_page_fault(WalkRule rule, uint32_t error_bits) {
  uint32_t code = error_bits;
  if (access_.kind == AccessKind::Write) code |= x64::page_fault::write;
  if (user_) code |= x64::page_fault::user;
  if (access_.kind == AccessKind::Execute && (no_execute_enabled() || smep())) {
    code |= x64::page_fault::fetch;
  }
  verdict_.result.fault.error_code = code;
  return refuse(rule, FaultKind::PageFault);
}

bool Walk::refuse_stage2(WalkRule rule, FaultKind kind, Gpa gpa, const Stage2& stage2,
                         uint64_t qualification, bool paging_structure) {
  if ((stage2.rights & ept::read) != 0) qualification |= violation::readable;
  if ((stage2.rights & ept::write) != 0) qualification |= violation::writable;
  if ((stage2.rights & ept::execute) != 0) qualification |= violation::executable;
  if (space_.mbec && (stage2.rights & ept::user_execute) != 0) {
    qualification |= violation::user_executable;
  }
  Fault& fault = verdict_.result.fault;
  fault.gpa = gpa;
  fault.qualification = qualification | violation::linear_address_valid;
  fault.paging_structure = paging_structure;
  return refuse(rule, kind);
}

bool Walk::refuse_table(const Stage2& stage2, Gpa gpa) {
  WalkRule rule = WalkRule::TableNotReadable;
  FaultKind kind = FaultKind::SlatViolation;
  if (stage2.state == Stage2::State::Unmapped) {
    rule = WalkRule::TableUnmapped;
    kind = FaultKind::GpaUnmapped;
  } else if (stage2.state == Stage2::State::Misconfigured) {
    rule = WalkRule::SlatMisconfigured;
    kind = FaultKind::SlatMisconfigured;
  }
  return refuse_stage2(rule, kind, gpa, stage2, violation::data_read, true);
}

bool Walk::refuse_final(const Stage2& stage2) {
  uint64_t qualification = violation::final_translation;
  WalkRule rule{};
  switch (access_.kind) {
    case AccessKind::Read:
      rule = WalkRule::SlatNoRead;
      qualification |= violation::data_read;
      break;
    case AccessKind::Write:
      rule = WalkRule::SlatNoWrite;
      qualification |= violation::data_write;
      break;
    case AccessKind::Execute:
      rule = user_page_ && user_execute_governs(space_) ? WalkRule::SlatNoUserExecute
                                                        : WalkRule::SlatNoKernelExecute;
      qualification |= violation::fetch;
      break;
  }
  // Without paging every linear address counts as user-mode, read/write and executable.
  if (user_page_) qualification |= violation::user_page;
  if (writable_) qualification |= violation::writable_page;
  if (no_execute_) qualification |= violation::no_execute_page;
  FaultKind kind = FaultKind::SlatViolation;
  if (stage2.state == Stage2::State::Unmapped) {
    rule = WalkRule::SlatUnmapped;
    kind = FaultKind::GpaUnmapped;
  } else if (stage2.state == Stage2::State::Misconfigured) {
    rule = WalkRule::SlatMisconfigured;
    kind = FaultKind::SlatMisconfigured;
  }
  return refuse_stage2(rule, kind, gpa_, stage2, qualification, false);
}

void Walk::record(WalkReference::Kind kind, int level, Spa address, Gpa gpa, uint64_t value,
                  bool leaf, bool present) {
  if (report_ == nullptr) return;
  CHECK(report_->count < WalkReport::max_references);
  report_->list[report_->count++] = {kind,   static_cast<uint8_t>(level), address, gpa, value, leaf,
                                     present};
}

void Walk::accept(const Stage2& final) {
  uint64_t attributes = 0;
  if (writable_) attributes |= TlbEntry::Writable;
  if (user_page_) attributes |= TlbEntry::User;
  if (no_execute_) attributes |= TlbEntry::NoExecute;
  if (global_) attributes |= TlbEntry::Global;
  if (dirty_) attributes |= TlbEntry::Dirty;
  if (leaf_level_ == x64::page_directory_level)
    attributes |= mode_ == PagingMode::Bits32 ? TlbEntry::PartOf4M : TlbEntry::PartOf2M;
  if (leaf_level_ == x64::directory_pointer_level) attributes |= TlbEntry::PartOf1G;
  if ((final.rights & ept::read) != 0) attributes |= TlbEntry::SlatRead;
  if ((final.rights & ept::write) != 0) attributes |= TlbEntry::SlatWrite;
  if ((final.rights & ept::execute) != 0) attributes |= TlbEntry::SlatKernelExecute;
  if ((final.rights & ept::user_execute) != 0) attributes |= TlbEntry::SlatUserExecute;
  if (memory_.contains(final.spa, 1)) attributes |= TlbEntry::Ram;
  verdict_.attributes = attributes;
  verdict_.result.ok = true;
  verdict_.result.translation.spa = final.spa;
  verdict_.result.translation.gpa = gpa_;
}

}  // namespace

WalkVerdict walk(PhysicalMemory& memory, uint8_t physical_address_bits, const AddressSpace& space,
                 const Access& access, WalkEffect effect, WalkReport* report) {
  return Walk{memory, physical_address_bits, space, access, report}.run(effect);
}

}  // namespace mmu
