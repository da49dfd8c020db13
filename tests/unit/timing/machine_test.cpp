// The timing model on a real boot: it changes nothing, and it finds the same cycles however it is fed.
#include <filesystem>

#include "sim/timing/call_ledger.h"
#include "sim/timing/live_observer.h"
#include "sim/trace/reader.h"
#include "sim/trace/writer.h"
#include "tests/support/catch.h"
#include "tests/support/machine_run.h"

namespace {

using namespace timing;

/// Past the first secure calls of the boot.
constexpr support::Instant end{4'300'000};

loader::MachineConfig exact() {
  loader::MachineConfig config = test::with_vsm();
  config.gear = loader::GearSetting::Exact;
  return config;
}

class Listener final : public support::EventSink {
 public:
  explicit Listener(std::vector<support::EventSink*> sinks) : sinks_{std::move(sinks)} {}
  void on(const support::Event& event) override {
    for (support::EventSink* sink : sinks_) sink->on(event);
  }

 private:
  std::vector<support::EventSink*> sinks_;
};

class CodeView final : public trace::CodeReader {
 public:
  explicit CodeView(machine::Machine& machine) : machine_{machine} {}
  size_t read_code(const vtl::VirtualProcessor& vp, std::span<uint8_t> out) override {
    return read_data(vp, vp.context().rip, out);
  }
  size_t read_data(const vtl::VirtualProcessor& vp, uint64_t address, std::span<uint8_t> out) override {
    return mmu::read_gva(machine_.translator(), machine_.hypervisor().address_space(vp), mmu::Gva{address}, out);
  }

 private:
  machine::Machine& machine_;
};

class Both final : public vtl::InstructionObserver {
 public:
  Both(vtl::InstructionObserver* first, vtl::InstructionObserver& second) : first_{first}, second_{second} {}
  void before_instruction(support::Instant now, const vtl::VirtualProcessor& vp) override {
    if (first_ != nullptr) first_->before_instruction(now, vp);
    second_.before_instruction(now, vp);
  }

 private:
  vtl::InstructionObserver* first_;
  vtl::InstructionObserver& second_;
};

struct Result {
  support::StateHash fingerprint;
  Totals totals;
  std::vector<SecureCall> calls;
  bool symbols{};
  Quarters outside{};
};

void take(Result& result, const CycleModel& model, const CallLedger& ledger) {
  result.totals = model.totals();
  result.calls = ledger.calls();
  result.symbols = ledger.has_symbols();
  for (const auto& [vtl, cost] : ledger.outside()) result.outside += cost;
}

const std::vector<std::string> image_folders{"guests/images"};

Result run_live(const char* trace_file, bool shadow) {
  test::MachineRun run{exact()};
  machine::Machine& machine = run.machine();
  const CostTable costs;
  LiveObserver observer{machine.translator(),
                        [&](const vtl::VirtualProcessor& vp) { return machine.hypervisor().address_space(vp); },
                        costs};
  if (shadow) observer.add(Paging::Shadow);
  loader::ImageCatalog images{image_folders};
  Phases phases{images};
  CallLedger ledger{phases};
  observer.model().listen(ledger);
  CodeView code{machine};
  std::unique_ptr<trace::Writer> writer;
  if (trace_file != nullptr) {
    auto created = trace::Writer::create(trace_file, {}, &code, {.detail = trace::Detail::Full});
    REQUIRE(created.ok());
    writer = std::move(created.value());
    observer.record_walks(writer.get());
  }
  run.seen().watch([&](const test::Seen& seen) {
    support::Event event = seen.event;
    event.text = seen.text;
    event.frame = seen.has_frame ? seen.frame.data() : nullptr;
    if (event.kind == support::EventKind::ImageLoaded) images.load(event.text, event.a, event.b, event.c);
    if (writer) writer->on(event);
    observer.on(event);
  });
  Both both{writer.get(), observer};
  machine.observe(&both);
  REQUIRE(machine.run(end) == machine::StopReason::Deadline);
  machine.observe(nullptr);
  if (writer) REQUIRE(writer->close().ok());
  Result result;
  result.fingerprint = machine.fingerprint();
  take(result, observer.model(), ledger);
  return result;
}

Result run_from(const char* trace_file) {
  auto reader = trace::Reader::open(trace_file);
  REQUIRE(reader.ok());
  const CostTable costs;
  TraceFeeder feeder{costs};
  loader::ImageCatalog images{image_folders};
  Phases phases{images};
  CallLedger ledger{phases};
  feeder.model().listen(ledger);
  for (;;) {
    auto record = reader.value().next();
    REQUIRE(record.ok());
    if (!record.value()) break;
    if (const auto* event = std::get_if<trace::EventRecord>(&*record.value());
        event != nullptr && event->event.kind == support::EventKind::ImageLoaded)
      images.load(event->text, event->event.a, event->event.b, event->event.c);
    feeder.on(*record.value());
  }
  feeder.finish();
  EXPECT(feeder.missing_walks() == 0);
  Result result;
  take(result, feeder.model(), ledger);
  return result;
}

void require_same(const Result& a, const Result& b) {
  EXPECT(a.totals.instructions == b.totals.instructions);
  EXPECT(a.totals.total() == b.totals.total());
  EXPECT(a.totals.charge.walk == b.totals.charge.walk);
  EXPECT(a.totals.charge.data == b.totals.charge.data);
  EXPECT(a.totals.charge.system == b.totals.charge.system);
  EXPECT(a.totals.walks_by_steps == b.totals.walks_by_steps);
  EXPECT(a.totals.data.misses == b.totals.data.misses);
  REQUIRE(a.calls.size() == b.calls.size());
  for (size_t i = 0; i < a.calls.size(); ++i) {
    EXPECT(a.calls[i].name == b.calls[i].name);
    EXPECT(a.calls[i].start == b.calls[i].start);
    EXPECT(a.calls[i].parts.total() == b.calls[i].parts.total());
    EXPECT(a.calls[i].parts.marshalling == b.calls[i].parts.marshalling);
  }
}

}  // namespace

TEST_CASE("cycles are the same in every run and from the trace, and counting them changes nothing") {
  const char* file = "timing_machine_test.atr";
  const Result first = run_live(file, false);
  const Result second = run_live(nullptr, true);
  require_same(first, second);

  test::MachineRun bare{exact()};
  REQUIRE(bare.machine().run(end) == machine::StopReason::Deadline);
  const support::StateHash unobserved = bare.machine().fingerprint();
  EXPECT(unobserved == first.fingerprint);
  EXPECT(unobserved == second.fingerprint);

  require_same(first, run_from(file));
  std::filesystem::remove(file);

  EXPECT(first.totals.walks_by_steps[24] != 0);
  REQUIRE(!first.calls.empty());
  Quarters sum = first.outside;
  for (const SecureCall& call : first.calls) sum += call.parts.total();
  EXPECT(sum == first.totals.total() -
                    first.totals.unobserved * CostTable{}.of(InstructionClass::Unobserved));
  // Carrying the frame is told from work, where the images have symbols.
  EXPECT(first.symbols);
  EXPECT(first.calls.back().parts.marshalling != 0);
}
