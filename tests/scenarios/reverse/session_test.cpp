// A debugging session over the boot of the Windows guests: both worlds, forwards and backwards.
#include "tests/unit/debugger/boot_timeline.h"

#include "sim/debugger/session.h"

using namespace debugger;
using support::EventKind;

namespace {

std::unique_ptr<Session> boot_session() {
  auto made = Session::over(test::boot_timeline(), {.symbol_folders = {"guests/images"}, .source_folders = {}});
  if (!made) FAIL(made.error().message);
  return std::move(made.value());
}

Stop run(Session& session, const RunRequest& request = {}) {
  auto stop = session.run(request);
  if (!stop) FAIL(stop.error().message);
  return std::move(stop.value());
}

Stop step(Session& session, StepKind kind, bool back = false) {
  auto stop = session.step({.kind = kind, .back = back});
  if (!stop) FAIL(stop.error().message);
  return std::move(stop.value());
}

uint32_t set(Session& session, BreakpointRequest request) {
  auto id = session.breakpoints().set(std::move(request), session.context());
  if (!id) FAIL(id.error().message);
  return id.value();
}

support::StateHash plain_end() {
  const auto machine = boot::make(loader::GearSetting::Fast);
  REQUIRE(machine->run(boot::limit) == machine::StopReason::PowerOff);
  return machine->fingerprint();
}

}  // namespace

TEST_CASE("From a breakpoint in the secure kernel back to the call of VTL 0, over it, and on to the end of an untouched run") {
  const auto debugged = boot_session();
  Session& at = *debugged;

  // The image is not there yet: the breakpoint waits for it.
  const uint32_t service = set(at, {.kind = BreakpointKind::Code, .what = "securekernel!sk::ServiceCreateProcess"});
  EXPECT(!at.breakpoints().find(service)->resolved);
  Stop stop = run(at);
  REQUIRE(stop.reason == StopReason::Breakpoint);
  EXPECT(stop.breakpoints == std::vector<uint32_t>{service});
  EXPECT(stop.place.text == "securekernel!sk::ServiceCreateProcess");
  EXPECT(stop.place.file.find("services_process") != std::string::npos);
  EXPECT(stop.ring == 0);
  EXPECT(at.breakpoints().find(service)->resolved);
  const Instant in_service = stop.focus.at;

  // Registers of both VTLs.
  REQUIRE(stop.focus.vtl == Vtl::Vtl1);
  const uint64_t secure_cr3 = at.look().context.cr3, secure_stack = at.look().context.rsp;
  const Stop other = at.move({.vtl = Vtl::Vtl0}).value();
  EXPECT(other.focus.at == in_service);
  EXPECT(!at.look().active);
  EXPECT(at.look().context.cr3 != secure_cr3);
  EXPECT(other.ring == 0);
  const uint64_t normal_stack = at.look().context.rsp;
  EXPECT(at.compile("vtl1.rsp", at.focus()).value().evaluate({.machine = &at.look().machine, .event = nullptr, .names = nullptr})->number ==
         secure_stack);

  // Back to the call, which is the last one before.
  stop = run(at, {.back = true, .until = "kind == VtlCall"});
  REQUIRE(stop.reason == StopReason::Event);
  REQUIRE(stop.event.has_value());
  EXPECT(stop.event->event.kind == EventKind::VtlCall);
  EXPECT(stop.focus.vtl == Vtl::Vtl0);
  EXPECT(stop.focus.at < in_service);
  EXPECT(at.look().context.rsp == normal_stack);
  const uint64_t call = at.look().context.rip;
  const Instant called = stop.focus.at;

  // Into it is VTL 1; over it the next instruction of VTL 0, once the breakpoint inside does not hold it up.
  (void)step(at, StepKind::Into);
  EXPECT(at.focus().vtl == Vtl::Vtl1);
  (void)step(at, StepKind::Into, true);
  EXPECT(at.focus().at == called);
  stop = step(at, StepKind::Over);
  EXPECT(stop.reason == StopReason::Breakpoint);
  EXPECT(stop.focus.at == in_service);
  REQUIRE(at.breakpoints().enable(service, false).ok());
  (void)at.move({.at = called});
  stop = step(at, StepKind::Over);
  EXPECT(stop.reason == StopReason::Step);
  EXPECT(stop.focus.vtl == Vtl::Vtl0);
  EXPECT(at.look().context.rip == call + 3);
  EXPECT(at.look().context.rsp == normal_stack);
  EXPECT(stop.focus.at > in_service);
  // Back over it is at the call again; out of the hypercall page is in the kernel.
  stop = step(at, StepKind::Over, true);
  EXPECT(stop.focus.at == called);
  stop = step(at, StepKind::Out);
  EXPECT(stop.place.module == "nt");
  EXPECT(stop.focus.vtl == Vtl::Vtl0);
  EXPECT(at.look().context.rsp == normal_stack + 8);
  stop = step(at, StepKind::Over, true);
  EXPECT(at.look().context.rsp == normal_stack + 8);
  EXPECT(stop.place.module == "nt");
  EXPECT(stop.focus.at < called);

  // Who wrote RBX before the call? It is what the frame's first bytes travel in.
  (void)at.move({.at = called});
  const auto answer = last_write(at.timeline(), {RegisterWatch{*find_register("rbx"), Vtl::Vtl0, 0}});
  REQUIRE(answer.has_value());
  EXPECT(answer->hit.at < called);

  // On to the end: nothing of this has changed the run.
  REQUIRE(at.breakpoints().remove(service).ok());
  stop = run(at);
  EXPECT(stop.reason == StopReason::End);
  EXPECT(stop.ending == "the machine was switched off by its guest");
  EXPECT(at.timeline().machine().fingerprint() == plain_end());
}

