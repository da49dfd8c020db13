#include "tests/oracle/unicorn_paging_world.h"

#include <fmt/format.h>
#include <unicorn/unicorn.h>

#include <cstring>

#include "abi/x64/exceptions.h"
#include "abi/x64/paging.h"
#include "abi/x64/registers.h"
#include "mmu/explain.h"
#include "sim/cpu/unicorn_layout.h"
#include "sim/support/check.h"

namespace oracle {

namespace x64 = abi::x64;
namespace pte = abi::x64::pte;
using mmu::AccessKind;
using mmu::PagingMode;

namespace {

/// Physical address bits of the library's software MMU, whatever processor model it shows.
constexpr uint8_t physical_address_bits = 40;

// The programs, at the end of a chain of tables of their own; random tables, of which the first is the root; then data.
constexpr uint64_t code = 0x5000, fixed_tables = 0x10000;
constexpr uint64_t table_base = 0x200000, table_pool = 24, data_base = 0x240000, data_pages = 40;
constexpr uint32_t fixed_slot = 3;  ///< of the root; PAE paging has no more than four
constexpr uint32_t indices[] = {0, 1, 255, 510, 511};
constexpr uint32_t indices_of_1024[] = {0, 1, 511, 1022, 1023};

constexpr uint8_t read_code[] = {0x8b, 0x03};   // mov eax, [rbx]
constexpr uint8_t write_code[] = {0x88, 0x03};  // mov [rbx], al
constexpr uint8_t jump_code[] = {0xff, 0xe3};   // jmp rbx
constexpr uint64_t code_of[] = {0, 0x10, 0x20};
constexpr uint8_t written = 0x5a;

constexpr uint64_t features_of_interest = x64::cr4::smep | x64::cr4::smap | uint64_t{1} << 12;

/// The first exception, as it was raised: what the library does after a stop changes CR2 again.
/// Tables, or the programs: nothing to execute.
bool is_special(uint64_t address) {
  return (address >= table_base && address < table_base + table_pool * 4096) || (address >= code && address < code + 0x1000) ||
         (address >= fixed_tables && address < fixed_tables + 0x5000);
}

struct Interrupt {
  int vector = -1;
  uint32_t error_code = 0;
  uint64_t cr2 = 0;
};

void on_interrupt(uc_engine* engine, uint32_t vector, void* user_data) {
  auto& seen = *static_cast<Interrupt*>(user_data);
  if (seen.vector < 0) {
    const auto& layout = cpu::engine_layout().value();
    cpu::EngineRegisters* const registers = cpu::registers_of(engine, layout);
    seen = {static_cast<int>(vector), cpu::field_at<uint32_t>(registers, layout.error_code), registers->cr[2]};
  }
  uc_emu_stop(engine);
}

bool is_unmapped(uc_err error) {
  return error == UC_ERR_READ_UNMAPPED || error == UC_ERR_WRITE_UNMAPPED || error == UC_ERR_FETCH_UNMAPPED;
}

}  // namespace

UnicornPagingWorld::UnicornPagingWorld(PagingMode mode, uint64_t seed)
    : mode_{mode},
      random_{seed, "paging of the library"},
      translator_{memory_, {.physical_address_bits = physical_address_bits}},
      ram_(ram_bytes) {
  if (!open_library()) return;
  lay_out();
  new_tables();
  std::memcpy(ram_.data(), memory_.data(), ram_bytes);
}

UnicornPagingWorld::~UnicornPagingWorld() {
  if (pristine_ != nullptr) uc_context_free(pristine_);
  if (engine_ != nullptr) uc_close(engine_);
}

int UnicornPagingWorld::levels() const {
  return mode_ == PagingMode::FiveLevel ? 5 : mode_ == PagingMode::FourLevel ? 4 : mode_ == PagingMode::Pae ? 3 : 2;
}

bool UnicornPagingWorld::open_library() {
  const auto& layout = cpu::engine_layout();
  if (!layout.ok()) {
    why_not_ = layout.error().message;
    return false;
  }
  const auto succeeds = [&](uc_err error, const char* what) {
    if (error != UC_ERR_OK) why_not_ = fmt::format("{}: {}", what, uc_strerror(error));
    return error == UC_ERR_OK;
  };
  if (!succeeds(uc_open(UC_ARCH_X86, long_mode() ? UC_MODE_64 : UC_MODE_32, &engine_), "uc_open") ||
      !succeeds(uc_ctl_set_cpu_model(engine_, UC_CPU_X86_ICELAKE_SERVER), "the processor model") ||
      !succeeds(uc_ctl_set_tcg_buffer_size(engine_, 8u << 20), "the translation buffer") ||
      !succeeds(uc_mem_map_ptr(engine_, 0, ram_bytes, UC_PROT_ALL, ram_.data()), "uc_mem_map_ptr"))
    return false;
  if (!succeeds(uc_context_alloc(engine_, &pristine_), "uc_context_alloc") || !succeeds(uc_context_save(engine_, pristine_), "uc_context_save"))
    return false;
  uint64_t all = 0x20 | features_of_interest, has = 0;
  if (!succeeds(uc_reg_write(engine_, UC_X86_REG_CR4, &all), "CR4") || !succeeds(uc_reg_read(engine_, UC_X86_REG_CR4, &has), "CR4"))
    return false;
  features_ = has & features_of_interest;
  if (mode_ == PagingMode::FiveLevel && (features_ & 1 << 12) == 0) why_not_ = "this library has no five levels";
  return why_not_.empty();
}

void UnicornPagingWorld::poke_entry(uint64_t table, uint32_t index, uint64_t value) {
  const mmu::Spa at{table + index * entry_bytes()};
  if (entry_bytes() == 4)
    memory_.write(at, static_cast<uint32_t>(value));
  else
    memory_.write(at, value);
}

/// Kernel code at page 0 below the fixed slot of the root, the same for ring 3 at page 1.
void UnicornPagingWorld::lay_out() {
  constexpr uint64_t used = pte::present | pte::writable | pte::accessed | pte::dirty;
  const uint64_t root_flags = mode_ == PagingMode::Pae ? uint64_t{pte::present} : used | pte::user;
  poke_entry(table_base, fixed_slot, fixed_tables | root_flags);
  uint64_t table = fixed_tables;
  for (int level = levels() - 1; level > 1; --level, table += 0x1000)
    poke_entry(table, 0, (table + 0x1000) | used | pte::user);
  poke_entry(table, 0, code | used);
  poke_entry(table, 1, code | used | pte::user);
  const std::span<const uint8_t> programs[] = {read_code, write_code, jump_code};
  for (unsigned i = 0; i < 3; ++i) CHECK(memory_.write(mmu::Spa{code + code_of[i]}, programs[i]));
  // At each multiple of 4: mov al, page of data; hlt; nop. Elsewhere, but for the tables and the programs, the same with ff.
  for (uint64_t at = 0; at < ram_bytes; at += 4) {
    const uint64_t page = at >= data_base && at < data_base + data_pages * 4096 ? (at - data_base) / 4096 : 0xff;
    if (!is_special(at)) memory_.write(mmu::Spa{at}, static_cast<uint32_t>(0x90f400b0 | page << 8));
  }
}

uint64_t UnicornPagingWorld::random_entry() {
  const bool narrow = mode_ == PagingMode::Bits32;
  uint64_t entry = random_.one_in(30) ? 0 : pte::present;
  if (!random_.one_in(8)) entry |= pte::writable;
  if (!random_.one_in(6)) entry |= pte::user;
  if (random_.one_in(2)) entry |= pte::accessed;
  if (random_.one_in(3)) entry |= pte::dirty;
  if (random_.one_in(4)) entry |= pte::global;
  if (!narrow && random_.one_in(15)) entry |= pte::no_execute;
  if (!narrow && random_.one_in(60)) entry |= uint64_t{1} << random_.between(physical_address_bits, 62);
  if (random_.one_in(8)) {
    entry |= pte::large_page;
    if (random_.one_in(8)) return entry | random_.below(512) << 12;  // reserved bits, PAT, or bits 39:32 (PSE-36)
    if (random_.one_in(3)) return entry;                             // fits every size
    return entry | random_.below(8) << 21;
  }
  if (!random_.one_in(3)) return entry | (table_base + (1 + random_.below(table_pool - 1)) * 4096);
  return entry | (data_base + random_.below(data_pages) * 4096);
}

void UnicornPagingWorld::new_tables() {
  // The library crashes when its translation buffer fills up (docs/engine.md, section 9).
  if (!ends_.empty()) uc_ctl_flush_tb(engine_);
  for (uint64_t table = 0; table < table_pool; ++table) {
    if (mode_ == PagingMode::Pae && table == 0) {
      // What MOV CR3 would refuse with #GP is not asked (SDM vol. 3, 4.4.1).
      for (uint32_t i = 0; i < fixed_slot; ++i)
        poke_entry(table_base, i, random_.one_in(30) ? 0 : (table_base + (1 + random_.below(table_pool - 1)) * 4096) | pte::present);
      continue;
    }
    for (const uint32_t index : mode_ == PagingMode::Bits32 ? indices_of_1024 : indices)
      poke_entry(table_base + table * 4096, index, random_entry());
  }
  std::memcpy(ram_.data() + table_base, memory_.data() + table_base, table_pool * 4096);
}

uint64_t UnicornPagingWorld::random_address() {
  uint64_t address = random_.below(1024) * 4;
  const auto any = [&](const auto& list) { return uint64_t{list[random_.below(std::size(list))]}; };
  switch (mode_) {
    case PagingMode::Bits32:
      return address | any(indices_of_1024) << 12 | any(indices_of_1024) << 22;
    case PagingMode::Pae:
      return address | any(indices) << 12 | any(indices) << 21 | random_.below(fixed_slot) << 30;
    default:
      break;
  }
  for (int level = 1; level <= levels(); ++level) address |= any(indices) << x64::level_shift(level);
  const unsigned highest = levels() == 5 ? 56 : 47;
  if ((address >> highest) % 2 == 1) address |= ~uint64_t{0} << highest;
  if (random_.one_in(50)) address ^= uint64_t{1} << random_.between(highest, 63);
  return address;
}

UnicornPagingWorld::Attempt UnicornPagingWorld::random_attempt() {
  Attempt attempt;
  attempt.address = random_address();
  attempt.kind = static_cast<AccessKind>(random_.below(3));
  // A byte of an entry that holds neither A nor D, in case that the access lands in a table.
  if (attempt.kind == AccessKind::Write) attempt.address = entry_bytes() == 4 ? attempt.address | 2 : attempt.address | 4;
  attempt.user = random_.one_in(2);
  attempt.alignment_check = random_.one_in(2);
  attempt.cr0 = x64::cr0::pg | x64::cr0::pe | (random_.one_in(2) ? x64::cr0::wp : 0);
  const auto maybe = [&](uint64_t bits) { return random_.one_in(2) ? bits : 0; };
  attempt.cr4 = maybe(x64::cr4::pge) | maybe(features_ & x64::cr4::smep) | maybe(features_ & x64::cr4::smap);
  attempt.cr4 |= mode_ == PagingMode::Bits32 ? maybe(mmu::control::cr4_page_size) : mmu::control::cr4_pae;
  if (mode_ == PagingMode::FiveLevel) attempt.cr4 |= uint64_t{1} << 12;
  attempt.efer = (long_mode() ? 0x500 : 0) | (random_.one_in(4) ? 0 : x64::efer::nxe);
  return attempt;
}

mmu::AddressSpace UnicornPagingWorld::space_for(const Attempt& attempt) const {
  mmu::AddressSpace space;
  space.partition = 1;
  space.stage1.cr0 = attempt.cr0;
  space.stage1.cr3 = table_base;
  space.stage1.cr4 = attempt.cr4;
  space.stage1.efer = attempt.efer;
  space.stage1.alignment_check = attempt.alignment_check;
  for (unsigned i = 0; i < x64::pae_paging::pointers; ++i)
    std::memcpy(&space.stage1.pdpte[i], memory_.data() + table_base + 8 * i, 8);
  return space;
}

bool UnicornPagingWorld::load_registers(const Attempt& attempt) {
  const auto write = [&](int name, uint64_t value) { return uc_reg_write(engine_, name, &value) == UC_ERR_OK; };
  if (uc_context_restore(engine_, pristine_) != UC_ERR_OK) return false;
  // LMA is the processor's to set: when paging begins.
  uc_x86_msr efer{0xC0000080, attempt.efer & ~uint64_t{0x400}};
  const bool loaded = uc_reg_write(engine_, UC_X86_REG_MSR, &efer) == UC_ERR_OK && write(UC_X86_REG_CR4, attempt.cr4) &&
                      write(UC_X86_REG_CR3, table_base) && write(UC_X86_REG_CR0, attempt.cr0) &&
                      write(UC_X86_REG_EFLAGS, attempt.alignment_check ? x64::rflags::ac | 2 : 2);
  const auto& layout = cpu::engine_layout().value();
  cpu::EngineRegisters* const registers = cpu::registers_of(engine_, layout);
  registers->gpr[0] = written;
  registers->gpr[3] = attempt.address;
  registers->hidden_flags = (registers->hidden_flags & ~cpu::hidden::cpl) | (attempt.user ? 3 : 0);
  const uint64_t efer_now = cpu::field_at<uint64_t>(registers, layout.efer);
  return loaded && registers->cr[4] == attempt.cr4 && (registers->cr[0] & ~uint64_t{0x10}) == attempt.cr0 &&
         (efer_now & 0xc00) == (attempt.efer & 0xc00);
}

UnicornPagingWorld::End UnicornPagingWorld::library_end(const Attempt& attempt) {
  End end;
  if (!load_registers(attempt)) {
    end.why_not = "the library does not take the registers";
    return end;
  }
  uc_ctl_flush_tlb(engine_);
  Interrupt seen;
  uc_hook hook{};
  CHECK(uc_hook_add(engine_, &hook, UC_HOOK_INTR, reinterpret_cast<void*>(&on_interrupt), &seen, 1, 0) == UC_ERR_OK);
  const uint64_t shift = mode_ == PagingMode::Bits32 ? 22u : static_cast<unsigned>(x64::level_shift(levels()));
  const uint64_t begin = (uint64_t{fixed_slot} << shift) + (attempt.user ? 0x1000 : 0) + code_of[static_cast<unsigned>(attempt.kind)];
  const bool jumps = attempt.kind == AccessKind::Execute;
  const uint64_t until = jumps ? attempt.address + 3 : begin + 2;
  constexpr size_t more_than_any_program = 8;  // what lies where only the library lands may be a loop
  const uc_err error = uc_emu_start(engine_, begin, until, 0, more_than_any_program);
  uc_hook_del(engine_, hook);
  const cpu::EngineRegisters* const registers = cpu::registers_of(engine_, cpu::engine_layout().value());
  // HLT behind the jump: of ring 3 it is #GP, and the library is where it wanted to go.
  const bool arrived = jumps && seen.vector == 13 && registers->rip == attempt.address + 2;
  end.ran = true;
  end.vector = arrived ? -1 : seen.vector;
  end.error_code = seen.error_code;
  end.cr2 = seen.cr2;
  end.outside_ram = seen.vector < 0 && is_unmapped(error);
  end.value = jumps ? registers->gpr[0] & 0xff : registers->gpr[0] & 0xffffffff;
  if (end.vector < 0 && !end.outside_ram && error != UC_ERR_OK) {
    end.ran = false;
    end.why_not = uc_strerror(error);
  }
  return end;
}

std::string UnicornPagingWorld::judge(const Attempt& attempt, const mmu::TranslationResult& ours, const End& theirs) {
  using x64::Vector;
  const uint64_t to = ours.translation.spa.value();
  const bool inside = ours.ok && to < ram_bytes;
  if (!theirs.ran) return "the library: " + theirs.why_not;
  if (ours.ok != (theirs.vector < 0))
    return fmt::format("lands {}, error code {:x}; library: vector {}, error code {:x}", ours.ok, ours.fault.error_code,
                       theirs.vector, theirs.error_code);
  if (ours.ok && inside == theirs.outside_ram) return fmt::format("lands at {:x}; library: outside RAM {}", to, theirs.outside_ram);
  if (!ours.ok) {
    const bool page_fault = ours.fault.kind == mmu::FaultKind::PageFault;
    const auto vector = static_cast<int>(page_fault ? Vector::PageFault : Vector::GeneralProtection);
    if (theirs.vector != vector || theirs.error_code != (page_fault ? ours.fault.error_code : 0))
      return fmt::format("error code {:x}; library: vector {}, error code {:x}", ours.fault.error_code, theirs.vector, theirs.error_code);
    if (page_fault && theirs.cr2 != attempt.address) return fmt::format("CR2 of the library {:x}", theirs.cr2);
  }
  const bool data = inside && to >= data_base && to < data_base + data_pages * 4096;
  if (data && attempt.kind == AccessKind::Read && theirs.value != memory_.read<uint32_t>(ours.translation.spa))
    return fmt::format("lands at {:x}; library reads {:x}", to, theirs.value);
  if (inside && attempt.kind == AccessKind::Execute && theirs.value != (data ? (to - data_base) / 4096 : 0xff))
    return fmt::format("lands at {:x}; library executes page {:x}", to, theirs.value);
  ++ends_[!ours.ok        ? fmt::format("vector {} error {:02x}", theirs.vector, theirs.error_code)
          : inside        ? "lands"
                          : "lands outside RAM"];
  return {};
}

/// The byte that was written, and nothing else but A bits.
std::string UnicornPagingWorld::compare_memory(const mmu::TranslationResult& ours, const Attempt& attempt) {
  const uint64_t to = ours.translation.spa.value();
  if (ours.ok && to < ram_bytes && attempt.kind == AccessKind::Write) {
    if (ram_[to] != written) return fmt::format("the library did not write to {:x}", to);
    ram_[to] = memory_.data()[to];
  }
  bool more = false;
  for (uint64_t at = table_base; at < table_base + table_pool * 4096; at += entry_bytes()) {
    uint64_t mine = 0, other = 0;
    std::memcpy(&mine, memory_.data() + at, entry_bytes());
    std::memcpy(&other, ram_.data() + at, entry_bytes());
    if (mine == other) continue;
    if ((mine ^ other) != pte::accessed || (other & pte::accessed) == 0) return fmt::format("entry {:x}: {:x}; library {:x}", at, mine, other);
    more = true;
    std::memcpy(ram_.data() + at, &mine, entry_bytes());
  }
  if (more && ours.ok) return "an access that lands set more A bits in the library";
  if (more) ++more_accessed_;
  return {};
}

std::string UnicornPagingWorld::compare_once() {
  const Attempt attempt = random_attempt();
  const mmu::AddressSpace space = space_for(attempt);
  const mmu::Access access{mmu::Gva{attempt.address}, attempt.kind, attempt.user, false};
  translator_.invalidate_all(space, false);
  const std::string path = mmu::to_text(mmu::explain(translator_, space, access), space, access);
  const mmu::TranslationResult ours = translator_.translate(space, access);
  if (ours.ok && attempt.kind == AccessKind::Execute && is_special(ours.translation.spa.value())) {
    std::memcpy(ram_.data() + table_base, memory_.data() + table_base, table_pool * 4096);
    ++ends_["not compared: executes what is no code"];
    return {};
  }
  const End theirs = library_end(attempt);
  std::string difference = judge(attempt, ours, theirs);
  if (difference.empty()) difference = compare_memory(ours, attempt);
  if (difference.empty()) return difference;
  return fmt::format("CPL {} {:x} kind {} cr0 {:x} cr4 {:x} efer {:x} AC {}: {}\n{}", attempt.user ? 3 : 0, attempt.address,
                     static_cast<int>(attempt.kind), attempt.cr0, attempt.cr4, attempt.efer, attempt.alignment_check, difference, path);
}

}  // namespace oracle
