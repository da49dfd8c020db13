// A session over a small program: motion in both directions, breakpoints, branches.
#include "tests/support/catch.h"

#include <thread>

#include "sim/debugger/session.h"
#include "tests/support/tiny_firmware.h"

using namespace debugger;

namespace {

constexpr uint64_t base = test::tiny_code, inner = base + 0x40, data = base + 0x800;

/// Calls a function three times, which calls itself once, stores its counter and copies a string.
std::vector<uint8_t> program() {
  std::vector<uint8_t> code(0x60, 0x90);
  const auto put = [&](size_t at, std::initializer_list<uint8_t> bytes) { std::copy(bytes.begin(), bytes.end(), &code[at]); };
  put(0x00, {0xbb, 0x03, 0x00, 0x00, 0x00});              // mov ebx, 3
  put(0x05, {0xe8, 0x36, 0x00, 0x00, 0x00});              // again: call inner
  put(0x0a, {0xff, 0xcb});                                //        dec ebx
  put(0x0c, {0x75, 0xf7});                                //        jnz again
  put(0x0e, {0xba, 0x04, 0x06, 0x00, 0x00});              //        mov edx, 604h
  put(0x13, {0xb8, 0x00, 0x34, 0x00, 0x00});              //        mov eax, 3400h
  put(0x18, {0x66, 0xef});                                //        out dx, ax
  put(0x1a, {0xf4});                                      //        hlt
  put(0x40, {0x89, 0x1c, 0x25, 0x00, 0x18, 0x10, 0x00});  // inner: mov [101800h], ebx
  put(0x47, {0xb9, 0x04, 0x00, 0x00, 0x00});              //        mov ecx, 4
  put(0x4c, {0xbf, 0x00, 0x19, 0x10, 0x00});              //        mov edi, 101900h
  put(0x51, {0xf3, 0xaa});                                //        rep stosb
  put(0x53, {0xff, 0xc6});                                //        inc esi
  put(0x55, {0xf7, 0xc6, 0x01, 0x00, 0x00, 0x00});        //        test esi, 1
  put(0x5b, {0x74, 0x02});                                //        jz end
  put(0x5d, {0xeb, 0x01});                                //        jmp recurse
  code.resize(0x70, 0x90);
  put(0x5f, {0xc3});                                      // end:   ret
  put(0x60, {0xe8, 0xdb, 0xff, 0xff, 0xff});              // recurse: call inner
  put(0x65, {0xc3});                                      //        ret
  return code;
}

constexpr uint64_t call_site = base + 5, after_call = base + 10, rep = base + 0x51, after_rep = base + 0x53,
                   first_return = base + 0x5f, inner_call = base + 0x60, outer_return = base + 0x65;

std::unique_ptr<Session> session() {
  loader::MachineConfig config;
  config.memory_bytes = loader::minimum_memory;
  machine::MachineParts parts;
  parts.firmware = test::tiny_firmware(program());
  auto timeline = Timeline::over(config, std::move(parts));
  if (!timeline) FAIL(timeline.error().message);
  auto made = Session::over(std::move(timeline.value()), {});
  if (!made) FAIL(made.error().message);
  return std::move(made.value());
}

uint64_t rip(Session& session) { return session.look().context.rip; }

Stop step(Session& session, StepKind kind, bool back = false, uint64_t count = 1) {
  auto stop = session.step({.kind = kind, .back = back, .count = count});
  if (!stop) FAIL(stop.error().message);
  EXPECT(stop.value().focus == session.focus());
  EXPECT(session.timeline().now() == session.focus().at);
  return std::move(stop.value());
}

Stop run(Session& session, bool back = false, const std::string& to = "", const std::string& until = "") {
  auto stop = session.run({.back = back, .to = to, .until = until});
  if (!stop) FAIL(stop.error().message);
  return std::move(stop.value());
}

uint32_t set(Session& session, BreakpointKind kind, const std::string& what, const std::string& condition = "",
             uint64_t ignore = 0, bool temporary = false) {
  auto id = session.breakpoints().set({.kind = kind, .what = what, .vtl = {}, .vp = {}, .process = {}, .condition = condition,
                                       .ignore = ignore, .temporary = temporary}, session.context());
  if (!id) FAIL(id.error().message);
  return id.value();
}

}  // namespace