TEST_CASE("Each kind of event stops a boot, and the same event is found from behind") {
  const auto debugged = boot_session();
  Session& at = *debugged;
  struct Row {
    std::string what;
    EventKind kind;
  };
  const std::vector<Row> rows{
      {"vtl-call", EventKind::VtlCall}, {"vtl-return", EventKind::VtlReturn},
      {"hypercall=ModifyVtlProtectionMask", EventKind::Hypercall}, {"secure-service=CreateProcess", EventKind::VtlCall},
      {"normal-call", EventKind::VtlReturn}, {"ium-call", EventKind::SystemCall}, {"intercept", EventKind::Intercept},
      {"slat-violation", EventKind::Intercept}, {"msr=Eoi", EventKind::MsrWrite},
      {"interrupt", EventKind::Interrupt}, {"exception", EventKind::Exception},
      {"protection", EventKind::ProtectionChange}, {"vtl-entry", EventKind::VtlInterruptEntry},
      {"image-load=skci", EventKind::ImageLoaded}, {"trustlet-start=lsaiso", EventKind::ProcessCreated},
  };
  at.timeline().explore_all();
  for (const Row& row : rows) {
    CAPTURE(row.what);
    (void)at.move({.at = Instant{0}});
    const uint32_t id = set(at, {.kind = BreakpointKind::Event, .what = row.what});
    Stop stop = run(at);
    EXPECT(stop.reason == StopReason::Event);
    EXPECT(stop.breakpoints == std::vector<uint32_t>{id});
    REQUIRE(stop.event.has_value());
    EXPECT(stop.event->event.kind == row.kind);
    const Instant first = stop.focus.at;
    EXPECT(stop.event->event.at - first == (row.kind == EventKind::SystemCall ? 1u : 0u));  // announced behind SYSCALL
    EXPECT(run(at, {.back = true}).reason == StopReason::Beginning);
    (void)at.move({.at = first + 1});
    EXPECT(run(at, {.back = true}).focus.at == first);
    REQUIRE(at.breakpoints().remove(id).ok());
  }
  // What machines do not announce is a change of a register.
  for (const char* what : {"control-register=cr4", "msr=0xc0000082"}) {
    CAPTURE(what);
    const uint32_t id = set(at, {.kind = BreakpointKind::Event, .what = what, .vtl = Vtl::Vtl1});
    (void)at.move({.at = Instant{0}});
    const Stop stop = run(at);
    EXPECT(stop.breakpoints == std::vector<uint32_t>{id});
    EXPECT(stop.change.has_value());
    REQUIRE(at.breakpoints().remove(id).ok());
  }
}

