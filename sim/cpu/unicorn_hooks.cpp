// What runs inside the library's callbacks: answer, count, record. Nothing here decides for the machine.
#include <cstring>
#include <optional>

#include "abi/x64/registers.h"
#include "sim/cpu/unicorn_engine.h"

namespace cpu {

void UnicornEngine::stop_with(Stop reason) {
  if (stop != Stop::None) return;
  stop = reason;
  unwatched_until_ = 0;
  uc_emu_stop(engine);
}

// --- Blocks and instructions.

void UnicornEngine::on_block(uc_engine*, uint64_t address, uint32_t size, void* user) {
  auto& self = *static_cast<UnicornEngine*>(user);
  // Nearly always: a block seen before that only counts.
  const Block& block = self.blocks_.slot(address);
  if (block.address == address && block.tag == self.blocks_.tag(size, self.mode())) [[likely]] {
    const uint64_t then = self.now + block.facts.count;
    if (then <= self.unwatched_until_) [[likely]] {
      self.now = then;
      self.block_ = &block;
      return;
    }
  }
  self.enter_block(address, size);
}
void UnicornEngine::on_code(uc_engine*, uint64_t address, uint32_t, void* user) {
  static_cast<UnicornEngine*>(user)->enter_instruction(address);
}

uint64_t UnicornEngine::repeat_count(const Block& block) const {
  const uint64_t rcx = registers->gpr[vtl::Rcx];
  if (block.facts.repeat_address_size == 8) return rcx;
  return block.facts.repeat_address_size == 4 ? rcx & 0xffffffff : rcx & 0xffff;
}

void UnicornEngine::enter_block(uint64_t address, uint32_t size) {
  if (grant.active) {  // one instruction only: a second block means that its trap did not come
    if (step_blocks_++ != 0) stop_with(Stop::Overrun);
    return;
  }
  if (stop != Stop::None) return;
  uint64_t previous = last_address_;  // of the last instruction that was counted
  if (gear_ == Gear::Fast)
    previous = block_ != nullptr ? block_->address + block_->facts.last_offset : ~uint64_t{0};
  if (block_ != nullptr && block_->facts.leaves_undefined) make_flags_canonical();
  const Block* block = blocks_.find(address, size, mode());
  if (block == nullptr) block = examine(address, size);
  block_ = nullptr;
  refused_block_ = Stop::None;
  step_count = block != nullptr ? block->facts.count : 1;
  // A finished REP instruction is entered once more with a count of zero: no event.
  tail_ = block != nullptr && block->facts.ends_repeated && block->facts.count == 1 &&
          previous == address && repeat_count(*block) == 0;
  if (tail_) return;
  if (const Stop reason = reason_to_stop_before(block); reason != Stop::None) {
    // With instruction hooks the library does not update RIP for a stop in a block hook.
    if (gear_ == Gear::Fast) return stop_with(reason);
    refused_block_ = reason;
    return;
  }
  block_ = block;
  if (gear_ == Gear::Fast) {
    now += block->facts.count;
    // After a block that leaves flags undefined the next one is looked at, whatever it is.
    unwatched_until_ = block->facts.leaves_undefined ? 0 : unwatched_limit();
  }
}

Stop UnicornEngine::reason_to_stop_before(const Block* block) const {
  if (block == nullptr) return Stop::Step;
  if (now >= deadline) return Stop::Deadline;
  if (interrupt_offered && (registers->rflags & abi::x64::rflags::if_) != 0 &&
      (registers->hidden_flags & hidden::interrupt_shadow) == 0)
    return Stop::Window;
  if (block->facts.must_step || (block->facts.reads_descriptors && cpl() == 3)) return Stop::Step;
  // Those that read descriptors are also those that load RF or inhibit breakpoints.
  if (breakpoints_.execution() &&
      (block->facts.reads_descriptors || breakpoints_.in_code(block->address, block->size)))
    return Stop::Step;
  if (may_meet_host_breakpoint(*block)) return Stop::Step;
  return gear_ == Gear::Fast && block->facts.count > deadline - now ? Stop::Step : Stop::None;
}

void UnicornEngine::enter_instruction(uint64_t address) {
  if (grant.active || tail_ || stop != Stop::None) return;
  if (refused_block_ != Stop::None) return stop_with(refused_block_);
  if (now >= deadline) return stop_with(Stop::Deadline);
  if (observer != nullptr) observe_instruction();
  ++now;
  last_address_ = address;
}

void UnicornEngine::observe_instruction() {
  namespace fl = abi::x64::rflags;
  const uint64_t address = linear_rip();
  // An instruction that was refused and is tried again is shown once.
  if (observed_instant_ == now && observed_address_ == address) return;
  observed_instant_ = now;
  observed_address_ = address;
  publish(publish_context);
  if (block_ != nullptr && block_->facts.has_bit_test && point_at_rip().flags_undefined)
    processor->context().rflags &= ~(fl::of | fl::sf | fl::af | fl::pf);
  observer->before_instruction(support::Instant{now}, *processor);
}

/// Collects the bytes of a block by the engine's own look-ups; false if a page of it is not known to the TLB.
bool UnicornEngine::block_bytes(uint64_t address, uint32_t size, uint8_t* buffer,
                                const uint8_t*& in_ram, uint64_t& spa) {
  const bool user = cpl() == 3;
  in_ram = nullptr;
  for (uint32_t done = 0; done < size;) {
    const mmu::Gva at{address + done};
    const mmu::TlbEntry* entry = translator_.lookup(space(), at, mmu::AccessKind::Execute, user);
    if (entry == nullptr || !entry->has(mmu::TlbEntry::Ram)) return false;
    const uint64_t here = entry->spa().value() + at.page_offset();
    const uint32_t part =
        static_cast<uint32_t>(std::min<uint64_t>(size - done, abi::page_size - at.page_offset()));
    if (part == size) {
      in_ram = memory_.data() + here;
      spa = here;
    }
    std::memcpy(buffer + done, memory_.data() + here, part);
    done += part;
  }
  return true;
}

const Block* UnicornEngine::examine(uint64_t address, uint32_t size) {
  uint8_t buffer[2 * abi::page_size];
  if (size > sizeof buffer || size == 0) return nullptr;
  const uint8_t* in_ram = nullptr;
  uint64_t spa = 0;
  if (!block_bytes(address, size, buffer, in_ram, spa)) return nullptr;
  const bool watched = holds_host_breakpoint(address, size);
  return &blocks_.insert(address, {buffer, size}, code_size(), mode(), in_ram, spa, watched);
}

// --- Fills.

bool UnicornEngine::on_fill(uc_engine*, uint64_t address, uc_mem_type type, uc_tlb_entry* entry,
                            void* user) {
  return static_cast<UnicornEngine*>(user)->fill(address, type, entry);
}

bool UnicornEngine::refuse(RefusalKind kind, mmu::AccessKind access, uint64_t address,
                           mmu::Spa page) {
  refusal.kind = kind;
  refusal.access = access;
  refusal.page_address = address;
  refusal.page = page;
  return false;
}

bool UnicornEngine::fill(uint64_t address, uc_mem_type type, uc_tlb_entry* entry) {
  if (registers == nullptr || discarding_) return fill_private(address, type, entry);
  const mmu::AccessKind access = type == UC_MEM_FETCH   ? mmu::AccessKind::Execute
                                 : type == UC_MEM_WRITE ? mmu::AccessKind::Write
                                                        : mmu::AccessKind::Read;
  bool user = cpl() == 3;
  bool implicit = false;
  if (grant.descriptors && access != mmu::AccessKind::Execute && in_descriptor_tables(address)) {
    user = false;
    implicit = true;
  }
  const bool watched = breakpoints_.data() && access != mmu::AccessKind::Execute &&
                       breakpoints_.in_page_of(address);
  if (watched && !grant.active) return refuse(RefusalKind::Watch, access, address);
  const mmu::AddressSpace& in = space();
  if (const mmu::TlbEntry* known =
          translator_.lookup(in, mmu::Gva{address}, access, user, implicit);
      known != nullptr)
    return answer(access, address, known->spa(), known->has(mmu::TlbEntry::Ram),
                  mmu::granted(in, *known, user, implicit), entry);
  // Blocks are translated ahead of what executes: such a fetch must not change the TLB (engine.md section 11).
  if (access == mmu::AccessKind::Execute && !grant.active &&
      mmu::Gva{address}.page_base() != mmu::Gva{linear_rip()}.page_base())
    return refuse(RefusalKind::Prefetch, access, address);
  const mmu::TranslationResult result =
      translator_.translate(in, {mmu::Gva{address}, access, user, implicit});
  if (!result.ok) {
    refusal.fault = result.fault;
    return refuse(RefusalKind::Fault, access, address);
  }
  if (translator_.epoch(in.partition, in.vtl) != tlb_epoch_ || memory_.code_epoch() != code_epoch_)
    return refuse(RefusalKind::Retry, access, address);
  const mmu::Translation& to = result.translation;
  const auto rights =
      static_cast<uint8_t>((to.readable ? mmu::grant::read : 0) | mmu::grant::of(access));
  return answer(access, address, to.spa.page_base(), to.ram, rights, entry);
}

bool UnicornEngine::answer(mmu::AccessKind access, uint64_t address, mmu::Spa page, bool ram,
                           uint8_t rights, uc_tlb_entry* entry) {
  entry->paddr = page.value();
  if (breakpoints_.data() && access != mmu::AccessKind::Execute && breakpoints_.in_page_of(address)) {
    watched_.push_back({address, page.value()});
    if (ram) return answer_watched(access, page, rights, entry);
  }
  if (!ram) {
    if (!grant.device || page.value() >= private_base || access == mmu::AccessKind::Execute)
      return refuse(RefusalKind::Device, access, address, page);
    entry->perms = static_cast<uc_prot>(UC_PROT_READ | UC_PROT_WRITE);
    return true;
  }
  const uint64_t number = page.page_number();
  const int read = (rights & mmu::grant::read) != 0 ? UC_PROT_READ : 0;
  if (access == mmu::AccessKind::Execute) {
    for (unsigned i = 0; grant.copy && i < 2; ++i) {
      if (grant.copied_address[i] != address) continue;
      entry->paddr = private_copy + i * abi::page_size;
      entry->perms = UC_PROT_EXEC;
      return true;
    }
    if (!pages_.ready(number)) return refuse(RefusalKind::NeedCode, access, address, page);
    if (pages_.dangerous(number) || dangerous_with_neighbour(address, number)) {
      if (!grant.active) return refuse(RefusalKind::Danger, access, address, page);
      granted_for_steps_ = true;
    }
    entry->perms = static_cast<uc_prot>(UC_PROT_EXEC | read);
    return true;
  }
  if (access == mmu::AccessKind::Read) {
    entry->perms = UC_PROT_READ;
    return true;
  }
  const bool copied = grant.copy && (page == grant.copied_page[0] || page == grant.copied_page[1]);
  if (memory_.state(number) == mmu::PageState::Code && !copied)
    return refuse(RefusalKind::NeedData, access, address, page);
  memory_.mark_dirty(number);
  entry->perms = static_cast<uc_prot>(UC_PROT_WRITE | read);
  return true;
}

/// The pages before and behind in linear order, as far as our TLB knows them: what it does not know, the engine's cannot
/// hold, and asks for before it fetches from there.
bool UnicornEngine::dangerous_with_neighbour(uint64_t address, uint64_t page) {
  const auto neighbour = [&](uint64_t at) -> std::optional<uint64_t> {
    const mmu::TlbEntry* entry = translator_.tlb().find(space(), mmu::Gva{at});
    if (entry == nullptr || !entry->has(mmu::TlbEntry::Ram)) return std::nullopt;
    return entry->spa().page_number();
  };
  if (pages_.open_ended(page)) {
    // The last page of a 4 GiB or of all address space: what follows depends on the mode.
    if (static_cast<uint32_t>(address + abi::page_size) == 0) return true;
    if (const auto next = neighbour(address + abi::page_size); next && pages_.dangerous_together(page, *next))
      return true;
  }
  const auto previous = neighbour(address - abi::page_size);
  return previous && pages_.dangerous_together(*previous, page);
}

/// RAM as a device: each access to it is seen.
bool UnicornEngine::answer_watched(mmu::AccessKind access, mmu::Spa page, uint8_t rights,
                                   uc_tlb_entry* entry) {
  entry->paddr = watch_window + page.value();
  const int read = (rights & mmu::grant::read) != 0 ? UC_PROT_READ : 0;
  entry->perms = access == mmu::AccessKind::Read ? UC_PROT_READ
                                                 : static_cast<uc_prot>(UC_PROT_WRITE | read);
  return true;
}

/// Before the engine is set up, and while code is discarded.
bool UnicornEngine::fill_private(uint64_t address, uc_mem_type, uc_tlb_entry* entry) const {
  entry->paddr = discarding_ ? address & ((uint64_t{1} << 56) - 1) : address;
  entry->perms = UC_PROT_ALL;
  const bool is_private =
      entry->paddr >= private_base && entry->paddr < private_base + private_size;
  return is_private || (discarding_ && entry->paddr < memory_.size());
}

bool UnicornEngine::in_descriptor_tables(uint64_t page_address) const {
  const auto overlaps = [&](const EngineSegment& table) {
    return page_address + abi::page_size > table.base && page_address <= table.base + table.limit;
  };
  return overlaps(registers->gdt) || overlaps(registers->ldt) || overlaps(registers->tr);
}

// --- Exits.

void UnicornEngine::on_exit(uc_engine* uc, uint32_t number, void* user) {
  auto& self = *static_cast<UnicornEngine*>(user);
  if (self.registers == nullptr) {  // the first exit, in open_engine()
    uc_emu_stop(uc);
    return;
  }
  if (self.stop != Stop::None) return;  // stopping looks like HLT
  self.exit_code = number - 0x100;
  self.stop_with(Stop::Exit);
}

void UnicornEngine::on_syscall(uc_engine*, void* user) {
  static_cast<UnicornEngine*>(user)->stop_with(Stop::Syscall);
}

void UnicornEngine::touch(mmu::Spa at, unsigned bytes, bool write) {
  for (const WatchedPage& page : watched_) {
    if (page.physical == at.page_base().value())
      touches_.push_back({page.linear + at.page_offset(), bytes, write});
  }
}

uint64_t UnicornEngine::on_watched_read(uc_engine*, uint64_t offset, unsigned size, void* user) {
  auto& self = *static_cast<UnicornEngine*>(user);
  uint64_t value = 0;
  const mmu::Spa at{offset};
  if (!self.memory_.contains(at, size)) return ~uint64_t{0};
  std::memcpy(&value, self.memory_.data() + offset, size);
  self.touch(at, size, false);
  return value;
}

void UnicornEngine::on_watched_write(uc_engine*, uint64_t offset, unsigned size, uint64_t value,
                                     void* user) {
  auto& self = *static_cast<UnicornEngine*>(user);
  const mmu::Spa at{offset};
  if (self.memory_.write(at, std::span{reinterpret_cast<const uint8_t*>(&value), size}))
    self.touch(at, size, true);
}

uint64_t UnicornEngine::on_device_read(uc_engine*, uint64_t offset, unsigned size, void* user) {
  auto& self = *static_cast<UnicornEngine*>(user);
  self.touch(mmu::Spa{self.memory_.size() + offset}, size, false);
  if (self.bus == nullptr || self.processor == nullptr) return ~uint64_t{0};
  return self.bus->mmio_read(*self.processor, {self.now}, mmu::Spa{self.memory_.size() + offset},
                             static_cast<uint8_t>(size));
}

void UnicornEngine::on_device_write(uc_engine*, uint64_t offset, unsigned size, uint64_t value,
                                    void* user) {
  auto& self = *static_cast<UnicornEngine*>(user);
  self.touch(mmu::Spa{self.memory_.size() + offset}, size, true);
  if (self.bus == nullptr || self.processor == nullptr) return;
  self.device_written = true;
  self.bus->mmio_write(*self.processor, {self.now}, mmu::Spa{self.memory_.size() + offset},
                       static_cast<uint8_t>(size), value);
}

}  // namespace cpu