TEST_CASE("steps over go behind calls and string instructions, and back to them") {
  const auto debugged = session();
  Session& at = *debugged;
  EXPECT(rip(at) == base);
  EXPECT(step(at, StepKind::Over).reason == StopReason::Step);
  REQUIRE(rip(at) == call_site);
  EXPECT(step(at, StepKind::Over).reason == StopReason::Step);
  REQUIRE(rip(at) == after_call);
  EXPECT(step(at, StepKind::Over, true).reason == StopReason::Step);
  REQUIRE(rip(at) == call_site);
  EXPECT(step(at, StepKind::Into).reason == StopReason::Step);
  REQUIRE(rip(at) == inner);
  while (rip(at) != rep) (void)step(at, StepKind::Over);
  const Instant before_rep = at.focus().at;
  (void)step(at, StepKind::Over);
  REQUIRE(rip(at) == after_rep);
  EXPECT(at.focus().at == before_rep + 4);
  (void)step(at, StepKind::Over, true);
  REQUIRE(rip(at) == rep);
  EXPECT(at.focus().at == before_rep);
  (void)step(at, StepKind::Into);
  (void)step(at, StepKind::Into);
  REQUIRE(rip(at) == rep);
  (void)step(at, StepKind::Over, true);
  EXPECT(at.focus().at == before_rep);
  while (rip(at) != inner) (void)step(at, StepKind::Over, true);
  (void)step(at, StepKind::Over, true);
  REQUIRE(rip(at) == call_site);
}

TEST_CASE("steps out end behind the call of this frame, not of an inner one, and back at it") {
  const auto debugged = session();
  Session& at = *debugged;
  (void)step(at, StepKind::Into, false, 3);
  REQUIRE(rip(at) == inner + 7);
  const uint64_t stack = at.look().context.rsp;
  const Stop stop = step(at, StepKind::Out);
  EXPECT(stop.reason == StopReason::Step);
  REQUIRE(rip(at) == after_call);
  EXPECT(at.look().context.rsp == stack + 8);
  (void)step(at, StepKind::Into, true, 2);
  REQUIRE(rip(at) == first_return);
  (void)step(at, StepKind::Out, true);
  REQUIRE(rip(at) == inner_call);
  (void)step(at, StepKind::Out, true);
  REQUIRE(rip(at) == call_site);
}

TEST_CASE("the ends of the run are stops of their own, from both sides") {
  const auto debugged = session();
  Session& at = *debugged;
  EXPECT(step(at, StepKind::Into, true).reason == StopReason::Beginning);
  EXPECT(run(at, true).reason == StopReason::Beginning);
  const Stop end = run(at);
  EXPECT(end.reason == StopReason::End);
  EXPECT(end.ending.find("switched off") != std::string::npos);
  EXPECT(step(at, StepKind::Into).reason == StopReason::End);
  EXPECT(step(at, StepKind::Over).reason == StopReason::End);
  const Stop moved = at.move({.at = Instant{1'000'000}}).value();
  EXPECT(moved.reason == StopReason::End);
  EXPECT(at.move({.vp = 5}).ok() == false);
}

TEST_CASE("a breakpoint of code is met at the same instants in both directions and counts its hits") {
  const auto debugged = session();
  Session& at = *debugged;
  const uint32_t id = set(at, BreakpointKind::Code, "0x101040");
  std::vector<Instant> met;
  for (;;) {
    const Stop stop = run(at);
    if (stop.reason == StopReason::End) break;
    REQUIRE(stop.reason == StopReason::Breakpoint);
    EXPECT(stop.breakpoints == std::vector<uint32_t>{id});
    EXPECT(stop.place.address == inner);
    met.push_back(stop.focus.at);
  }
  EXPECT(met.size() == 6);  // each call calls once more
  for (size_t i = met.size(); i-- > 0;) {
    const Stop stop = run(at, true);
    REQUIRE(stop.reason == StopReason::Breakpoint);
    EXPECT(stop.focus.at == met[i]);
  }
  EXPECT(run(at, true).reason == StopReason::Beginning);
  EXPECT(at.breakpoints().find(id)->hits == 12);
}

TEST_CASE("a condition decides which hits count") {
  const auto debugged = session();
  Session& at = *debugged;
  const uint32_t id = set(at, BreakpointKind::Code, "0x101040", "rbx == 2 and u32(0x101800) == 3");
  EXPECT(run(at).breakpoints == std::vector<uint32_t>{id});
  EXPECT(at.look().processor.shared.gpr[vtl::Rbx] == 2);
  EXPECT(run(at).reason == StopReason::End);
  EXPECT(at.breakpoints().find(id)->hits == 1);
  EXPECT(run(at, true).breakpoints == std::vector<uint32_t>{id});
  REQUIRE(at.breakpoints().set_condition(id, "", at.context()).ok());
  EXPECT(run(at, true).breakpoints == std::vector<uint32_t>{id});
  EXPECT(!at.breakpoints().set_condition(id, "rbx ==", at.context()).ok());
  EXPECT(!at.breakpoints().set_condition(id, "\"text\"", at.context()).ok());
}