TEST_CASE("Conditions see events, registers of both VTLs, processes and images") {
  const auto debugged = boot_session();
  Session& at = *debugged;
  const uint32_t by_event = set(at, {.kind = BreakpointKind::Event, .what = "hypercall",
                                     .condition = "name == \"ModifyVtlProtectionMask\" and status == 0 and arg(\"map_flags\") == 0"});
  Stop stop = run(at);
  REQUIRE(stop.breakpoints == std::vector<uint32_t>{by_event});
  EXPECT(at.breakpoints().find(by_event)->hits == 1);
  REQUIRE(at.breakpoints().remove(by_event).ok());

  const uint32_t by_state = set(at, {.kind = BreakpointKind::Event, .what = "system-call", .condition = "vtl == 1 and process == \"lsaiso.exe\""});
  stop = run(at);
  REQUIRE(stop.breakpoints == std::vector<uint32_t>{by_state});
  EXPECT(stop.focus.vtl == Vtl::Vtl1);
  EXPECT(stop.ring == 3);
  at.names().move_to(stop.focus.at);
  const auto* trustlet = at.names().processes().find("lsaiso.exe", Vtl::Vtl1);
  REQUIRE(trustlet != nullptr);
  EXPECT(at.look().context.cr3 >> 12 == trustlet->cr3 >> 12);

  // Over the system call of a trustlet, and back to it.
  const uint64_t call = at.look().context.rip, stack = at.look().context.rsp;
  const Instant called = at.focus().at;
  REQUIRE(at.breakpoints().enable(by_state, false).ok());
  stop = step(at, StepKind::Over);
  EXPECT(stop.reason == StopReason::Step);
  EXPECT(at.look().context.rip == call + 2);
  EXPECT(at.look().context.rsp == stack);
  EXPECT(stop.ring == 3);
  EXPECT(at.focus().at > called + 10);
  stop = step(at, StepKind::Over, true);
  EXPECT(at.focus().at == called);
}

TEST_CASE("Stepping over instructions that are interrupted stays in the interrupted code, and so does stepping back") {
  const auto debugged = boot_session();
  Session& at = *debugged;
  (void)set(at, {.kind = BreakpointKind::Event, .what = "interrupt", .vtl = Vtl::Vtl0});
  const Stop stop = run(at);
  REQUIRE(stop.reason == StopReason::Event);
  at.breakpoints() = {};
  INFO(stop.text);
  const uint64_t fault = at.look().context.rip, stack = at.look().context.rsp;
  const Instant faulted = at.focus().at;
  const Stop over = step(at, StepKind::Over);
  EXPECT(over.reason == StopReason::Step);
  EXPECT(at.look().context.rip != fault);
  EXPECT(at.look().context.rip - fault + 64 < 128);  // the idle loop
  EXPECT(at.look().context.rsp == stack);
  EXPECT(at.focus().at > faulted + 20);
  (void)step(at, StepKind::Over, true);
  EXPECT(at.look().context.rip == fault);
  (void)step(at, StepKind::Over, true);
  EXPECT(at.focus().at < faulted);
  EXPECT(at.look().context.rip != fault);
}

TEST_CASE("A breakpoint at the first instruction of a handler is met at the instant of the delivery, from both sides") {
  const auto debugged = boot_session();
  Session& at = *debugged;
  const uint32_t event = set(at, {.kind = BreakpointKind::Event, .what = "exception=13", .vtl = Vtl::Vtl0});
  REQUIRE(run(at).reason == StopReason::Event);
  const Instant faulted = at.focus().at;
  const uint64_t fault = at.look().context.rip;
  REQUIRE(at.breakpoints().remove(event).ok());
  const uint32_t id = set(at, {.kind = BreakpointKind::Code, .what = "nt!KiTrapStubs + 13 * 16"});  // its gate
  for (const bool back : {false, true}) {
    CAPTURE(back);
    (void)at.move({.at = back ? faulted + 1 : Instant{faulted.ticks - 1}});
    const Stop stop = run(at, {.back = back});
    EXPECT(stop.breakpoints == std::vector<uint32_t>{id});
    EXPECT(stop.focus.at == faulted);
    EXPECT(stop.place.text == "nt!KiTrapStubs+0xd0");
    EXPECT(at.look().context.rip == fault);  // an instant is as a deadline finds it: before the delivery
  }
}

