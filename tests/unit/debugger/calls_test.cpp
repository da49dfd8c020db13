// Calls between the worlds: known trees of calls told as events, and the points that a walk can begin at.
#include "tests/support/catch.h"

#include <algorithm>
#include <array>
#include <deque>

#include "abi/sk/call_frame.h"
#include "sim/debugger/call_tracker.h"
#include "sim/debugger/history.h"
#include "sim/debugger/views/call_builder.h"
#include "sim/support/prng.h"

using namespace debugger;
using abi::hv::Vtl;
using support::Event;
using support::EventKind;
using support::Prng;
namespace sk = abi::sk;

namespace {

using Frame = std::array<uint64_t, 13>;

struct Known {
  uint64_t at{}, end{}, inside{};
  uint32_t depth{};
  CallKind kind{};
};

/// A run of one processor made of nested calls, and what they are.
struct Story {
  std::deque<Frame> frames;  ///< addresses stay
  std::vector<Event> events;
  std::vector<Known> calls;
  uint64_t now{};
  uint32_t cookies{};

  void tell(EventKind kind, Vtl vtl, uint8_t operation, sk::State state, uint32_t cookie) {
    sk::SkCall call{};
    call.operation = operation;
    call.state = static_cast<uint8_t>(state);
    call.code = 1;
    call.cookie = cookie;
    Frame& frame = frames.emplace_back();
    std::memcpy(frame.data(), &call, sizeof call);
    events.push_back({.at = {now}, .vp = 0, .vtl = vtl, .kind = kind, .frame = frame.data()});
  }
  void rest(Prng& prng) {
    now += prng.below(50);
    if (prng.one_in(4)) events.push_back({.at = {now}, .vp = 0, .vtl = Vtl::Vtl0, .kind = EventKind::MsrWrite});
  }
  /// What happens between two instants in VTL 0 or VTL 1; returns the time that calls took.
  uint64_t live(Prng& prng, Vtl vtl, uint32_t depth, uint32_t thread = 0) {
    uint64_t inside = 0;
    const uint64_t calls_here = depth > 5 ? 0 : prng.below(4);
    rest(prng);
    for (uint64_t i = 0; i < calls_here; ++i) {
      inside += vtl == Vtl::Vtl0 ? secure_call(prng, depth) : normal_call(prng, depth, thread);
      rest(prng);
    }
    return inside;
  }
  uint64_t secure_call(Prng& prng, uint32_t depth) {
    const bool interrupt = prng.one_in(5), thread = !interrupt && prng.one_in(3);
    const uint32_t cookie = thread ? ++cookies : 0;
    const size_t place = calls.size();
    calls.push_back({now, 0, 0, depth, interrupt ? CallKind::Interrupt : CallKind::VtlCall});
    if (interrupt) events.push_back({.at = {now}, .vp = 0, .vtl = Vtl::Vtl0, .kind = EventKind::VtlInterruptEntry});
    else tell(EventKind::VtlCall, Vtl::Vtl0, static_cast<uint8_t>(thread ? sk::Operation::ResumeThread : sk::Operation::SecureService), sk::State::NormalService, cookie);
    if (interrupt) rest(prng);
    else calls[place].inside = live(prng, Vtl::Vtl1, depth + 1, cookie);
    tell(EventKind::VtlReturn, Vtl::Vtl1, 0, sk::State::Finished, 0);
    calls[place].end = now;
    return now - calls[place].at;
  }
  /// `thread`: cookie of the secure thread that makes it; 0: one of the pool, which is given one.
  uint64_t normal_call(Prng& prng, uint32_t depth, uint32_t thread) {
    const uint32_t cookie = thread != 0 ? thread : ++cookies;
    const size_t place = calls.size();
    calls.push_back({now, 0, 0, depth, CallKind::VtlReturn});
    tell(EventKind::VtlReturn, Vtl::Vtl1, 0, sk::State::NormalService, cookie);
    calls[place].inside = live(prng, Vtl::Vtl0, depth + 1);
    tell(EventKind::VtlCall, Vtl::Vtl0, static_cast<uint8_t>(sk::Operation::ResumeThread), sk::State::NormalService, cookie);
    calls[place].end = now;
    return now - calls[place].at;
  }
};

/// Anything, on several processors, as no system would do it.
Event nonsense(Prng& prng, Story& story) {
  constexpr EventKind kinds[] = {EventKind::VtlCall, EventKind::VtlReturn, EventKind::VtlInterruptEntry, EventKind::Hypercall};
  story.now += prng.below(9);
  const auto cookie = static_cast<uint32_t>(prng.below(4));
  const EventKind kind = kinds[prng.below(4)];
  story.tell(kind, static_cast<Vtl>(prng.below(2)), static_cast<uint8_t>(prng.below(3)), static_cast<sk::State>(prng.below(3)), cookie);
  Event& event = story.events.back();
  event.vp = static_cast<uint32_t>(prng.below(3));
  if (kind != EventKind::VtlCall && kind != EventKind::VtlReturn) event.frame = nullptr;
  return event;
}

bool same(const CallTracker& a, const CallTracker& b) {
  return std::equal(a.open().begin(), a.open().end(), b.open().begin(), b.open().end(), [](const OpenCall& x, const OpenCall& y) {
    return x.number == y.number && x.parent == y.parent && x.at == y.at && x.inside == y.inside && x.depth == y.depth && x.kind == y.kind;
  });
}

void compare_points(const CallPoints& points, const std::vector<Event>& events, Prng& prng) {
  REQUIRE(points.size() <= events.size());
  for (int i = 0; i < 10; ++i) {
    const uint64_t row = prng.below(points.size() + 1);
    CallTracker walked, jumped = points.before(row).calls;
    for (uint64_t each = 0; each < row; ++each) (void)walked.take(each, events[each]);
    for (uint64_t each = points.before(row).row; each < row; ++each) (void)jumped.take(each, events[each]);
    INFO("row " << row);
    EXPECT(row - points.before(row).row < CallPoints::distance);
    EXPECT(walked.open().size() <= CallTracker::most_open);
    EXPECT(same(walked, jumped));
  }
}

}  // namespace

