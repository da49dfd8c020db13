#include "sim/cpu/unicorn_layout.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "sim/cpu/block_counter.h"
#include "sim/cpu/unicorn_guest_mode.h"

namespace cpu {
namespace {

constexpr uint64_t probe_ram = 0x100000;
constexpr uint64_t code_at = 0x4000;

/// A throw-away engine.
class Probe {
 public:
  Probe() : ram_{probe_ram}, private_{private_size} {
    if (uc_open(UC_ARCH_X86, UC_MODE_64, &engine) != UC_ERR_OK) {
      engine = nullptr;
      return;
    }
    uc_hook hook{};
    usable = uc_ctl_set_cpu_model(engine, UC_CPU_X86_OPTERON_G5) == UC_ERR_OK &&
             uc_ctl_set_tcg_buffer_size(engine, 8u << 20) == UC_ERR_OK &&
             uc_mem_map_ptr(engine, 0, probe_ram, UC_PROT_ALL, ram_.data()) == UC_ERR_OK &&
             uc_ctl_exits_enable(engine) == UC_ERR_OK &&
             uc_ctl_tlb_mode(engine, UC_TLB_VIRTUAL) == UC_ERR_OK &&
             uc_hook_add(engine, &hook, UC_HOOK_TLB_FILL, reinterpret_cast<void*>(&on_fill), this,
                         1, 0) == UC_ERR_OK &&
             uc_hook_add(engine, &hook, UC_HOOK_INTR, reinterpret_cast<void*>(&on_exit), this, 1,
                         0) == UC_ERR_OK;
  }
  ~Probe() {
    if (engine != nullptr) uc_close(engine);
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  const char* enter() { return enter_guest_mode(engine, private_); }
  /// Executes `code` from a fresh place until something leaves; the exit is in `exit`.
  uc_err execute(std::initializer_list<uint8_t> code) {
    next_ += 64;
    std::memcpy(static_cast<uint8_t*>(ram_.data()) + next_, code.begin(), code.size());
    exit = 0;
    return uc_emu_start(engine, next_, 0, 0, 0);
  }
  template <class T>
  bool write(int reg, const T& value) {
    return uc_reg_write(engine, reg, &value) == UC_ERR_OK;
  }
  uint64_t read(int reg) {
    uint64_t value = 0;
    uc_reg_read(engine, reg, &value);
    return value;
  }

  uc_engine* engine{};
  bool usable{};
  uint32_t exit{};
  const BlockCounter* counter{};  ///< before the register file, once that is known
  bool stop_shows{};              ///< there, at the last exit
  uint64_t refused_page{~uint64_t{0}};

 private:
  static bool on_fill(uc_engine*, uint64_t address, uc_mem_type, uc_tlb_entry* entry, void* user) {
    const auto& probe = *static_cast<Probe*>(user);
    if (address == probe.refused_page) return false;
    entry->paddr = address;
    entry->perms = UC_PROT_ALL;
    return address < probe_ram ||
           (address >= private_base && address < private_base + private_size);
  }
  static void on_exit(uc_engine* engine, uint32_t number, void* user) {
    auto& probe = *static_cast<Probe*>(user);
    probe.exit = number - 0x100;
    uc_emu_stop(engine);
    probe.stop_shows = probe.counter != nullptr && probe.counter->stop_request < 0;
  }
  mmu::ZeroedMemory ram_, private_;
  uint64_t next_{code_at};
};

/// Reads memory of this process that may not be mapped.
class SelfReader {
 public:
  SelfReader() : file_{open("/proc/self/mem", O_RDONLY | O_CLOEXEC)} {}
  ~SelfReader() {
    if (file_ >= 0) close(file_);
  }
  SelfReader(const SelfReader&) = delete;
  SelfReader& operator=(const SelfReader&) = delete;
  std::vector<uint8_t> read(uint64_t address, size_t bytes) const {
    std::vector<uint8_t> result(bytes);
    const ssize_t got =
        file_ < 0 ? -1 : pread(file_, result.data(), bytes, static_cast<off_t>(address));
    result.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return result;
  }