TEST_CASE("A source line is stepped over as a whole, in both directions") {
  const auto debugged = boot_session();
  Session& at = *debugged;
  (void)set(at, {.kind = BreakpointKind::Code, .what = "securekernel!sk::ServiceCreateProcess", .temporary = true});
  REQUIRE(run(at).reason == StopReason::Breakpoint);
  EXPECT(at.breakpoints().list().empty());
  std::vector<std::pair<Instant, uint32_t>> way;
  Stop stop = at.describe(StopReason::Place);
  for (int i = 0; i < 4; ++i) {
    way.emplace_back(stop.focus.at, stop.place.line);
    stop = at.step({.kind = StepKind::Over, .unit = StepUnit::Line}).value();
    REQUIRE(stop.reason == StopReason::Step);
    EXPECT(stop.place.line != 0);
    EXPECT(stop.place.line != way.back().second);
    EXPECT(stop.focus.vtl == Vtl::Vtl1);
  }
  for (size_t i = way.size(); i-- > 1;) {
    CAPTURE(i);
    stop = at.step({.kind = StepKind::Over, .back = true, .unit = StepUnit::Line}).value();
    EXPECT(stop.focus.at == way[i].first);
    EXPECT(stop.place.line == way[i].second);
  }
}

TEST_CASE("A step is one of the focus' processor, whatever the others do meanwhile") {
  loader::MachineConfig config;
  config.hypervisor_launch_type = config.vsm_launch_type = loader::LaunchType::Off;
  config.hvci = loader::HvciSetting::Off;
  config.processors = 4;
  config.quantum = 1000;
  machine::MachineParts parts;
  parts.firmware = boot::read_file("guests/images/test_processors.efi");
  REQUIRE(!parts.firmware.empty());
  auto timeline = Timeline::over(config, std::move(parts));
  if (!timeline) FAIL(timeline.error().message);
  const auto made = Session::over(std::move(timeline.value()), {});
  Session& at = *made.value();
  // Where most of them run.
  at.timeline().explore_all();
  const auto running = [&](uint32_t vp) {
    const vtl::VirtualProcessor& processor = at.look().machine.processor(vp);
    return !processor.halted && !processor.suspended();
  };
  Instant busiest;
  int most = 0;
  for (uint64_t part = 1; part < 40; ++part) {
    (void)at.move({.at = Instant{at.timeline().end().ticks * part / 40}});
    const int count = running(0) + running(1) + running(2) + running(3);
    if (count > most) busiest = at.focus().at;
    most = std::max(most, count);
  }
  REQUIRE(most >= 3);
  const auto executed = [&](uint32_t vp) { return at.look().machine.processor(vp).run_ticks; };
  size_t stepped = 0;
  for (uint32_t vp = 0; vp < 4; ++vp) {
    CAPTURE(vp);
    (void)at.move({.at = busiest, .vp = vp});
    if (!running(vp)) continue;
    std::vector<std::pair<Instant, uint64_t>> way;
    for (int i = 0; i < 12; ++i) {
      way.emplace_back(at.focus().at, executed(vp));
      const Stop stop = step(at, StepKind::Into);
      REQUIRE(stop.reason == StopReason::Step);
      EXPECT(stop.focus.vp == vp);
      EXPECT(executed(vp) <= way.back().second + 1);
      ++stepped;
    }
    for (size_t i = way.size(); i-- > 1;) {
      const Stop stop = step(at, StepKind::Into, true);
      EXPECT(stop.focus.vp == vp);
      EXPECT(executed(vp) == way[i].second);
      EXPECT(stop.focus.at >= way[i].first);  // as late as it can be: others ran before this one had its turn
    }
  }
  EXPECT(stepped > 24);
}

TEST_CASE("What is delivered where a live run is stopped for the first time is heard of once") {
  const auto all_events = [](Timeline& timeline) {
    std::vector<std::tuple<uint64_t, EventKind, uint64_t, uint64_t>> events;
    (void)timeline.history().first({}, [&](const support::Event& event) {
      events.emplace_back(event.at.ticks, event.kind, event.a, event.rip);
      return false;
    });
    return events;
  };
  const auto plain = test::boot_timeline();
  plain->explore_all();
  const auto debugged = boot_session();
  Session& at = *debugged;
  for (int vector = 0; vector < 256; ++vector)
    (void)set(at, {.kind = BreakpointKind::Code, .what = "nt!KiTrapStubs + 16 * " + std::to_string(vector)});
  size_t stops = 0;
  while (run(at).reason == StopReason::Breakpoint) ++stops;
  EXPECT(stops > 3);
  EXPECT(at.timeline().machine().fingerprint() == [&] { (void)plain->seek(support::never); return plain->machine().fingerprint(); }());
  EXPECT(all_events(at.timeline()) == all_events(*plain));
}
