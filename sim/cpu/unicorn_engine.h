#pragma once
// One engine: one VTL of one virtual processor. It runs until something must be decided outside and says what; it decides
// nothing. Callbacks of the library only answer and record (engine.md: no exceptions, no register writes in a fill).
#include <cstdint>
#include <memory>
#include <vector>

#include "mmu/translator.h"
#include "sim/cpu/block_cache.h"
#include "sim/cpu/block_counter.h"
#include "sim/cpu/block_coverage.h"
#include "sim/cpu/breakpoints.h"
#include "sim/cpu/code_pages.h"
#include "sim/cpu/cpu.h"
#include "sim/cpu/unicorn_cpu.h"
#include "sim/cpu/unicorn_guest_mode.h"
#include "sim/cpu/unicorn_layout.h"

namespace cpu {

/// Why an engine came back.
enum class Stop : uint8_t {
  None,
  Deadline,  ///< the next instruction is past the deadline
  Step,      ///< the block at RIP must be run in single steps, or ends past the deadline
  Window,    ///< an interrupt is offered and can be taken here
  Exit,      ///< exit_code: an intercepted instruction or an exception; not executed, RIP at it
  Syscall,   ///< SYSCALL: RIP behind it
  Overrun,   ///< a single step ended without its trap (SYSRET clears TF)
  Refused,   ///< a fill was refused: see refusal
  Failure,   ///< the library failed: `error`
};

/// Why a fill was refused.
enum class RefusalKind : uint8_t {
  Fault,     ///< no translation: fault says why
  Prefetch,  ///< a fetch for an instruction that may never be reached
  Retry,     ///< translated, but something must be flushed first
  Device,    ///< not RAM
  NeedCode,  ///< the page must become code first
  NeedData,  ///< the page is code and must become data first
  Danger,    ///< the page, or it together with the one before or behind, may only be run in single steps
  Watch,     ///< a data breakpoint is in the page
};

struct Refusal {
  RefusalKind kind{};
  mmu::AccessKind access{};
  uint64_t page_address{};  ///< linear, page-aligned
  mmu::Spa page;            ///< except Fault and Prefetch
  mmu::Fault fault;
};

/// Exceptions for one single step.
struct StepGrant {
  bool active{};       ///< a single step is under way
  bool device{};       ///< device memory may be touched
  bool descriptors{};  ///< accesses within descriptor tables are the processor's own
  bool
      copy{};  ///< fetches from copied_page[0..1] come from private copies; writes there are allowed
  uint64_t copied_address[2]{~uint64_t{0}, ~uint64_t{0}};  ///< linear page addresses
  mmu::Spa copied_page[2];
};

/// Gives back memory from mmap().
struct UnmapCode {
  size_t size{};
  void operator()(uint8_t* at) const;
};

class UnicornEngine {
 public:
  /// Null if the library fails; `failure` says at what.
  [[nodiscard]] static std::unique_ptr<UnicornEngine> open(const CpuConfig& config,
                                                           mmu::PhysicalMemory& memory,
                                                           mmu::Translator& translator,
                                                           CodePages& pages, const char*& failure);
  ~UnicornEngine();
  UnicornEngine(const UnicornEngine&) = delete;
  UnicornEngine& operator=(const UnicornEngine&) = delete;

  /// Runs from RIP on. Afterwards the arithmetic flags are canonical and `now` counts what was executed.
  Stop run();
  /// Executes one instruction under the trap flag; counts nothing. Exit with code 0x41, or Overrun: it was executed.
  Stop single_step();

  /// Sets the flags that a bit test leaves undefined to zero.
  void make_flags_canonical();
  /// Shows the instruction at RIP to the observer, once for each instant.
  void observe_instruction();
  /// The instruction at RIP is shown even if it was shown before.
  void forget_observed() { observed_instant_ = ~uint64_t{0}; }
  /// The next synchronise() discards what the engine remembers of translations.
  void request_flush() { flush_needed_ = true; }
  /// Brings the engine up to date with page states, TLB epochs and the address space. Called before each run() and each
  /// single_step().
  void synchronise(bool for_step = false);
  void set_space(const mmu::AddressSpace& space);
  [[nodiscard]] const mmu::AddressSpace& space();
  /// Copies a page that holds the instruction at RIP (`index` 0 or 1) and grants, for the next single step, that it is
  /// fetched from the copy, so that the instruction may write to the page itself.
  void copy_code(unsigned index, uint64_t linear_page, mmu::Spa page);