TEST_CASE("ignored hits are passed over, temporary breakpoints go, disabled ones are not met") {
  const auto debugged = session();
  Session& at = *debugged;
  const uint32_t late = set(at, BreakpointKind::Code, "0x101040", "", 2);
  Stop stop = run(at);
  EXPECT(stop.breakpoints == std::vector<uint32_t>{late});
  EXPECT(at.breakpoints().find(late)->hits == 3);
  EXPECT(at.look().processor.shared.gpr[vtl::Rbx] == 2);
  const uint32_t once = set(at, BreakpointKind::Code, "0x101047", "", 0, true);
  stop = run(at);
  EXPECT(stop.breakpoints == std::vector<uint32_t>{once});
  EXPECT(at.breakpoints().find(once) == nullptr);
  REQUIRE(at.breakpoints().enable(late, false).ok());
  EXPECT(run(at).reason == StopReason::End);
  EXPECT(!at.breakpoints().remove(once).ok());
}

TEST_CASE("several breakpoints that are met at once are all named") {
  const auto debugged = session();
  Session& at = *debugged;
  const uint32_t one = set(at, BreakpointKind::Code, "0x101040"), two = set(at, BreakpointKind::Code, "0x101000 + 0x40");
  const uint32_t watch = set(at, BreakpointKind::Write, "0x101800+4"), behind = set(at, BreakpointKind::Code, "0x101047");
  EXPECT(run(at).breakpoints == std::vector<uint32_t>{one, two});
  Stop stop = run(at);
  EXPECT(stop.reason == StopReason::Watchpoint);
  std::sort(stop.breakpoints.begin(), stop.breakpoints.end());
  EXPECT(stop.breakpoints == std::vector<uint32_t>{watch, behind});
  EXPECT(rip(at) == inner + 7);
}

TEST_CASE("watchpoints on memory and registers stop behind the change, and back before it") {
  const auto debugged = session();
  Session& at = *debugged;
  const uint32_t memory = set(at, BreakpointKind::Write, "spa:0x101800+4");
  Stop stop = run(at);
  EXPECT(stop.reason == StopReason::Watchpoint);
  EXPECT(stop.breakpoints == std::vector<uint32_t>{memory});
  REQUIRE(stop.change.has_value());
  EXPECT(stop.change->text == "0x0 -> 0x3");
  EXPECT(rip(at) == inner + 7);
  stop = run(at, true);
  EXPECT(stop.reason == StopReason::Watchpoint);
  EXPECT(rip(at) == inner);
  REQUIRE(at.breakpoints().remove(memory).ok());
  const uint32_t counter = set(at, BreakpointKind::Register, "rsi");
  std::vector<std::string> changes;
  while ((stop = run(at)).reason == StopReason::Watchpoint) changes.push_back(stop.change->text);
  EXPECT(changes.size() == 6);
  EXPECT(at.breakpoints().find(counter)->hits == 6);
  EXPECT(run(at, true).change->text == changes.back());
}

TEST_CASE("reads are met by access watchpoints") {
  const auto debugged = session();
  Session& at = *debugged;
  const uint32_t stack = set(at, BreakpointKind::Access, "rsp - 8+8");
  const Stop call = run(at);
  EXPECT(call.breakpoints == std::vector<uint32_t>{stack});
  EXPECT(rip(at) == inner);
  const Stop read = run(at);
  EXPECT(read.breakpoints == std::vector<uint32_t>{stack});
  EXPECT(rip(at) == after_call);
}

TEST_CASE("to the cursor, in both directions, passing over breakpoints or not") {
  const auto debugged = session();
  Session& at = *debugged;
  const uint32_t id = set(at, BreakpointKind::Code, "0x101040");
  EXPECT(run(at, false, "0x101065").breakpoints == std::vector<uint32_t>{id});
  Stop stop = at.run({.to = "0x101065", .until = {}, .breakpoints = false}).value();
  EXPECT(stop.reason == StopReason::Place);
  EXPECT(rip(at) == outer_return);
  stop = at.run({.back = true, .to = "0x101005", .until = {}, .breakpoints = false}).value();
  EXPECT(stop.reason == StopReason::Place);
  EXPECT(rip(at) == call_site);
  EXPECT(!at.run({.to = "nowhere!atall", .until = {}}).ok());
  EXPECT(!at.run({.to = {}, .until = "kind =="}).ok());
}

TEST_CASE("breakpoints that make no sense are refused with the reason; one that waits for an image is none of them") {
  const auto debugged = session();
  Session& at = *debugged;
  const auto refused = [&](BreakpointKind kind, const std::string& what, std::optional<uint32_t> vp = {}) {
    return !at.breakpoints().set({.kind = kind, .what = what, .vtl = {}, .vp = vp, .process = {}, .condition = {}}, at.context()).ok();
  };
  EXPECT(refused(BreakpointKind::Code, "1 +"));
  EXPECT(refused(BreakpointKind::Code, "nt!Foo +"));
  EXPECT(refused(BreakpointKind::Code, "\"text\""));
  EXPECT(refused(BreakpointKind::Code, "0x1000", 3));
  EXPECT(refused(BreakpointKind::Event, "nonsense"));
  EXPECT(refused(BreakpointKind::Register, "eax"));
  EXPECT(refused(BreakpointKind::Write, "0x1000+0"));
  EXPECT(refused(BreakpointKind::Vtl, "2"));
  const uint32_t later = set(at, BreakpointKind::Code, "securekernel!SkInit + 4");
  EXPECT(!at.breakpoints().find(later)->resolved);
  EXPECT(run(at).reason == StopReason::End);
}

