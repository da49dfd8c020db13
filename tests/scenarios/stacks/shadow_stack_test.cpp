// Unwound stacks against what really was called: an observer follows each CALL and RET of a whole boot, and every so
// many instructions the stack is unwound and compared.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "mmu/translator.h"
#include "sim/symbols/library.h"
#include "sim/symbols/places.h"
#include "sim/symbols/unwind.h"
#include "sim/trace/disassembler.h"
#include "sim/trace/image_names.h"
#include "tests/support/catch.h"
#include "tests/support/machine_run.h"

using namespace symbols;
using vtl::Vtl;

namespace {

/// Return addresses that are on some stack now, by the address space and the address of the slot.
class ShadowStack {
 public:
  using Key = std::tuple<Vtl, uint64_t, uint64_t>;  ///< VTL, CR3 (0 in ring 0, whose stacks are everywhere), slot

  void call(Vtl vtl, uint64_t cr3, uint64_t rsp, uint64_t back) {
    forget_below(vtl, cr3, rsp);
    slots_[key(vtl, cr3, rsp - 8)] = back;
  }
  void ret(Vtl vtl, uint64_t cr3, uint64_t rsp) { forget_below(vtl, cr3, rsp + 8); }

  [[nodiscard]] std::optional<uint64_t> at(Vtl vtl, uint64_t cr3, uint64_t slot) const {
    const auto found = slots_.find(key(vtl, cr3, slot));
    return found == slots_.end() ? std::nullopt : std::optional{found->second};
  }
  /// Slots in [from, to).
  [[nodiscard]] std::vector<uint64_t> between(Vtl vtl, uint64_t cr3, uint64_t from, uint64_t to) const {
    std::vector<uint64_t> out;
    for (auto slot = slots_.lower_bound(key(vtl, cr3, from)); slot != slots_.end() && slot->first < key(vtl, cr3, to);
         ++slot)
      out.push_back(std::get<2>(slot->first));
    return out;
  }

 private:
  static Key key(Vtl vtl, uint64_t cr3, uint64_t slot) { return {vtl, cr3, slot}; }
  /// What lies below the stack pointer is over, whoever skipped the RET. No function has a larger frame than this.
  void forget_below(Vtl vtl, uint64_t cr3, uint64_t rsp) {
    constexpr uint64_t reach = 0x4000;
    auto last = slots_.lower_bound(key(vtl, cr3, rsp));
    auto first = last;
    while (first != slots_.begin() && std::prev(first)->first >= key(vtl, cr3, rsp - reach)) --first;
    slots_.erase(first, last);
  }
  std::map<Key, uint64_t> slots_;
};

struct Tally {
  uint64_t stacks{}, frames{}, agree{}, unknown{}, wrong{}, missing{}, whole{}, switching{}, abandoned{};
  uint64_t untrusted{}, vtl_crossings{}, ring_crossings{};
  std::map<std::string, uint64_t> ends, problems;
  std::string first_bad;
};

class Comparison final : public vtl::InstructionObserver {
 public:
  Comparison(test::MachineRun& run, uint64_t every) : run_{run}, every_{every}, names_{images_} {
    run.seen().watch([this](const test::Seen& seen) {
      support::Event event = seen.event;
      event.text = seen.text;
      names_.learn(event);
      names_.forget(event);
    });
    REQUIRE(note_firmware(images_, run.machine().config()).ok());
    run.machine().observe(this);
  }

