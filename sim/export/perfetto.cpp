// Field numbers are those of Perfetto's published schema: TracePacket, TrackDescriptor, TrackEvent, DebugAnnotation.
#include <fmt/format.h>

#include <map>

#include "sim/export/buffered_file.h"
#include "sim/export/export.h"
#include "sim/export/protobuf.h"
#include "sim/loader/pe_image.h"
#include "sim/timing/live_observer.h"
#include "sim/trace/event_names.h"
#include "sim/trace/event_text.h"

namespace exporting {
namespace {

using support::EventKind;

enum TraceField : uint32_t { trace_packet = 1 };
enum PacketField : uint32_t { packet_timestamp = 8, packet_sequence = 10, packet_event = 11, packet_flags = 13,
                              packet_track = 60 };
enum TrackField : uint32_t { track_uuid = 1, track_name = 2, track_process = 3, track_thread = 4, track_parent = 5,
                             track_counter = 8 };
enum EventField : uint32_t { event_annotation = 4, event_type = 9, event_track = 11, event_category = 22,
                             event_name = 23, event_counter = 30, event_real_counter = 44, event_flow = 47,
                             event_last_flow = 48 };
enum AnnotationField : uint32_t { annotation_text = 6, annotation_name = 10 };
enum Type : uint64_t { slice_begin = 1, slice_end = 2, instant = 3, counter = 4 };

enum Counter : uint8_t { vtl_switches, hypercalls, intercepts, exceptions, tlb_flushes, tlb_misses, vtl0_instructions,
                         vtl1_instructions, vtl2_instructions, counter_count };
constexpr std::string_view counter_names[counter_count] = {
    "VTL switches",        "hypercalls",          "intercepts", "exceptions and interrupts", "TLB flushes", "TLB misses",
    "instructions, VTL 0", "instructions, VTL 1", "instructions, VTL 2"};
constexpr uint64_t counter_period = 1 << 16;

std::optional<Counter> counter_of(EventKind kind) {
  switch (kind) {
    case EventKind::VtlCall:
    case EventKind::VtlReturn:
    case EventKind::VtlInterruptEntry: return vtl_switches;
    case EventKind::Hypercall: return hypercalls;
    case EventKind::Intercept: return intercepts;
    case EventKind::Exception:
    case EventKind::Interrupt: return exceptions;
    case EventKind::TlbFlush: return tlb_flushes;
    case EventKind::Walk: return tlb_misses;
    default: return std::nullopt;
  }
}

/// One lane per VP and VTL, whose slices are the stretches in which it runs; those of a higher VTL bear the name of the
/// call. A flow leads from the call to the slice that serves it, and to the slice that goes on after the return.
class Perfetto final : public Exporter {
 public:
  Perfetto(container::OutputFile file, loader::ImageCatalog& images) : file_{std::move(file)}, images_{images} {}

  void on(const trace::Record& record) override {
    if (const auto* executed = std::get_if<trace::InstructionRecord>(&record)) {
      Processor& vp = processor(executed->vp, executed->at.ticks, static_cast<uint8_t>(executed->vtl));
      see(executed->at.ticks);
      const auto level = static_cast<uint8_t>(executed->vtl);
      feed(record);
      if (level < 3 && ++vp.counters[vtl0_instructions + level] % counter_period == 0)
        count(executed->vp, vp, static_cast<Counter>(vtl0_instructions + level));
      return;
    }
    has_walks_ |= std::get<trace::EventRecord>(record).event.kind == EventKind::Walk;
    feed(record);
    event(std::get<trace::EventRecord>(record).view());
  }

  support::Status finish() override {
    timed_.finish();
    if (has_walks_) count_rate();
    for (auto& [index, vp] : processors_) {
      for (uint8_t i = 0; i < counter_count; ++i)
        if (vp.counters[i] != 0) count(index, vp, static_cast<Counter>(i));
      end_slice(index, vp);
    }
    return file_.close();
  }
  [[nodiscard]] std::string summary() const override {
    return fmt::format("{} events on {} lanes, {} flows", events_, lanes_, flows_);
  }