TEST_CASE("calls have the ends, depths and times of the tree that they were told from", "[debugger][calls]") {
  const uint64_t seed = Catch::getSeed();
  INFO("seed " << seed);
  Prng prng{seed, "tree"};
  ObservedHistory none;
  const Names names{none, {}};
  Story story;
  while (story.calls.size() < 500) (void)story.live(prng, Vtl::Vtl0, 0);
  views::CallBuilder builder{10'000, false};
  for (uint64_t row = 0; row < story.events.size(); ++row) REQUIRE(builder.take(row, story.events[row], names));
  const views::CallTree tree = std::move(builder).tree();
  REQUIRE(tree.nodes.size() == story.calls.size());
  for (size_t i = 0; i < tree.nodes.size(); ++i) {
    const views::CallNode& node = tree.nodes[i];
    const Known& known = story.calls[i];
    INFO("call " << i);
    EXPECT(node.call.at.ticks == known.at);
    EXPECT(node.call.depth == known.depth);
    EXPECT(node.call.kind == known.kind);
    REQUIRE(node.end.has_value());
    EXPECT(node.end->ticks == known.end);
    EXPECT(node.call.inside == known.inside);
  }
}

TEST_CASE("a resume starts a thread where the whole run was heard, and answers something unknown where not", "[debugger][calls]") {
  Story story;
  story.tell(EventKind::VtlCall, Vtl::Vtl0, static_cast<uint8_t>(sk::Operation::ResumeThread), sk::State::NormalService, 0x109);
  CallTracker whole, part{false};
  EXPECT(whole.take(0, story.events[0]).begun.has_value());
  REQUIRE(whole.open().size() == 1);
  EXPECT(whole.open()[0].cookie == 0x109);
  EXPECT(whole.open()[0].kind == CallKind::VtlCall);
  EXPECT(!part.take(0, story.events[0]).begun.has_value());
  EXPECT(part.open().empty());
}

TEST_CASE("the calls that are open at a row are the same for who begins at a point and who walked there", "[debugger][calls]") {
  const uint64_t seed = Catch::getSeed();
  INFO("seed " << seed);
  Prng prng{seed, "points"};
  Story story;
  CallPoints points;
  for (int round = 0; round < 4; ++round) {
    for (uint64_t more = prng.below(12'000); more != 0; --more) (void)nonsense(prng, story);
    while (points.size() < story.events.size()) points.add(story.events[points.size()]);
    compare_points(points, story.events, prng);
    const uint64_t row = prng.below(story.events.size() + 1);
    points.forget_from(row);
    story.events.resize(row);
    REQUIRE(points.size() <= row);
  }
}