  void before_instruction(support::Instant, const vtl::VirtualProcessor& vp) override {
    const vtl::VtlContext& context = vp.context();
    if (--until_ == 0) {
      until_ = every_;
      if (!images_.images().empty()) compare(vp);
    }
    const uint64_t space = space_of(vp.cpl(), context.cr3);
    const Kind& kind = kind_of(vp.active, context.cr3, context.rip);
    if (kind.what == What::Call) shadow_.call(vp.active, space, context.rsp, context.rip + kind.length);
    if (kind.what == What::Ret) shadow_.ret(vp.active, space, context.rsp);
  }
  [[nodiscard]] bool needs_floating_point() const override { return false; }
  [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
  enum class What : uint8_t { Other, Call, Ret };
  struct Kind {
    uint64_t rip{}, cr3{};
    Vtl vtl{};
    What what{};
    uint8_t length{};
  };

  static uint64_t space_of(uint8_t ring, uint64_t cr3) { return ring == 0 ? 0 : cr3; }

  const Kind& kind_of(Vtl vtl, uint64_t cr3, uint64_t rip) {
    if (rip >> 63 != 0) cr3 = 0;
    Kind& kind = kinds_[(rip ^ rip >> 16 ^ cr3 >> 12) % kinds_.size()];
    if (kind.rip == rip && kind.cr3 == cr3 && kind.vtl == vtl) return kind;
    kind = {rip, cr3, vtl, What::Other, 0};
    std::array<uint8_t, 15> bytes{};
    const auto count = mmu::read_gva(run_.machine().translator(), run_.machine().view(vtl), mmu::Gva{rip}, bytes);
    const size_t rex = (bytes[0] & 0xf0) == 0x40 ? 1 : 0;
    if (bytes[rex] == 0xe8 || (bytes[rex] == 0xff && (bytes[rex + 1] & 0x38) == 0x10)) {
      kind.what = What::Call;
      kind.length = disassembler_.length(64, std::span{bytes}.first(static_cast<size_t>(count)));
    }
    if (bytes[0] == 0xc3 || bytes[0] == 0xc2) kind.what = What::Ret;
    return kind;
  }

  void problem(const vtl::VirtualProcessor& vp, std::string_view what, const Frame& frame) {
    // Between the two stacks of a switch, the registers that lead out belong to one and the stack pointer to the other.
    const std::string under = place_at(images_, vp.context().rip, vp.context().cr3).symbol;
    if (under == "SkiSwapStack" || under == "KiSwapContext") {
      ++tally_.switching;
      return;
    }
    // NTOS ends a call that faulted by returning from the trap to where KeTryAccess goes on: the calls between are over
    // though none of them has returned.
    if (resumes_elsewhere_) {
      ++tally_.abandoned;
      return;
    }
    const std::string text = fmt::format("{} at {} under {}", what, place_at(images_, frame.pc(), frame.cr3).text,
                                         place_at(images_, vp.context().rip, vp.context().cr3).text);
    if (tally_.problems.size() < 200 || tally_.problems.contains(text)) ++tally_.problems[text];
  }

  void compare(const vtl::VirtualProcessor& vp) {
    const Stack stack = stack_of(run_.machine(), vp.number, vp.active, images_, library_, 128);
    ++tally_.stacks;
    std::string end =
        fmt::format("{}: {}", place_at(images_, stack.frames.back().pc(), stack.frames.back().cr3).text, stack.why);
    if (tally_.ends.size() < 60 || tally_.ends.contains(end)) ++tally_.ends[end];
    std::set<uint64_t> slots;
    bool good = true;
    resumes_elsewhere_ = std::any_of(stack.frames.begin(), stack.frames.end(), [&](const Frame& frame) {
      return frame.entered == Entered::Interrupt &&
             place_at(images_, frame.pc(), frame.cr3).text == "nt!KiTryAccessResume";
    });
    for (size_t i = 1; i < stack.frames.size(); ++i) {
      const Frame &inner = stack.frames[i - 1], &frame = stack.frames[i];
      ++tally_.frames;
      tally_.untrusted += frame.trusted ? 0 : 1;
      tally_.vtl_crossings += inner.vtl != frame.vtl ? 1 : 0;
      tally_.ring_crossings += inner.ring != frame.ring ? 1 : 0;
      if (frame.entered != Entered::Call) continue;
      const auto real = shadow_.at(frame.vtl, space_of(frame.ring, frame.cr3), frame.sp() - 8);
      slots.insert(frame.sp() - 8);
      if (!real) ++tally_.unknown;
      else if (*real == frame.pc()) ++tally_.agree;
      else ++tally_.wrong;
      if (!real || *real != frame.pc()) {
        good = false;
        problem(vp, real ? "wrong" : "nobody called", frame);
      }
    }
    // Nothing that was called from between the first and the last frame of a stack may be absent.
    for (size_t i = 0; i < stack.frames.size();) {
      size_t last = i;
      while (last + 1 < stack.frames.size() && stack.frames[last + 1].vtl == stack.frames[i].vtl &&
             stack.frames[last + 1].sp() > stack.frames[last].sp() &&
             stack.frames[last + 1].ring == stack.frames[i].ring)
        ++last;
      const uint64_t page = 0x1000;
      const uint64_t to =
          last + 1 == stack.frames.size() ? (stack.frames[last].sp() | (page - 1)) + 1 : stack.frames[last].sp();
      for (const uint64_t slot : shadow_.between(
               stack.frames[i].vtl, space_of(stack.frames[i].ring, stack.frames[i].cr3), stack.frames[i].sp(), to)) {
        if (slots.contains(slot)) continue;
        ++tally_.missing;
        good = false;
        problem(vp, "missing", stack.frames[last]);
      }
      i = last + 1;
    }
    tally_.whole += good ? 1 : 0;
    if (!good && tally_.first_bad.empty() && !tally_.problems.empty()) tally_.first_bad = text_of(stack);
  }

  [[nodiscard]] std::string text_of(const Stack& stack) const {
    std::string text;
    for (const Frame& frame : stack.frames)
      text += fmt::format("  VTL {} ring {} {:016x} {:016x} {:11} {} {}\n", static_cast<int>(frame.vtl), frame.ring,
                          frame.sp(), frame.pc(), word_of(frame.entered), frame.trusted ? ' ' : '?',
                          place_at(images_, frame.pc(), frame.cr3).text);
    return text + stack.why;
  }

  bool resumes_elsewhere_{};
  test::MachineRun& run_;
  uint64_t every_, until_{1};
  loader::ImageCatalog images_{{"guests/images"}};
  trace::ImageNames names_;
  Library library_{{"guests/images"}};
  trace::Disassembler disassembler_;
  std::vector<Kind> kinds_{1u << 16};
  ShadowStack shadow_;
  Tally tally_;
};

loader::MachineConfig exact(loader::MachineConfig config) {
  config.gear = loader::GearSetting::Exact;
  return config;
}

}  // namespace

TEST_CASE("Unwound stacks of a boot with VSM are what was called, across rings and VTLs") {
  test::MachineRun run{exact(test::with_vsm())};
  const char* every = std::getenv("AIRLOCK_STACK_EVERY");
  Comparison comparison{run, every != nullptr ? std::strtoull(every, nullptr, 10) : 1'999};
  run.finish();
  const Tally& t = comparison.tally();
  std::string text = fmt::format(
      "{} stacks of {} frames: {} called as found, {} wrong, {} called by nobody, {} missing; "
      "explained: {} while stacks were switched, {} of calls that a fault ended; "
      "{} found without .pdata, {} across VTLs, {} across rings\n",
      t.stacks, t.frames, t.agree, t.wrong, t.unknown, t.missing, t.switching, t.abandoned, t.untrusted,
      t.vtl_crossings, t.ring_crossings);
  for (const auto& [what, count] : t.ends) text += fmt::format("{:8} end at {}\n", count, what);
  for (const auto& [what, count] : t.problems) text += fmt::format("{:8} {}\n", count, what);
  WARN(text << t.first_bad);
  EXPECT(t.problems.empty());
  EXPECT(t.wrong == 0);
  EXPECT(t.agree > 100'000);
  EXPECT(t.vtl_crossings > 1'000);
  EXPECT(t.ring_crossings > 50);
}