 private:
  struct Processor {
    uint8_t running{};
    std::optional<uint64_t> flow;  ///< of the call that is being served
    uint64_t counters[counter_count]{};
    bool lane_known[3]{}, counter_known[counter_count]{};
  };

  static constexpr uint64_t rate_uuid = 0x80;  ///< of the whole machine: below those of the processors
  static uint64_t process_uuid(uint32_t vp) { return (uint64_t{vp} + 1) << 8; }
  static uint64_t lane_uuid(uint32_t vp, uint8_t vtl) { return process_uuid(vp) + 1 + vtl; }
  static uint64_t counter_uuid(uint32_t vp, Counter which) { return process_uuid(vp) + 0x10 + which; }

  void see(uint64_t tick) { now_ = std::max(now_, tick); }

  void packet(Message body) {
    body.number(packet_sequence, 1);
    Message trace;
    trace.message(trace_packet, body);
    file_.put(trace.bytes());
  }
  void describe_track(const Message& descriptor) {
    Message body;
    if (!started_) body.number(packet_flags, 1);  // nothing of an earlier state is needed
    started_ = true;
    packet(std::move(body.message(packet_track, descriptor)));
  }
  void emit(const Message& event) {
    Message body;
    packet(std::move(body.number(packet_timestamp, now_).message(packet_event, event)));
  }

  Processor& processor(uint32_t index, uint64_t tick, uint8_t vtl) {
    const auto found = processors_.find(index);
    if (found != processors_.end()) return found->second;
    see(tick);
    Message process, descriptor;
    process.number(1, index + 1).text(6, fmt::format("VP {}", index));
    describe_track(descriptor.number(track_uuid, process_uuid(index)).message(track_process, process));
    Processor& vp = processors_[index];
    vp.running = vtl;
    begin_slice(index, vp, fmt::format("VTL {}", vtl), {});
    return vp;
  }

  uint64_t lane(uint32_t index, Processor& vp, uint8_t vtl) {
    if (vtl < 3 && !vp.lane_known[vtl]) {
      vp.lane_known[vtl] = true;
      ++lanes_;
      Message thread, descriptor;
      thread.number(1, index + 1).number(2, (uint64_t{index} + 1) * 16 + vtl + 1).text(5, fmt::format("VTL {}", vtl));
      describe_track(descriptor.number(track_uuid, lane_uuid(index, vtl))
                         .number(track_parent, process_uuid(index))
                         .message(track_thread, thread));
    }
    return lane_uuid(index, vtl);
  }

  Message on_lane(uint32_t index, Processor& vp, uint8_t vtl, Type type) {
    Message event;
    event.number(event_type, type).number(event_track, lane(index, vp, vtl));
    return event;
  }
  void begin_slice(uint32_t index, Processor& vp, std::string_view name, std::optional<uint64_t> flow,
                   bool last = false) {
    Message event = on_lane(index, vp, vp.running, slice_begin);
    event.text(event_category, "vtl").text(event_name, name);
    if (flow) event.fixed(last ? event_last_flow : event_flow, *flow);
    emit(event);
  }
  void end_slice(uint32_t index, Processor& vp) { emit(on_lane(index, vp, vp.running, slice_end)); }

  void count(uint32_t index, Processor& vp, Counter which) {
    if (!vp.counter_known[which]) {
      vp.counter_known[which] = true;
      Message unit, descriptor;
      unit.number(3, 2);  // UNIT_COUNT
      describe_track(descriptor.number(track_uuid, counter_uuid(index, which))
                         .text(track_name, counter_names[which])
                         .number(track_parent, process_uuid(index))
                         .message(track_counter, unit));
    }
    Message event;
    emit(event.number(event_type, counter)
             .number(event_track, counter_uuid(index, which))
             .number(event_counter, vp.counters[which]));
  }

