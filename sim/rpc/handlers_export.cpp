// export, cycles: stretches of the run, as files of other tools and as costs.
#include <fmt/format.h>

#include "sim/export/export.h"
#include "sim/machine/code_view.h"
#include "sim/rpc/desk.h"
#include "sim/rpc/events_csv.h"
#include "sim/rpc/memory_file.h"
#include "sim/timing/live_observer.h"
#include "sim/timing/report.h"
#include "sim/trace/writer.h"

namespace rpc {
namespace {

using exporting::Format;
using support::Instant;
using support::Result;
using support::Status;

constexpr uint64_t largest_file = uint64_t{8} << 20;
/// Instants of a stretch that is executed once more.
constexpr uint64_t longest_drcov = 100'000'000, longest_tenet = 1'000'000, longest_cycles = 10'000'000;

Refusal too_large() { return refuse(Code::Refused, "the file would have more than 8 MiB: ask for a shorter stretch"); }

std::string base64(std::span<const uint8_t> bytes) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t left = bytes.size() - i;
    const uint32_t word = uint32_t{bytes[i]} << 16 | (left > 1 ? uint32_t{bytes[i + 1]} << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
    text += digits[word >> 18];
    text += digits[word >> 12 & 63];
    text += left > 1 ? digits[word >> 6 & 63] : '=';
    text += left > 2 ? digits[word & 63] : '=';
  }
  return text;
}

struct Stretch {
  Instant from, to;
  [[nodiscard]] uint64_t length() const { return to - from; }
};

Result<Stretch, Refusal> stretch_of(const Parameters& parameters, uint64_t longest) {
  const Stretch stretch{{*parameters.integer("from")}, {*parameters.integer("to")}};
  if (stretch.to <= stretch.from) return refuse(Code::InvalidParameters, "to is not after from");
  if (stretch.length() > longest) return refuse(Code::InvalidParameters, fmt::format("the stretch has {} instants; at most {} are executed once more", stretch.length(), longest));
  return stretch;
}

/// All events of [from, to] in their order. The visitor may ask the session; false ends it. Errors: interrupted.
Status each_event(Desk& desk, const Stretch& stretch, const std::function<bool(const trace::EventRecord&)>& visit) {
  constexpr size_t batch = 4096;
  std::vector<trace::EventRecord> events;
  for (std::optional<Instant> next = stretch.from; next;) {
    events.clear();
    const auto rest = desk.session.timeline().history().first(*next, [&](const support::Event& event) {
      if (event.at > stretch.to || (events.size() >= batch && event.at != events.back().event.at)) return true;
      trace::EventRecord record{.event = event, .has_frame = event.frame != nullptr, .frame = {}, .text = std::string{event.text}};
      if (record.has_frame) std::copy_n(event.frame, record.frame.size(), record.frame.begin());
      record.event.frame = nullptr;
      record.event.text = {};
      events.push_back(std::move(record));
      return desk.session.interrupted();
    });
    if (desk.session.interrupted()) return support::Error{"interrupted"};
    for (const trace::EventRecord& event : events)
      if (!visit(event)) return support::Unit{};
    next = rest && rest->event.at <= stretch.to ? std::optional{rest->event.at} : std::nullopt;
  }
  return support::Unit{};
}

Json file_json(std::string name, std::span<const uint8_t> bytes, std::string text) {
  return {{"name", std::move(name)}, {"base64", base64(bytes)}, {"text", std::move(text)}};
}

std::string file_name(const Stretch& stretch, std::string_view extension) {
  return fmt::format("airlock-{}-{}.{}", stretch.from.ticks, stretch.to.ticks, extension);
}

Answer export_csv(Desk& desk, const Parameters& parameters) {
  const Stretch stretch = TRY(stretch_of(parameters, ~uint64_t{0}));
  std::string text = csv_heading();
  uint64_t count = 0;
  TRY(or_refuse(each_event(desk, stretch, [&](const trace::EventRecord& event) {
    desk.session.names().move_to(event.event.at);
    text += csv_line(event, desk.session.names());
    ++count;
    return text.size() <= largest_file;
  })));
  if (text.size() > largest_file) return too_large();
  return file_json(file_name(stretch, "csv"), {reinterpret_cast<const uint8_t*>(text.data()), text.size()}, fmt::format("{} events", count));
}

/// What an exporter wrote, unless it failed or wrote too much.
Answer finished(const exporting::Outcome& outcome, const MemoryFile& file, std::string name) {
  if (file.size() > largest_file) return too_large();
  for (const Status* status : {&outcome.read, &outcome.written})
    if (!*status) return refused(status->error());
  return file_json(std::move(name), file.bytes(), outcome.summary);
}

/// Images before the stretch have their names from events, so all events are gone through.
Answer export_perfetto(Desk& desk, const Parameters& parameters) {
  const Stretch stretch = TRY(stretch_of(parameters, ~uint64_t{0}));
  const MemoryFile file = TRY(or_refuse(MemoryFile::create("perfetto")));
  loader::ImageCatalog images{desk.session.names().folders()};
  const exporting::Options options{.format = Format::Perfetto, .path = file.path(), .vtl = {}, .from = stretch.from.ticks, .to = stretch.to.ticks};
  const auto exporter = TRY(or_refuse(exporting::create(options, {}, images)));
  exporting::Feed feed{options, images, *exporter};
  const Status read = each_event(desk, {{}, stretch.to}, [&](const trace::EventRecord& event) {
    return feed.take(event) && file.size() <= largest_file;
  });
  const exporting::Outcome outcome{read, exporter->finish(), exporter->summary()};
  return finished(outcome, file, file_name(stretch, "pftrace"));
}

/// A machine for CodeView, which is made when the stretch begins.
struct Rerun {
  machine::Machine* copy{};
  [[nodiscard]] machine::Machine& machine() const { return *copy; }
};

/// Tells `writer` of the images and processes that are there when the stretch begins.
Status tell_before(Desk& desk, Instant from, trace::Writer& writer) {
  using support::EventKind;
  if (from == Instant{}) return support::Unit{};
  return each_event(desk, {{}, Instant{from.ticks - 1}}, [&](const trace::EventRecord& event) {
    const EventKind kind = event.event.kind;
    if (kind == EventKind::ImageLoaded || kind == EventKind::ImageUnloaded || kind == EventKind::ProcessCreated || kind == EventKind::ProcessExited)
      writer.on(event.view());
    return true;
  });
}

Status trace_stretch(Desk& desk, const Stretch& stretch, trace::Detail detail, const std::string& path) {
  Rerun owner;
  machine::CodeView<Rerun> code{owner};
  const std::unique_ptr<trace::Writer> writer = TRY(trace::Writer::create(path, {}, &code, {.detail = detail}));
  TRY(tell_before(desk, stretch.from, *writer));
  TRY(desk.session.timeline().rerun(stretch.from, stretch.to, *writer, [&](machine::Machine& machine) {
    owner.copy = &machine;
    return writer.get();
  }));
  return writer->close();
}

/// What is made of instructions: they are executed once more.
Answer export_instructions(Desk& desk, const Parameters& parameters, Format format) {
  const bool tenet = format == Format::Tenet;
  const Stretch stretch = TRY(stretch_of(parameters, tenet ? longest_tenet : longest_drcov));
  const auto vtl = TRY(desk.vtl(parameters)).value_or(abi::hv::Vtl{});
  const MemoryFile trace_file = TRY(or_refuse(MemoryFile::create("trace"))), file = TRY(or_refuse(MemoryFile::create("export")));
  TRY(or_refuse(trace_stretch(desk, stretch, tenet ? trace::Detail::Full : trace::Detail::Control, trace_file.path())));
  trace::Reader reader = TRY(or_refuse(trace::Reader::open(trace_file.path())));
  loader::ImageCatalog images{desk.session.names().folders()};
  const exporting::Options options{.format = format, .path = file.path(), .vtl = static_cast<uint8_t>(vtl), .from = stretch.from.ticks, .to = stretch.to.ticks - 1};
  const auto exporter = TRY(or_refuse(exporting::create(options, reader.meta(), images)));
  const auto next = [&]() -> Result<trace::Record*> {
    if (desk.session.interrupted()) return support::Error{"interrupted"};
    if (file.size() > largest_file) return static_cast<trace::Record*>(nullptr);
    return reader.read();
  };
  const exporting::Outcome outcome = exporting::run(options, next, images, *exporter);
  return finished(outcome, file, file_name(stretch, tenet ? "tenet" : "drcov"));
}

Answer export_stretch(Desk& desk, const Parameters& parameters) {
  const std::string kind = parameters.text("kind");
  if (kind == "csv") return export_csv(desk, parameters);
  if (kind == "perfetto") return export_perfetto(desk, parameters);
  return export_instructions(desk, parameters, kind == "tenet" ? Format::Tenet : Format::Drcov);
}

/// The machine's events, before anybody knows who hears them.
struct EventsTo final : support::EventSink {
  void on(const support::Event& event) override {
    if (listener != nullptr) listener->on(event);
  }
  support::EventSink* listener{};
};

Answer cycles(Desk& desk, const Parameters& parameters) {
  const Stretch stretch = TRY(stretch_of(parameters, longest_cycles));
  const timing::CostTable costs;
  std::optional<timing::LiveObserver> observer;
  EventsTo events;
  TRY(or_refuse(desk.session.timeline().rerun(stretch.from, stretch.to, events, [&](machine::Machine& machine) {
    observer.emplace(machine.translator(), [&machine](const vtl::VirtualProcessor& vp) { return machine.hypervisor().address_space(vp); }, costs);
    events.listener = &*observer;
    return &*observer;
  })));
  const timing::Totals& totals = observer->model().totals();
  Json rows = Json::array();
  for (const timing::CostShare& row : timing::cost_shares(totals))
    rows.push_back({{"cells", {row.text, std::to_string(row.cycles), timing::share_text(row.cost, totals.total())}}});
  return Json{{"cycles", totals.total() / timing::quarters_per_cycle}, {"rows", std::move(rows)}};
}

}  // namespace

void serve_export(Desk& desk) {
  serve(desk, "export", export_stretch);
  serve(desk, "cycles", cycles);
}

}  // namespace rpc