  /// IRET leaves the engine: while NMIs are blocked.
  void intercept_interrupt_return(bool on) { intercept(intercept_iret, on); }
  /// Those of whoever runs the machine; null: none.
  void use(const HostBreakpoints* breakpoints);
  [[nodiscard]] bool holds_host_breakpoint(uint64_t address, uint64_t bytes) const;
  [[nodiscard]] bool may_meet_host_breakpoint(const Block& block) const;
  /// Where entered blocks are counted; null: nowhere.
  void cover(BlockCoverage* coverage);
  /// Debug registers, as the VirtualProcessor has them now.
  void set_breakpoints(const vtl::VirtualProcessor& vp);
  [[nodiscard]] const Breakpoints& breakpoints() const { return breakpoints_; }
  /// Accesses to watched pages by the last single step.
  [[nodiscard]] const std::vector<MemoryTouch>& touches() const { return touches_; }

  /// Blocks that count themselves: none if the library translates calls of hooks in a way that this program does not know.
  [[nodiscard]] size_t counting_blocks() const { return counting_.size(); }

  [[nodiscard]] uint64_t rflags() const;
  void set_rflags(uint64_t value);
  [[nodiscard]] CodeSize code_size() const;
  /// Linear address of the instruction at RIP.
  [[nodiscard]] uint64_t linear_rip() const;
  [[nodiscard]] uint8_t cpl() const { return registers->hidden_flags & hidden::cpl; }
  [[nodiscard]] uint32_t error_code() const {
    return field_at<uint32_t>(registers, layout.error_code);
  }
  [[nodiscard]] uint64_t fault_address() const;
  template <class T>
  [[nodiscard]] T& field(size_t offset) const {
    return field_at<T>(registers, offset);
  }

  const EngineLayout& layout;
  uc_engine* engine{};
  EngineRegisters* registers{};

  // What the callbacks work with; set before run().
  uint64_t now{}, deadline{};
  bool interrupt_offered{};
  StepGrant grant;
  vtl::VirtualProcessor* processor{};
  MmioBus* bus{};
  vtl::InstructionObserver* observer{};
  void (*publish)(void*){};  ///< brings `processor` up to date for the observer
  void* publish_context{};

  // What happened.
  Stop stop{};
  uint32_t exit_code{};
  uint32_t step_count{};  ///< Stop::Step: instructions in the block
  bool resume{};          ///< RFLAGS.RF, kept while instruction breakpoints are enabled
  bool device_written{};  ///< set by a write to a device; the owner clears it
  Refusal refusal;
  uc_err error{};

  // Kept by RegisterTransfer: what this engine's registers are known to be equal to.
  struct Loaded;
  std::unique_ptr<Loaded> loaded;

 private:
  UnicornEngine(const EngineLayout& engine_layout, const CpuConfig& config,
                mmu::PhysicalMemory& memory, mmu::Translator& translator, CodePages& pages);
  void intercept(uint64_t bit, bool on) {
    auto& mask = field<uint64_t>(layout.intercepts);
    mask = on ? mask | bit : mask & ~bit;
  }
  const char* open_engine();
  Stop execute();
  void flush();
  void settle();
  void settle_unexecuted();
  [[nodiscard]] BlockPoint point_at_rip();

  void flush_blocks();
  const Block* examine(uint64_t address, uint32_t size);
  bool block_bytes(uint64_t address, uint32_t size, uint8_t* buffer, const uint8_t*& in_ram,
                   uint64_t& spa);
  const Block* enter_block(uint64_t address, uint32_t size, const Block* known = nullptr);
  [[nodiscard]] bool goes_on(const Block& block) const;
  void enter_counting_block();
  void make_counting(const Block& block, const void* return_address);
  void cover_block(const Block& block);
  uint8_t* count_and_cover(std::span<uint8_t, longest_hook_call + behind_hook_call> code, const HookCall& call,
                           const Block& block, uint32_t number);
  [[nodiscard]] BlockCounter& counter() const { return reinterpret_cast<BlockCounter*>(registers)[-1]; }
  /// The block entered last and counted; null once what happened in it is settled.
  [[nodiscard]] const Block* entered() const {
    return counter().entered != 0 ? &counting_[counter().entered - 1] : block_;
  }
  void set_entered(const Block* block) {
    block_ = block;
    counter().entered = 0;
  }
  /// Brings `now` up to date with what blocks counted without anybody looking.
  void take_count() {
    now += static_cast<uint64_t>(left_at_look_ - counter().left);
    left_at_look_ = counter().left;
  }
  /// Blocks that end up to this instant need no look before they run. `now` is up to date.
  void set_unwatched(uint64_t until) {
    constexpr uint64_t most = ~uint64_t{0} >> 1;
    counter().left = until > now ? static_cast<int64_t>(std::min(until - now, most)) : -1;
    left_at_look_ = counter().left;
  }
  /// What distinguishes code sizes in the block cache.
  [[nodiscard]] uint32_t mode() const {
    return registers->hidden_flags & (hidden::code64 | hidden::code32);
  }
  [[nodiscard]] Stop reason_to_stop_before(const Block* block) const;
  /// Instants up to which blocks need no look before they run.
  [[nodiscard]] uint64_t unwatched_limit() const {
    return gear_ == Gear::Exact || grant.active || interrupt_offered || breakpoints_.execution()
               ? 0
               : deadline;
  }
  void enter_instruction(uint64_t address);
  bool fill(uint64_t address, uc_mem_type type, uc_tlb_entry* entry);
  bool fill_private(uint64_t address, uc_mem_type type, uc_tlb_entry* entry) const;
  bool refuse(RefusalKind kind, mmu::AccessKind access, uint64_t address,
              mmu::Spa page = mmu::Spa{});
  [[nodiscard]] bool dangerous_with_neighbour(uint64_t address, uint64_t page);
  bool answer(mmu::AccessKind access, uint64_t address, mmu::Spa page, bool ram, uint8_t rights,
              uc_tlb_entry* entry);
  [[nodiscard]] bool in_descriptor_tables(uint64_t page_address) const;
  [[nodiscard]] uint64_t repeat_count(const Block& block) const;
  void discard_page(uint64_t page);
  void stop_with(Stop reason);
  static bool answer_watched(mmu::AccessKind access, mmu::Spa page, uint8_t rights,
                             uc_tlb_entry* entry);
  void touch(mmu::Spa at, unsigned bytes, bool write);