 private:
  int file_;
};

std::optional<size_t> locate(std::span<const uint8_t> in, std::span<const uint8_t> what,
                             size_t step) {
  for (size_t at = 0; at + what.size() <= in.size(); at += step) {
    if (std::memcmp(in.data() + at, what.data(), what.size()) == 0) return at;
  }
  return std::nullopt;
}

template <class T>
std::span<const uint8_t> bytes_of(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}

/// The register file as a save shows it, from regs[0] on.
std::vector<uint8_t> saved_registers(Probe& probe) {
  std::array<uint64_t, 8> sentinels{};
  for (unsigned i = 0; i < 8; ++i) {
    sentinels[i] = 0xc0ffee0000000000 + 0x0101010101 * i;
    if (!probe.write(UC_X86_REG_R8 + static_cast<int>(i), sentinels[i])) return {};
  }
  uc_context* context = nullptr;
  if (uc_context_alloc(probe.engine, &context) != UC_ERR_OK) return {};
  std::vector<uint8_t> save(uc_context_size(probe.engine));
  if (uc_context_save(probe.engine, context) != UC_ERR_OK)
    save.clear();
  else
    std::memcpy(save.data(), context, save.size());
  uc_context_free(context);
  const auto at = locate(save, bytes_of(sentinels), 4);
  if (!at || *at < 64) return {};
  save.erase(save.begin(), save.begin() + static_cast<std::ptrdiff_t>(*at - 64));
  return save;
}

/// Follows each pointer of uc_engine and looks for the register file behind it; what holds in both engines is the path. Of
/// several the shortest: it begins at the processor's own object, while others begin at neighbours in the heap, and
/// these pointers may change.
bool find_live_registers(Probe& first, Probe& second, EngineLayout& layout) {
  constexpr size_t reach = 0x40000, compared = 0x240;
  const SelfReader memory;
  const auto a = saved_registers(first), b = saved_registers(second);
  if (a.size() < compared || b.size() < compared) return false;
  layout.size = a.size();
  bool found = false;
  const size_t words = malloc_usable_size(first.engine) / 8;
  for (size_t word = 0; word < words; ++word) {
    uint64_t pointer[2];
    std::memcpy(&pointer[0], reinterpret_cast<const uint8_t*>(first.engine) + 8 * word, 8);
    std::memcpy(&pointer[1], reinterpret_cast<const uint8_t*>(second.engine) + 8 * word, 8);
    if (pointer[0] < 0x10000 || pointer[1] < 0x10000 || pointer[0] % 16 != 0 ||
        pointer[1] % 16 != 0)
      continue;
    const auto at = locate(memory.read(pointer[0], reach), {a.data(), compared}, 8);
    if (!at) continue;
    const auto other = memory.read(pointer[1] + *at, compared);
    if (other.size() != compared || std::memcmp(other.data(), b.data(), compared) != 0) continue;
    if (found && *at >= layout.cpu_to_registers) continue;
    layout.engine_to_cpu = 8 * word;
    layout.cpu_to_registers = *at;
    found = true;
  }
  return found;
}

std::span<const uint8_t> live(Probe& probe, const EngineLayout& layout) {
  return {reinterpret_cast<const uint8_t*>(registers_of(probe.engine, layout)), layout.size};
}

bool find_msr(Probe& probe, const EngineLayout& layout, uint32_t msr, uint64_t value,
              size_t& offset) {
  uc_x86_msr write{msr, value};
  if (!probe.write(UC_X86_REG_MSR, write)) return false;
  const auto at = locate(live(probe, layout), bytes_of(value), 8);
  offset = at.value_or(0);
  return at.has_value();
}

bool find_floating_point(Probe& probe, EngineLayout& layout) {
  const uint16_t control = 0x0e7f, status = 0x2a41;  // top of stack 5
  struct {
    uint32_t top;
    uint16_t status, control;
  } pattern{5, 0x0241, control};
  if (!probe.write(UC_X86_REG_FPCW, control) || !probe.write(UC_X86_REG_FPSW, status)) return false;
  const auto x87 = locate(live(probe, layout), bytes_of(pattern), 4);
  if (!x87) return false;
  layout.x87 = *x87;
  const EngineX87Register st{0x8123456789abcdef, 0x4abc, {}};
  if (!probe.write(UC_X86_REG_FP0 + 3, st)) return false;
  const auto third = locate(live(probe, layout), bytes_of(st.mantissa), 8);
  if (!third || *third < layout.x87 + sizeof(EngineX87) + 3 * sizeof st) return false;
  layout.x87_registers = *third - 3 * sizeof st;
  if (field_at<EngineX87Register>(registers_of(probe.engine, layout), *third).exponent !=
      st.exponent)
    return false;
  const uint32_t mxcsr = 0x9fc0;
  if (!probe.write(UC_X86_REG_MXCSR, mxcsr)) return false;
  const auto found = locate(live(probe, layout), bytes_of(mxcsr), 4);
  if (!found) return false;
  layout.mxcsr = *found;
  const std::array<uint64_t, 2> low{0x1122334455667788, 0x99aabbccddeeff01},
      high{0x2233445566778899, 0xaabbccddeeff0102};
  if (!probe.write(UC_X86_REG_XMM0, low) || !probe.write(UC_X86_REG_XMM0 + 1, high)) return false;
  const auto xmm0 = locate(live(probe, layout), bytes_of(low), 8),
             xmm1 = locate(live(probe, layout), bytes_of(high), 8);
  if (!xmm0 || !xmm1 || *xmm1 <= *xmm0) return false;
  layout.xmm = *xmm0;
  layout.xmm_stride = *xmm1 - *xmm0;
  return layout.xmm + 16 * layout.xmm_stride <= layout.size;
}

/// Where one register of `bytes` bytes is: two values, so that a coincidence shows.
bool find_register(Probe& probe, const EngineLayout& layout, int number, unsigned bytes, size_t& offset) {
  std::optional<size_t> found;
  for (const uint64_t value : {0x5a71c3e40000b25fu, 0x1d28963f0000e7c1u}) {
    const uint64_t own = value + 0x101 * static_cast<unsigned>(number);
    const uint64_t cut = bytes == 2 ? own & 0xffff : own;
    if (!probe.write(number, cut)) return false;
    const auto at = locate(live(probe, layout), bytes_of(cut).first(bytes), 2);
    if (!at || (found && *found != *at)) return false;
    found = at;
  }
  offset = *found;
  return true;
}

bool find_x87_pointers(Probe& probe, EngineLayout& layout) {
  return find_register(probe, layout, UC_X86_REG_FIP, 8, layout.x87_ip) &&
         find_register(probe, layout, UC_X86_REG_FDP, 8, layout.x87_dp) &&
         find_register(probe, layout, UC_X86_REG_FCS, 2, layout.x87_cs) &&
         find_register(probe, layout, UC_X86_REG_FDS, 2, layout.x87_ds);
}

/// Two #GP with different selectors: MOV DS, AX beyond the descriptor table.
bool find_error_code(Probe& probe, EngineLayout& layout) {
  std::vector<size_t> candidates;
  for (const uint32_t selector : {0x1234u, 0x5678u, 0x4444u}) {
    if (!probe.write(UC_X86_REG_RAX, uint64_t{selector}) ||
        probe.execute({0x8e, 0xd8}) != UC_ERR_OK || probe.exit != 0x4d)
      return false;
    std::vector<size_t> now;
    const auto bytes = live(probe, layout);
    for (size_t at = sizeof(EngineRegisters); at + 4 <= bytes.size(); at += 4) {
      uint32_t value;
      std::memcpy(&value, bytes.data() + at, 4);
      if (value == selector) now.push_back(at);
    }
    if (selector == 0x1234u) candidates = now;
    std::erase_if(candidates,
                  [&](size_t at) { return std::find(now.begin(), now.end(), at) == now.end(); });
  }
  if (candidates.size() != 1) return false;
  layout.error_code = candidates.front();
  return true;
}

/// Refused loads by different instructions at different offsets; a coincidence does not survive them.
bool find_fault_address(Probe& probe, EngineLayout& layout) {
  std::vector<size_t> candidates;
  const size_t words = malloc_usable_size(probe.engine) / 8;
  for (unsigned round = 0; round < 8; ++round) {
    const uint64_t address = 0x7f0000042000 + 0x111000 * uint64_t{round} + 0x123 + 9 * round;
    probe.refused_page = address & ~uint64_t{0xfff};
    const bool store = (round & 1) != 0;
    const uint64_t base = round % 3 == 0 ? address : address - 0x40;
    if (!probe.write(UC_X86_REG_RBX, base)) return false;
    const uint8_t opcode = store ? 0x89 : 0x8b;
    const uc_err error = base == address ? probe.execute({0x48, opcode, 0x03, 0xf4})
                                         : probe.execute({0x48, opcode, 0x43, 0x40, 0xf4});
    if (error != UC_ERR_EXCEPTION) return false;
    std::vector<size_t> now;
    for (size_t word = 0; word < words; ++word) {
      uint64_t value;
      std::memcpy(&value, reinterpret_cast<const uint8_t*>(probe.engine) + 8 * word, 8);
      if (value == address) now.push_back(8 * word);
    }
    if (round == 0) candidates = now;
    std::erase_if(candidates,
                  [&](size_t at) { return std::find(now.begin(), now.end(), at) == now.end(); });
  }
  probe.refused_page = ~uint64_t{0};
  if (candidates.empty()) return false;
  layout.engine_fault_address = candidates.front();
  return true;
}

/// What direct writes mean to the engine, and that every class of exit arrives where it should.
const char* canned_exits(Probe& probe, const EngineLayout& layout) {
  EngineRegisters* registers = registers_of(probe.engine, layout);
  registers->gpr[3] = 0x123456789abcdef0;
  if (probe.read(UC_X86_REG_RBX) != 0x123456789abcdef0)
    return "a register written directly is not seen";
  constexpr uint32_t wanted = hidden::guest | hidden::code64 | hidden::lma | hidden::pe;
  if ((registers->hidden_flags & wanted) != wanted)
    return "guest mode is not visible in the hidden flags";
  struct Canned {
    std::initializer_list<uint8_t> code;
    uint32_t exit;
  };
  const Canned exits[] = {
      {{0x0f, 0x01, 0xd9}, 0x81}, {{0x0f, 0x01, 0xc1}, 0x46}, {{0x0f, 0xa2}, 0x72},
      {{0x0f, 0x32}, 0x7c},       {{0x0f, 0x31}, 0x6e},       {{0x0f, 0x20, 0xd8}, 0x03},
      {{0x0f, 0x22, 0xd8}, 0x13}, {{0x0f, 0x0b}, 0x46},       {{0xf4}, 0x78},
      {{0x0f, 0xc7, 0xf0}, 0x46}, {{0xcd, 0x2e}, 0x75},       {{0x0f, 0x01, 0x38}, 0x79}};
  for (const Canned& canned : exits) {
    if (probe.execute(canned.code) != UC_ERR_OK || probe.exit != canned.exit)
      return "an instruction does not exit";
  }
  registers->rflags |= 0x100;
  if (probe.execute({0x90, 0x90}) != UC_ERR_OK || probe.exit != 0x41)
    return "single steps do not exit";
  registers->rflags &= ~uint64_t{0x100};
  registers->hidden_flags |= hidden::cpl;
  if (probe.execute({0xf4}) != UC_ERR_OK || probe.exit != 0x4d)
    return "the privilege level is not where it was";
  registers->hidden_flags &= ~hidden::cpl;
  auto& intercepts = field_at<uint64_t>(registers, layout.intercepts);
  intercepts |= intercept_iret;
  if (probe.execute({0x48, 0xcf}) != UC_ERR_OK || probe.exit != 0x74) return "IRET does not exit";
  intercepts &= ~intercept_iret;
  registers->cc_source = 0x41;
  registers->cc_operation = flags_are_in_source;
  if ((probe.read(UC_X86_REG_RFLAGS) & 0x8d5) != 0x41)
    return "arithmetic flags are not where they were";
  return nullptr;
}

/// What BlockCounter takes for unused stays as it is, whatever the library does; its first word asks blocks to stop.
const char* exits_beside_counter(Probe& probe, const EngineLayout& layout) {
  BlockCounter& counter = reinterpret_cast<BlockCounter*>(registers_of(probe.engine, layout))[-1];
  if (counter.stop_request != 0 || counter.entered != 0 || counter.left != 0)
    return "what lies before the register file is in use";
  constexpr uint32_t entered = 0x5a71c3e4;
  constexpr int64_t left = 0x1d28963f0000e7c1;
  counter.entered = entered;
  counter.left = left;
  probe.counter = &counter;
  if (const char* failure = canned_exits(probe, layout); failure != nullptr) return failure;
  if (!probe.stop_shows) return "requests to stop are not before the register file";
  if (uc_ctl_flush_tlb(probe.engine) != UC_ERR_OK) return "the library does not flush";
  return counter.entered == entered && counter.left == left ? nullptr : "what lies before the register file changes";
}

const char* calibrate(EngineLayout& layout) {
  if (uc_version(nullptr, nullptr) >> 8 != 0x020101) return "the library is not version 2.1.1";
  Probe first, second;
  if (!first.usable || !second.usable) return "the library does not open an engine";
  if (!find_live_registers(first, second, layout)) return "the register file is not found";
  const EngineRegisters* registers = registers_of(first.engine, layout);
  if (registers->rip != first.read(UC_X86_REG_RIP) ||
      registers->cr[0] != first.read(UC_X86_REG_CR0) ||
      registers->cr[4] != first.read(UC_X86_REG_CR4))
    return "the register file has another order";
  if (!find_msr(first, layout, 0xc0000102, 0xabcdef0123456788, layout.kernel_gs_base) ||
      !find_msr(first, layout, 0xc0000081, 0x0123002076540010, layout.star) ||
      !find_msr(first, layout, 0xc0000080, 0x1d01, layout.efer))
    return "an MSR is not found";
  if (!find_x87_pointers(first, layout)) return "the x87 pointers are not found";
  if (!find_floating_point(first, layout)) return "x87 or SSE registers are not found";
  if (const char* failure = second.enter(); failure != nullptr) return failure;
  if (field_at<uint64_t>(registers_of(second.engine, layout), layout.efer) != 0x1d01)
    return "EFER is not where it was";
  const auto intercepts = locate(live(second, layout), bytes_of(intercepted_instructions), 8);
  if (!intercepts) return "the intercepts are not found";
  layout.intercepts = *intercepts;
  if (!find_error_code(second, layout)) return "the error code is not found";
  if (!find_fault_address(second, layout)) return "the fault address is not found";
  return exits_beside_counter(second, layout);
}

}  // namespace

EngineRegisters* registers_of(uc_engine* engine, const EngineLayout& layout) {
  uint8_t* processor;
  std::memcpy(&processor, reinterpret_cast<const uint8_t*>(engine) + layout.engine_to_cpu,
              sizeof processor);
  return reinterpret_cast<EngineRegisters*>(processor + layout.cpu_to_registers);
}

const support::Result<EngineLayout>& engine_layout() {
  static const support::Result<EngineLayout> result = []() -> support::Result<EngineLayout> {
    EngineLayout layout;
    if (const char* failure = calibrate(layout); failure != nullptr) {
      return support::Error{std::string{"the instruction engine does not match this program: "} +
                            failure +
                            ". Build with Unicorn 2.1.1 as cmake/dependencies.cmake pins it."};
    }
    return layout;
  }();
  return result;
}

}  // namespace cpu
