#include "sim/cpu/unicorn_engine.h"

#include <cstring>

#include "abi/x64/registers.h"
#include "sim/cpu/unicorn_loaded.h"

namespace cpu {
namespace {

constexpr uint32_t translation_buffer =
    32u << 20;  // the default of 1 GiB makes each full flush cost seconds
/// No guest address, because it is not canonical: where pages appear while their translated code is discarded.
constexpr uint64_t discard_window = uint64_t{1} << 56;
constexpr uint32_t exit_single_step = 0x41;

template <class Function>
void* callback(Function function) {
  return reinterpret_cast<void*>(function);
}

}  // namespace

UnicornEngine::UnicornEngine(const EngineLayout& engine_layout, const CpuConfig& config,
                             mmu::PhysicalMemory& memory, mmu::Translator& translator,
                             CodePages& pages)
    : layout{engine_layout},
      loaded{std::make_unique<Loaded>()},
      gear_{config.gear},
      memory_{memory},
      translator_{translator},
      pages_{pages},
      private_memory_{private_size},
      blocks_{memory.page_count(), {.locked_in_steps = config.yield_at_locked}},
      consumer_{memory.add_code_consumer()},
      code_epoch_{memory.code_epoch()},
      dirty_epoch_{memory.dirty_epoch()} {}

UnicornEngine::~UnicornEngine() {
  if (engine != nullptr) uc_close(engine);
  memory_.remove_code_consumer(consumer_);
}

std::unique_ptr<UnicornEngine> UnicornEngine::open(const CpuConfig& config,
                                                   mmu::PhysicalMemory& memory,
                                                   mmu::Translator& translator, CodePages& pages,
                                                   const char*& failure) {
  const auto& calibrated = engine_layout();
  if (!calibrated.ok()) {
    failure = calibrated.error().message.c_str();
    return nullptr;
  }
  std::unique_ptr<UnicornEngine> result{
      new UnicornEngine{calibrated.value(), config, memory, translator, pages}};
  failure = result->open_engine();
  if (failure != nullptr) return nullptr;
  return result;
}

const char* UnicornEngine::open_engine() {
  if (uc_open(UC_ARCH_X86, UC_MODE_64, &engine) != UC_ERR_OK) {
    engine = nullptr;
    return "the engine does not open";
  }
  const uint64_t ram = memory_.size();
  bool good = uc_ctl_set_cpu_model(engine, UC_CPU_X86_OPTERON_G5) == UC_ERR_OK &&
              uc_ctl_set_tcg_buffer_size(engine, translation_buffer) == UC_ERR_OK &&
              uc_mem_map_ptr(engine, 0, ram, UC_PROT_ALL, memory_.data()) == UC_ERR_OK &&
              uc_mmio_map(engine, ram, private_base - ram, &on_device_read, this, &on_device_write,
                          this) == UC_ERR_OK &&
              uc_mmio_map(engine, watch_window, ram, &on_watched_read, this, &on_watched_write,
                          this) == UC_ERR_OK &&
              uc_ctl_exits_enable(engine) == UC_ERR_OK &&
              uc_ctl_tlb_mode(engine, UC_TLB_VIRTUAL) == UC_ERR_OK;
  uc_hook hook{};
  const auto add = [&](int type, void* function, int instruction = 0) {
    good = good && uc_hook_add(engine, &hook, type, function, this, 1, 0, instruction) == UC_ERR_OK;
  };
  add(UC_HOOK_TLB_FILL, callback(&on_fill));
  add(UC_HOOK_INTR, callback(&on_exit));
  if (!good) return "the engine refuses its configuration";
  if (const char* failure = enter_guest_mode(engine, private_memory_); failure != nullptr)
    return failure;
  registers = registers_of(engine, layout);
  add(UC_HOOK_INSN, callback(&on_syscall), UC_X86_INS_SYSCALL);
  add(UC_HOOK_BLOCK, callback(&on_block));
  if (gear_ == Gear::Exact) add(UC_HOOK_CODE, callback(&on_code));
  // Once after the first run: a full translation buffer is handled only from then on (engine.md section 9).
  if (!good || uc_ctl_flush_tb(engine) != UC_ERR_OK) return "the engine refuses its hooks";
  if ((registers->hidden_flags & hidden::guest) == 0) return "the engine is not in guest mode";
  return nullptr;
}

Stop UnicornEngine::run() {
  grant = StepGrant{};
  stop = Stop::None;
  execute();
  settle();
  return stop;
}

Stop UnicornEngine::single_step() {
  grant.active = true;
  step_blocks_ = 0;
  stop = Stop::None;
  watched_.clear();
  touches_.clear();
  registers->rflags |= abi::x64::rflags::tf;
  execute();
  grant = StepGrant{};
  if (!watched_.empty()) flush_needed_ = true;  // they were reachable for this step
  return stop;
}

Stop UnicornEngine::execute() {
  set_entered(nullptr);
  tail_ = false;
  refused_block_ = Stop::None;
  set_unwatched(unwatched_limit());
  last_address_ = ~uint64_t{0};
  executing_ = true;
  error = uc_emu_start(engine, registers->rip, 0, 0, 0);
  executing_ = false;
  take_count();
  if (error == UC_ERR_EXCEPTION) {
    stop = Stop::Refused;
  } else if (error != UC_ERR_OK || stop == Stop::None) {
    stop = Stop::Failure;
  }
  return stop;
}

BlockPoint UnicornEngine::point_at_rip() {
  const Block& block = *entered();
  const uint64_t offset = linear_rip() - block.address;
  if (block.bytes != nullptr)
    return point_in_block({block.bytes, block.size}, block.code_size, offset);
  std::vector<uint8_t> bytes(block.size);
  const uint8_t* in_ram = nullptr;
  uint64_t spa = 0;
  if (!block_bytes(block.address, block.size, bytes.data(), in_ram, spa)) return {};
  return point_in_block(bytes, block.code_size, offset);
}

/// The instruction at RIP was counted with its block, or by itself, but did not execute.
void UnicornEngine::settle_unexecuted() {
  const Block& block = *entered();
  if (linear_rip() - block.address >= block.size) {  // it had ended
    if (block.facts.leaves_undefined) make_flags_canonical();
    return;
  }
  if (gear_ == Gear::Exact) {
    if (last_address_ == linear_rip()) --now;
    if (block.facts.has_bit_test && point_at_rip().flags_undefined) make_flags_canonical();
    return;
  }
  if (linear_rip() - block.address == block.facts.last_offset && !block.facts.has_bit_test) {
    --now;
    return;
  }
  const BlockPoint point = point_at_rip();
  now -= block.facts.count - point.count;
  if (point.flags_undefined) make_flags_canonical();
}

void UnicornEngine::settle() {
  const Block* const block = entered();
  if (block == nullptr) return;
  const bool inside = linear_rip() - block->address < block->size;
  const bool fetch = stop == Stop::Refused && refusal.access == mmu::AccessKind::Execute;
  const bool trapped = stop == Stop::Exit && exit_code == exit_single_step;
  const bool ended = fetch || trapped || stop == Stop::Syscall || !inside;
  if (coverage_ != nullptr && !ended) coverage_->go_on(processor->number);
  if (stop == Stop::Deadline) {
    if (block->facts.has_bit_test && point_at_rip().flags_undefined) make_flags_canonical();
  } else if (fetch || trapped || stop == Stop::Syscall) {
    if (block->facts.leaves_undefined) make_flags_canonical();
  } else {
    settle_unexecuted();
  }
  set_entered(nullptr);
}

void UnicornEngine::make_flags_canonical() {
  namespace fl = abi::x64::rflags;
  if (executing_) {
    registers->cc_source = rflags() & (fl::cf | fl::zf);
    registers->cc_operation = flags_are_in_source;
  } else {
    registers->rflags &= ~(fl::of | fl::sf | fl::af | fl::pf);
  }
}

void UnicornEngine::flush() {
  (void)uc_ctl_flush_tlb(engine);
  blocks_.forget_linear();
  flush_needed_ = false;
  granted_for_steps_ = false;
}

/// Between runs. The library forgets all translations; numbers begin anew.
void UnicornEngine::flush_blocks() {
  (void)uc_ctl_flush_tb(engine);
  counting_.clear();
  counting_places_.clear();
  discard_blocks_ = false;
}

void UnicornEngine::discard_page(uint64_t page) {
  const uint64_t address = discard_window + page * abi::page_size;
  discarding_ = true;
  (void)uc_ctl_remove_cache(engine, address, address + abi::page_size);
  discarding_ = false;
  blocks_.forget_page(page);
  pages_.forget(page);
}

void UnicornEngine::synchronise(bool for_step) {
  if (discard_blocks_) flush_blocks();
  if (code_epoch_ != memory_.code_epoch()) {
    code_epoch_ = memory_.code_epoch();
    changes_.clear();
    memory_.drain_code_invalidations(consumer_, changes_);
    for (const mmu::PageStateChange& change : changes_) {
      if (change.became_data) discard_page(change.page);
    }
    flush_needed_ = true;
  }
  if (dirty_epoch_ != memory_.dirty_epoch()) {
    dirty_epoch_ = memory_.dirty_epoch();
    flush_needed_ = true;
  }
  const uint64_t epoch = translator_.epoch(space_.partition, space_.vtl);
  if (tlb_epoch_ != epoch) {
    tlb_epoch_ = epoch;
    flush_needed_ = true;
  }
  if (flush_needed_ || (granted_for_steps_ && !for_step)) flush();
}

void UnicornEngine::set_space(const mmu::AddressSpace& space) {
  const auto& a = space_.stage1;
  const auto& b = space.stage1;
  const bool same = space_.partition == space.partition && space_.vtl == space.vtl &&
                    space_.vp == space.vp && space_.slat == space.slat &&
                    space_.mbec == space.mbec && a.cr0 == b.cr0 && a.cr3 == b.cr3 &&
                    a.cr4 == b.cr4 && a.efer == b.efer;
  space_ = space;
  if (!same) flush_needed_ = true;
}

const mmu::AddressSpace& UnicornEngine::space() {
  space_.stage1.alignment_check = (registers->rflags & abi::x64::rflags::ac) != 0;
  return space_;
}

void UnicornEngine::copy_code(unsigned index, uint64_t linear_page, mmu::Spa page) {
  uint8_t* to = static_cast<uint8_t*>(private_memory_.data()) + (private_copy - private_base) +
                index * abi::page_size;
  std::memcpy(to, memory_.page_pointer(page), abi::page_size);
  discarding_ = true;
  const uint64_t address = discard_window + private_copy + index * abi::page_size;
  (void)uc_ctl_remove_cache(engine, address, address + abi::page_size);
  discarding_ = false;
  flush_needed_ = true;
  grant.copy = true;
  grant.copied_address[index] = linear_page;
  grant.copied_page[index] = page;
}

// While the library executes, arithmetic flags and DF are apart from RFLAGS; when it returns it puts them together.
// RF: the engine clears it at the end of a block, the processor after one instruction. So it is kept apart (`resume`), and
// only while it matters.

uint64_t UnicornEngine::rflags() const {
  const uint64_t rf = resume ? abi::x64::rflags::rf : 0;
  if (!executing_) return (registers->rflags & ~abi::x64::rflags::rf) | rf;
  uint64_t value = 0;
  uc_reg_read(engine, UC_X86_REG_RFLAGS, &value);
  return (value & ~abi::x64::rflags::rf) | rf;
}

void UnicornEngine::set_rflags(uint64_t value) {
  registers->rflags = (value & ~abi::x64::rflags::rf) | abi::x64::rflags::always_one;
  resume = (value & abi::x64::rflags::rf) != 0 && breakpoints_.execution();
}

CodeSize UnicornEngine::code_size() const {
  if ((registers->hidden_flags & hidden::code64) != 0) return CodeSize::Bits64;
  return (registers->hidden_flags & hidden::code32) != 0 ? CodeSize::Bits32 : CodeSize::Bits16;
}

uint64_t UnicornEngine::linear_rip() const {
  if ((registers->hidden_flags & hidden::code64) != 0) return registers->rip;
  return static_cast<uint32_t>(registers->rip + registers->segments[vtl::Cs].base);
}

uint64_t UnicornEngine::fault_address() const {
  uint64_t value;
  std::memcpy(&value, reinterpret_cast<const uint8_t*>(engine) + layout.engine_fault_address,
              sizeof value);
  return value;
}

}  // namespace cpu