  static bool on_fill(uc_engine*, uint64_t address, uc_mem_type type, uc_tlb_entry* entry,
                      void* user);
  static void on_block(uc_engine*, uint64_t address, uint32_t size, void* user);
  static void on_code(uc_engine*, uint64_t address, uint32_t size, void* user);
  static void on_exit(uc_engine*, uint32_t number, void* user);
  static void on_syscall(uc_engine*, void* user);
  static uint64_t on_watched_read(uc_engine*, uint64_t offset, unsigned size, void* user);
  static void on_watched_write(uc_engine*, uint64_t offset, unsigned size, uint64_t value,
                               void* user);
  static uint64_t on_device_read(uc_engine*, uint64_t offset, unsigned size, void* user);
  static void on_device_write(uc_engine*, uint64_t offset, unsigned size, uint64_t value,
                              void* user);

  Gear gear_;
  mmu::PhysicalMemory& memory_;
  mmu::Translator& translator_;
  CodePages& pages_;
  mmu::ZeroedMemory private_memory_;
  BlockCache blocks_;
  mmu::AddressSpace space_;
  mmu::PhysicalMemory::CodeConsumer consumer_;
  std::vector<mmu::PageStateChange> changes_;
  uint64_t tlb_epoch_{}, code_epoch_{}, dirty_epoch_{};
  bool flush_needed_{true};
  bool granted_for_steps_{};  ///< what the engine's TLB holds is for single steps: flushed before blocks run
  bool executing_{};   ///< inside uc_emu_start
  bool discarding_{};  ///< fills answer for the discard window
  uint32_t step_blocks_{};

  uint64_t observed_instant_{~uint64_t{0}}, observed_address_{};

  Breakpoints breakpoints_;
  const HostBreakpoints* host_breakpoints_{};
  uint64_t host_version_{};
  struct WatchedPage {
    uint64_t linear{}, physical{};
  };
  std::vector<WatchedPage> watched_;  ///< pages of breakpoints that this single step reached
  std::vector<MemoryTouch> touches_;

  // Counting. While the library executes, `now` is what take_count() makes it.
  int64_t left_at_look_{};         ///< left when `now` was up to date
  std::vector<Block> counting_;    ///< blocks whose translation counts by itself, by number - 1; never moves
  std::vector<uint8_t*> counting_places_;  ///< where each of them decides whether to call the hook
  std::span<uint8_t> translations_;  ///< the library's buffer
  uint32_t unknown_calls_{};       ///< of the hook, which were not as expected
  bool discard_blocks_{};          ///< there are too many, or they count what they should not
  BlockCoverage* coverage_{};
  std::unique_ptr<uint8_t, UnmapCode> outside_;  ///< code of covered blocks, by number - 1
  const Block* block_{};  ///< entered last, unless a counting block was
  bool tail_{};           ///< this is the re-entry of a finished REP instruction: it counts nothing
  Stop refused_block_{};  ///< Exact gear: the block's first instruction stops for this
  uint64_t last_address_{~uint64_t{0}};  ///< Exact gear: of the last instruction that was counted
};

}  // namespace cpu
