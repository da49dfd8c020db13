#include "tests/oracle/comparison.h"

#include <fmt/format.h>

#include <cstring>
#include <set>

#include "tests/oracle/arena_places.h"
#include "tests/oracle/known.h"

namespace oracle {
namespace {

using namespace cpu_test;

constexpr uint64_t longest = 3000;  // instructions

bool has_error_code(unsigned vector) {
  return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

}  // namespace

Comparison::Comparison(KvmMachine& kvm, cpu::Gear gear) : kvm_{kvm}, arena_{gear} {}

void Comparison::restore_everything() {
  std::memcpy(kvm_.ram().data(), arena_.pristine().data(), arena_.pristine().size());
  for (uint64_t page = 0; page < ram_size / 4096; ++page)
    arena_.restore_page(page);
  kvm_.forget_translations();
  synchronised_ = true;
}

void Comparison::copy_memory(Mode mode) {
  for (const uint64_t page : Arena::pages_of(mode))
    std::memcpy(kvm_.ram().data() + page, arena_.memory.data() + page, 4096);
}

Result Comparison::run(const Program& program, uint64_t seed) {
  Result result;
  if (!synchronised_) restore_everything();
  arena_.prepare(program.mode, seed, program);
  copy_memory(program.mode);
  if (!kvm_.load(arena_.vp)) {
    result.why_not = "KVM refuses the registers";
    return result;
  }
  arena_.memory.clear_dirty();
  const uint64_t before = arena_.now.ticks;
  result.ending = arena_.run(longest);
  result.instructions = arena_.now.ticks - before;
  if (result.ending == Ending::TooLong || result.ending == Ending::NotComparable) {
    result.why_not = "does not end";
    synchronised_ = false;
    return result;
  }
  const KvmStop stop = kvm_.run();
  // What is not RAM answers differently on both sides.
  if (stop == KvmStop::Memory || stop == KvmStop::CannotEmulate || stop == KvmStop::Failed ||
      stop == KvmStop::TimeOut) {
    result.why_not = name_of(stop);
    synchronised_ = false;
    return result;
  }
  kvm_.store(other_);
  if (stop == KvmStop::Halt) other_.context().rip -= 1;
  result.compared = true;
  const Ending theirs = stop == KvmStop::Halt       ? Ending::Halt
                        : stop == KvmStop::Shutdown ? Ending::Shutdown
                        : stop == KvmStop::Memory   ? Ending::Memory
                                                    : Ending::Port;
  if (theirs != result.ending) {
    result.differences.push_back(
        {"ending", static_cast<uint64_t>(result.ending), static_cast<uint64_t>(theirs)});
  }
  // After a triple fault and in the middle of a port access registers are not comparable.
  if (theirs == result.ending && theirs == Ending::Halt) compare(program, result);
  if (!result.equal() || theirs != Ending::Halt) synchronised_ = false;
  for (const uint64_t page : arena_.memory.dirty_pages()) {
    std::memcpy(kvm_.ram().data() + page * 4096, arena_.pristine().data() + page * 4096, 4096);
    arena_.restore_page(page);
  }
  return result;
}

namespace {

/// The event that a handler was entered for: what the processor pushed.
struct Entered {
  bool any = false;
  unsigned vector = 0, width = 8;
  bool has_error = false;
  uint64_t frame = 0, rip = 0, error = 0;  ///< `frame`: linear address of the pushed RIP
};

Entered entered_of(Mode mode, const vtl::VtlContext& c, const uint8_t* ram) {
  Entered event;
  const uint64_t at = c.rip + c.segments[vtl::Cs].base;
  if (at < handlers || at >= handlers + 0x1000 || at % 16 != 0) return event;
  const bool real = mode == Mode::Real16;
  event.vector = static_cast<unsigned>((at - handlers) / 16);
  event.width = real ? 2 : mode == Mode::Protected32 ? 4 : 8;
  event.has_error = has_error_code(event.vector) && !real;
  const uint64_t stack = (real ? c.rsp & 0xffff : c.rsp) + c.segments[vtl::Ss].base;
  event.frame = stack + (event.has_error ? event.width : 0);
  if (event.frame >= ram_size - 64) return event;
  std::memcpy(&event.rip, ram + event.frame, event.width);
  if (event.has_error) std::memcpy(&event.error, ram + stack, event.width);
  event.any = true;
  return event;
}

}  // namespace

/// Which flags are undefined where the program ended; and where the processor pushed RFLAGS, if it did.
uint16_t Comparison::undefined_at_end(const Program& program, uint64_t& flags_word,
                                      unsigned& width) const {
  const vtl::VtlContext& c = arena_.vp.context();
  const Undefined undefined = analyse(program);
  std::vector<uint32_t> offsets;
  (void)layout(program, offsets);
  const uint64_t code_segment = program.mode == Mode::Real16 ? arena_.code_base() : 0;
  uint64_t at = c.rip + c.segments[vtl::Cs].base;
  flags_word = 0;
  const Entered event = entered_of(program.mode, c, arena_.memory.data());
  if (event.any) {
    width = event.width;
    flags_word = event.frame + 2 * width;
    at = event.rip + code_segment;
  }
  for (size_t i = 0; i < offsets.size(); ++i) {
    if (arena_.start() + offsets[i] == at) return undefined.before[i];
  }
  return arithmetic;
}

/// Which instruction of the program begins at this offset in its code segment.
size_t Comparison::op_at(const Program& program, uint64_t address) const {
  std::vector<uint32_t> offsets;
  (void)layout(program, offsets);
  if (program.mode == Mode::Real16) address += arena_.code_base();
  for (size_t i = 0; i < offsets.size() && i < program.ops.size(); ++i) {
    if (arena_.start() + offsets[i] == address) return i;
  }
  return Result::no_op;
}

void Comparison::compare(const Program& program, Result& result) {
  const vtl::VirtualProcessor& a = arena_.vp;
  const vtl::VirtualProcessor& b = other_;
  const vtl::VtlContext& ca = a.context();
  const vtl::VtlContext& cb = b.context();
  uint64_t flags_word = 0;
  unsigned width = 8;
  const uint16_t undefined = undefined_at_end(program, flags_word, width);
  const auto check = [&](std::string item, uint64_t x, uint64_t y) {
    if (x != y) result.differences.push_back({std::move(item), x, y});
  };
  const Entered ea = entered_of(program.mode, ca, arena_.memory.data());
  const Entered eb = entered_of(program.mode, cb, kvm_.ram().data());
  result.event = ea.any && eb.any;
  if (result.event) {
    result.vector = ea.vector;
    result.faulting = op_at(program, ea.rip);
    result.theirs = op_at(program, eb.rip);
    check("fault rip", ea.rip, eb.rip);
    check("vector", ea.vector, eb.vector);
    if (ea.has_error && eb.has_error) check("error code", ea.error, eb.error);
  } else {
    check("rip", ca.rip, cb.rip);
  }
  check("rsp", ca.rsp, cb.rsp);
  static constexpr const char* names[] = {"rax", "rcx", "rdx", "rbx", "",    "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  for (size_t i = 0; i < 16; ++i) {
    if (i != vtl::Rsp) check(names[i], a.shared.gpr[i], b.shared.gpr[i]);
  }
  check("rflags", ca.rflags & ~uint64_t{undefined}, cb.rflags & ~uint64_t{undefined});
  check("cr0", ca.cr0, cb.cr0);
  check("cr2", a.shared.cr2, b.shared.cr2);
  check("cr3", ca.cr3, cb.cr3);
  check("cr4", ca.cr4, cb.cr4);
  check("efer", ca.efer, cb.efer);
  check("dr6", a.shared.dr6, b.shared.dr6);
  check("dr7", ca.dr7, cb.dr7);
  static constexpr const char* segments[] = {"es", "cs", "ss", "ds", "fs", "gs"};
  for (size_t i = 0; i < vtl::segment_count; ++i) {
    const vtl::Segment &x = ca.segments[i], &y = cb.segments[i];
    check(segments[i], x.selector, y.selector);
    check(fmt::format("{} base", segments[i]), x.base, y.base);
    if ((x.selector & ~3u) == 0 && program.mode != Mode::Real16)
      continue;  // null: limit and attributes mean nothing
    check(fmt::format("{} limit", segments[i]), x.limit, y.limit);
    check(fmt::format("{} attributes", segments[i]), x.attributes, y.attributes);
  }
  check("gdtr", ca.gdtr.base, cb.gdtr.base);
  check("idtr", ca.idtr.base, cb.idtr.base);
  check("kernel gs base", ca.kernel_gs_base, cb.kernel_gs_base);
  for (size_t i = 0; i < 16; ++i) {
    check(fmt::format("xmm{}", i), a.shared.fp.xmm[i].low, b.shared.fp.xmm[i].low);
    check(fmt::format("xmm{} high", i), a.shared.fp.xmm[i].high, b.shared.fp.xmm[i].high);
  }
  check("mxcsr", a.shared.fp.mxcsr, b.shared.fp.mxcsr);
  for (size_t i = 0; i < 8; ++i) {
    check(fmt::format("st{}", i), a.shared.fp.st[i].low, b.shared.fp.st[i].low);
    check(fmt::format("st{} high", i), a.shared.fp.st[i].high, b.shared.fp.st[i].high);
  }
  check("fcw", a.shared.fp.control, b.shared.fp.control);
  check("fsw", a.shared.fp.status, b.shared.fp.status);
  check("ftw", a.shared.fp.tag, b.shared.fp.tag);

  if (flags_word != 0 && undefined != 0) {
    for (uint8_t* ram : {arena_.memory.data(), kvm_.ram().data()}) {
      uint16_t low;
      std::memcpy(&low, ram + flags_word, 2);
      low = static_cast<uint16_t>(low & ~undefined);
      std::memcpy(ram + flags_word, &low, 2);
    }
  }
  compare_memory(program, undefined, result);
}

void Comparison::compare_memory(const Program& program, uint16_t, Result& result) {
  const std::vector<uint64_t> known = Arena::pages_of(program.mode);
  std::set<uint64_t> pages{known.begin(), known.end()};
  for (const uint64_t page : arena_.memory.dirty_pages())
    pages.insert(page * 4096);
  for (const uint64_t page : pages) {
    const uint8_t *x = arena_.memory.data() + page, *y = kvm_.ram().data() + page;
    if (std::memcmp(x, y, 4096) == 0) continue;
    for (uint64_t at = 0; at < 4096; at += 8) {
      uint64_t p, q;
      std::memcpy(&p, x + at, 8);
      std::memcpy(&q, y + at, 8);
      if (p != q && result.differences.size() < 40)
        result.differences.push_back({fmt::format("memory {:x}", page + at), p, q});
    }
  }
}

Program Comparison::minimise(const Program& program, uint64_t seed, Result& result) {
  Program best = program;
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (size_t i = best.ops.size(); i-- > 0 && best.ops.size() > 1;) {
      Program candidate = best;
      candidate.ops.erase(candidate.ops.begin() + static_cast<std::ptrdiff_t>(i));
      if (!analyse(candidate).valid) continue;
      Result again = run(candidate, seed);
      std::vector<std::string_view> names;
      if (again.compared) forgive_known(candidate, kvm_.kind(), again, names);
      if (!again.compared || again.equal()) continue;
      best = candidate;
      result = again;
      smaller = true;
    }
  }
  return best;
}

std::string describe(const Program& program, uint64_t seed, uint64_t start, const Result& result) {
  std::string out =
      fmt::format("{}, seed {}\n{}", name_of(program.mode), seed, disassemble(program, start));
  for (const Difference& d : result.differences)
    out += fmt::format("    {}: airlock {:x}, other {:x}\n", d.item, d.airlock, d.other);
  return out;
}

}  // namespace oracle