TEST_CASE("a branch runs on from what was changed, goes back to its own beginning, and leaves the run as it was") {
  const auto debugged = session();
  Session& at = *debugged;
  EXPECT(!at.write_register(*find_register("rbx"), 0, Vtl::Vtl0, {1, 0}).ok());
  (void)run(at, false, "0x101040");
  const Focus here = at.focus();
  const auto before = at.timeline().machine().fingerprint();
  REQUIRE(at.begin_branch("one round").ok());
  EXPECT(!at.begin_branch("again").ok());
  EXPECT(at.timeline().machine().fingerprint() == before);
  const auto count_calls = [&] {
    const uint32_t id = set(at, BreakpointKind::Code, "0x10100a");
    size_t calls = 0;
    while (run(at).reason == StopReason::Breakpoint) ++calls;
    EXPECT(at.breakpoints().remove(id).ok());
    return calls;
  };
  EXPECT(count_calls() == 3);
  EXPECT(run(at, true).reason == StopReason::Beginning);
  EXPECT(at.focus().at == here.at);
  REQUIRE(at.write_register(*find_register("rbx"), 0, Vtl::Vtl0, {1, 0}).ok());
  EXPECT(!at.write_register(*find_register("rip"), 0, Vtl::Vtl0, {0x8000'0000'0000'0000, 0}).ok());
  EXPECT(!at.write_register(*find_register("cr0"), 0, Vtl::Vtl0, {0, 0}).ok());
  EXPECT(at.look().processor.shared.gpr[vtl::Rbx] == 1);
  EXPECT(count_calls() == 1);
  EXPECT(run(at, true).reason == StopReason::Beginning);
  EXPECT(at.look().processor.shared.gpr[vtl::Rbx] == 1);
  // A second change, later: going back passes it, and going forward again makes it again.
  (void)step(at, StepKind::Into, false, 3);
  const Instant second = at.focus().at;
  const uint8_t bytes[] = {0xaa, 0xbb};
  REQUIRE(at.write_memory(Vtl::Vtl0, std::nullopt, Gva{data + 0x10}, bytes).ok());
  EXPECT(!at.write_memory(Vtl::Vtl0, std::nullopt, Gva{0x7000'0000'0000}, bytes).ok());
  EXPECT(at.branch()->find("one round") == 0);
  const auto value = [&] { return at.compile("u16(0x101810)", at.focus()).value().evaluate({.machine = &at.look().machine, .event = nullptr, .names = nullptr})->number; };
  EXPECT(value() == 0xbbaa);
  (void)step(at, StepKind::Into, true);
  EXPECT(value() == 0);
  (void)step(at, StepKind::Into);
  EXPECT(at.focus().at == second);
  EXPECT(value() == 0xbbaa);
  const Stop back = at.end_branch().value();
  EXPECT(back.focus == here);
  EXPECT(at.timeline().machine().fingerprint() == before);
  EXPECT(count_calls() == 3);
  EXPECT(!at.end_branch().ok());
}

TEST_CASE("a motion that finds nothing can be ended from another thread") {
  loader::MachineConfig config;
  config.memory_bytes = loader::minimum_memory;
  machine::MachineParts parts;
  constexpr uint8_t forever[] = {0x48, 0xff, 0xc0, 0xeb, 0xfb};  // again: inc rax; jmp again
  parts.firmware = test::tiny_firmware(forever);
  auto timeline = Timeline::over(config, std::move(parts));
  REQUIRE(timeline.ok());
  const auto made = Session::over(std::move(timeline.value()), {});
  Session& at = *made.value();
  std::atomic<bool> over{};
  std::thread impatient{[&] {
    while (!over) at.interrupt();
  }};
  const Stop stop = run(at);
  over = true;
  impatient.join();
  EXPECT(stop.reason == StopReason::Interrupted);
  EXPECT(at.timeline().now() == at.focus().at);
  // One that came before a motion ends it as it begins, unless it is withdrawn: who asks cannot know how far the motion is.
  at.interrupt();
  EXPECT(run(at).reason == StopReason::Interrupted);
  at.interrupt();
  at.withdraw_interrupt();
  EXPECT(step(at, StepKind::Into).reason == StopReason::Step);
}
