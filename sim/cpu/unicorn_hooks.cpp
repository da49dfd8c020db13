// What runs inside the library's callbacks: answer, count, record. Nothing here decides for the machine.
#include <cstring>
#include <optional>

#include "abi/x64/registers.h"
#include "sim/cpu/unicorn_engine.h"

namespace cpu {

void UnicornEngine::stop_with(Stop reason) {
  if (stop != Stop::None) return;
  stop = reason;
  take_count();
  set_entered(entered());
  set_unwatched(0);
  uc_emu_stop(engine);
}

// --- Blocks and instructions.

/// A block whose translation does not count by itself; or, if `user` is odd, one that does and may need a look.
void UnicornEngine::on_block(uc_engine*, uint64_t address, uint32_t size, void* user) {
  const auto tagged = reinterpret_cast<uintptr_t>(user);
  UnicornEngine& self = *reinterpret_cast<UnicornEngine*>(tagged & ~uintptr_t{1});
  if ((tagged & 1) != 0) return self.enter_counting_block();
  const Block& block = self.blocks_.slot(address);
  const uint64_t tag = self.blocks_.tag(size, self.mode());
  const Block* entered = nullptr;  // and may count itself from now on
  if (block.address == address && block.tag == tag && self.counter().left >= block.facts.count) {
    self.counter().left -= block.facts.count;
    self.set_entered(&block);
    self.cover_block(block);
    entered = &block;
  } else if (&block == self.entered() && self.blocks_.has(block, address, tag) && self.goes_on(block)) {
    --self.counter().left;
    return;
  } else {
    entered = self.enter_block(address, size);
  }
  if (entered != nullptr) self.make_counting(*entered, __builtin_return_address(0));
}

/// One REP instruction, which ran and runs once more.
bool UnicornEngine::goes_on(const Block& block) const {
  return counter().left > 0 && block.facts.ends_repeated && block.facts.count == 1 && !block.facts.must_step &&
         repeat_count(block) != 0;
}

/// It has counted itself already.
void UnicornEngine::enter_counting_block() {
  const Block& block = counting_[counter().entered - 1];
  counter().entered = 0;
  counter().left += block.facts.count;
  (void)enter_block(block.address, block.size, &block);
}

/// The call that returns to `return_address` is how the translation of `block` begins.
void UnicornEngine::make_counting(const Block& block, const void* return_address) {
  constexpr size_t most = 1u << 17;
  constexpr uint32_t enough = 16;
  // Without its page the block may go on in another one.
  if (gear_ != Gear::Fast || unknown_calls_ >= enough || block.bytes == nullptr || discard_blocks_ || !is_plain(block.facts) ||
      holds_host_breakpoint(block.address, block.size))
    return;
  if (counting_.capacity() == 0) {
    translations_ = writable_code_at(return_address);
    counting_.reserve(most);
  }
  if (counting_.size() == most) {
    discard_blocks_ = true;
    return;
  }
  const auto behind = static_cast<size_t>(static_cast<const uint8_t*>(return_address) - translations_.data());
  if (behind < longest_hook_call || behind + behind_hook_call > translations_.size()) {
    ++unknown_calls_;
    return;
  }
  const auto code =
      translations_.subspan(behind - longest_hook_call).first<longest_hook_call + behind_hook_call>();
  const HookCall call{reinterpret_cast<const void*>(&on_block), engine, block.address, block.size, this};
  const auto number = static_cast<uint32_t>(counting_.size() + 1);
  uint8_t* const place = coverage_ != nullptr ? count_and_cover(code, call, block, number)
                                              : count_in_place(code, call, block.facts.count, number);
  if (place == nullptr) {
    ++unknown_calls_;
    return;
  }
  counting_.push_back(block);
  counting_places_.push_back(place);
}

void UnicornEngine::on_code(uc_engine*, uint64_t address, uint32_t, void* user) {
  static_cast<UnicornEngine*>(user)->enter_instruction(address);
}

uint64_t UnicornEngine::repeat_count(const Block& block) const {
  const uint64_t rcx = registers->gpr[vtl::Rcx];
  if (block.facts.repeat_address_size == 8) return rcx;
  return block.facts.repeat_address_size == 4 ? rcx & 0xffffffff : rcx & 0xffff;
}

/// Counts a block after a look at it. The block if it will be executed as a whole, which may count itself from now on.
const Block* UnicornEngine::enter_block(uint64_t address, uint32_t size, const Block* known) {
  if (grant.active) {  // one instruction only: a second block means that its trap did not come
    if (step_blocks_++ != 0) stop_with(Stop::Overrun);
    return nullptr;
  }
  if (stop != Stop::None) return nullptr;
  take_count();
  const Block* const last = entered();
  uint64_t previous = last_address_;  // of the last instruction that was counted
  if (gear_ == Gear::Fast)
    previous = last != nullptr ? last->address + last->facts.last_offset : ~uint64_t{0};
  if (last != nullptr && last->facts.leaves_undefined) make_flags_canonical();
  const Block* block = known != nullptr ? known : blocks_.find(address, size, mode());
  if (block == nullptr) block = examine(address, size);
  set_entered(nullptr);
  refused_block_ = Stop::None;
  step_count = block != nullptr ? block->facts.count : 1;
  // A finished REP instruction is entered once more with a count of zero: no event.
  tail_ = block != nullptr && block->facts.ends_repeated && block->facts.count == 1 &&
          previous == address && repeat_count(*block) == 0;
  if (tail_) return nullptr;
  if (const Stop reason = reason_to_stop_before(block); reason != Stop::None) {
    // With instruction hooks the library does not update RIP for a stop in a block hook.
    if (gear_ == Gear::Fast) {
      stop_with(reason);
    } else {
      refused_block_ = reason;
    }
    return nullptr;
  }
  set_entered(block);
  cover_block(*block);
  if (gear_ != Gear::Fast) return nullptr;
  now += block->facts.count;
  // After a block that leaves flags undefined the next one is looked at, whatever it is.
  set_unwatched(block->facts.leaves_undefined ? 0 : unwatched_limit());
  return block;
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
  const Block* const block = entered();
  if (block != nullptr && block->facts.has_bit_test && point_at_rip().flags_undefined)
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