  /// The timing model sees each access of a trace that was recorded with --cycles; of others it could not tell.
  void feed(const trace::Record& record) {
    const auto* executed = std::get_if<trace::InstructionRecord>(&record);
    if (executed != nullptr && !executed->has_registers) return;
    timed_.on(record);
    if (has_walks_ && executed != nullptr && ++in_window_ % counter_period == 0) count_rate();
  }
  /// How many of the accesses since the last time were answered by either level of the TLB, in per cent.
  void count_rate() {
    const timing::Totals& totals = timed_.model().totals();
    const uint64_t accesses = totals.code.accesses + totals.data.accesses;
    const uint64_t misses = totals.code.misses + totals.data.misses;
    if (accesses == accesses_) return;
    if (!rate_known_) {
      Message unit, descriptor;
      unit.text(6, "%");
      describe_track(descriptor.number(track_uuid, rate_uuid).text(track_name, "TLB hit rate").message(track_counter, unit));
      rate_known_ = true;
    }
    const double missed = static_cast<double>(misses - misses_) / static_cast<double>(accesses - accesses_);
    Message event;
    emit(event.number(event_type, counter).number(event_track, rate_uuid).real(event_real_counter, 100 * (1 - missed)));
    accesses_ = accesses;
    misses_ = misses;
  }

  void annotate(Message& event, std::string_view name, std::string_view value) {
    Message annotation;
    event.message(event_annotation, annotation.text(annotation_name, name).text(annotation_text, value));
  }

  void event(const support::Event& happened) {
    const auto level = static_cast<uint8_t>(happened.vtl);
    Processor& vp = processor(happened.vp, happened.at.ticks, level);
    see(happened.at.ticks);
    ++events_;
    const trace::EventDescription description = trace::describe(happened, &images_);
    const std::string kind{trace::name_of(happened.kind)};
    const std::string name = loader::printable(description.name.empty() ? kind : description.name);
    const bool call = happened.kind == EventKind::VtlCall;
    Message shown = on_lane(happened.vp, vp, level < 3 ? level : uint8_t{2}, instant);
    shown.text(event_category, kind).text(event_name, name);
    if (call) {
      vp.flow = ++flows_;
      shown.fixed(event_flow, *vp.flow);
    }
    for (const trace::Argument& argument : description.arguments)
      annotate(shown, loader::printable(argument.name), loader::printable(argument.value));
    if (!description.outcome.empty()) annotate(shown, "outcome", loader::printable(description.outcome));
    const std::string place = images_.describe(happened.rip);
    if (!place.empty()) annotate(shown, "at", loader::printable(place));
    emit(shown);
    if (const auto which = counter_of(happened.kind)) {
      ++vp.counters[*which];
      count(happened.vp, vp, *which);
    }
    if (call) return switch_to(happened, vp, static_cast<uint8_t>(level + 1), name);
    if (happened.kind == EventKind::VtlReturn && level > 0)
      return switch_to(happened, vp, static_cast<uint8_t>(level - 1), fmt::format("VTL {}", level - 1));
    if (happened.kind == EventKind::VtlInterruptEntry)
      return switch_to(happened, vp, static_cast<uint8_t>(level + 1), name);  // told by the VTL that is left
  }

  void switch_to(const support::Event& happened, Processor& vp, uint8_t vtl, std::string_view name) {
    if (vtl >= 3) return;
    end_slice(happened.vp, vp);
    vp.running = vtl;
    const bool back = happened.kind == EventKind::VtlReturn;
    begin_slice(happened.vp, vp, name, vp.flow, back);
    if (back) vp.flow.reset();
  }

  BufferedFile file_;
  loader::ImageCatalog& images_;
  std::map<uint32_t, Processor> processors_;
  const timing::CostTable costs_;
  timing::TraceFeeder timed_{costs_};
  bool has_walks_{}, rate_known_{};
  uint64_t in_window_{}, accesses_{}, misses_{};  ///< of the last window's end
  uint64_t now_{}, events_{}, flows_{}, lanes_{};
  bool started_{};
};

}  // namespace

support::Result<std::unique_ptr<Exporter>> create_perfetto(const Options& options, loader::ImageCatalog& images) {
  return std::unique_ptr<Exporter>{new Perfetto{TRY(container::OutputFile::create(options.path)), images}};
}

}  // namespace exporting
