#pragma once
// Writes a recording while a machine runs. It watches: with and without it the run is the same.
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/container/writer.h"
#include "sim/machine/machine.h"
#include "sim/replay/event_columns.h"
#include "sim/replay/facts.h"
#include "sim/replay/inputs.h"
#include "sim/replay/points.h"
#include "sim/replay/recording_format.h"
#include "sim/support/events.h"

namespace replay {

/// A part of a run that is recorded more closely.
struct CloseWindow {
  support::Instant from, to;  ///< [from, to)
  uint64_t interval{1};       ///< instructions between two points in it; at least 1
};

struct RecorderOptions {
  std::string program;                        ///< version of this program
  uint64_t point_interval{uint64_t{1} << 20}; ///< instructions; at least 1
  bool embed{};                               ///< the images into the file
  uint64_t keyframe_interval{};               ///< instructions between two keyframes; 0: none
  CloseWindow window{};                       ///< empty: none
  uint32_t whole_every{16};                   ///< of so many keyframes one is whole, the others are differences; at least 1
};

/// After a write error it records nothing more and the run goes on; the file ends with its last whole chunk. Ask status()
/// at the end.
class Recorder final : public support::EventSink {
 public:
  /// Creates the file, with the images if asked for. `parts` are those of the machine that will be recorded.
  [[nodiscard]] static support::Result<std::unique_ptr<Recorder>> create(const std::string& path,
                                                                         const loader::MachineConfig& config,
                                                                         const machine::MachineParts& parts,
                                                                         const RecorderOptions& options);
  /// What was not closed is flushed, without a foot: the file counts as interrupted.
  ~Recorder() override;

  void on(const support::Event& event) override;
  /// A state on the way; instants may not decrease.
  void point(const Point& point);
  /// What reached the machine from outside.
  void input(const Input& input);
  /// Runs `machine` as Machine::run does and takes points on the way: at the start, at intervals, at the end.
  machine::StopReason run(machine::Machine& machine, support::Instant deadline);

  /// Writes what is left, the statistics, the index and the foot.
  support::Status close();
  /// The first error, if there was one.
  [[nodiscard]] support::Status status() const;

  [[nodiscard]] uint64_t bytes() const { return file_.size(); }

 private:
  Recorder(container::Writer file, const RecorderOptions& options);
  void append(uint32_t kind, loader::Bytes raw, const container::ChunkFacts& facts);
  void append_image(ImageSlot slot, loader::Bytes image);
  machine::StopReason run_watched(machine::Machine& machine, support::Instant deadline);
  void append_keyframe(machine::Machine& machine);
  void append_statistics();
  void flush();
  void flush_events();
  void take_point(machine::Machine& machine, bool last = false);
  [[nodiscard]] bool recording() const { return failure_.empty() && !closed_; }

  container::Writer file_;
  uint64_t interval_, keyframe_interval_;  ///< instructions
  uint32_t whole_every_;
  CloseWindow window_;
  uint64_t next_keyframe_{};       ///< instructions
  support::Instant last_keyframe_;
  uint32_t deltas_left_{};         ///< keyframes until the next whole one
  uint64_t pages_since_whole_{};   ///< in the differences since it
  std::optional<mmu::PhysicalMemory::DirtyConsumer> dirty_consumer_;  ///< of the machine that runs
  EventEncoder events_;
  std::vector<Input> inputs_;
  size_t input_bytes_{};
  std::vector<Point> points_;
  Point last_;
  bool has_point_{};
  machine::StopReason ending_{machine::StopReason::Deadline};
  std::array<uint64_t, 256> counts_{};  ///< events by kind
  std::vector<IndexEntry> index_;
  uint64_t held_{};  ///< see maximum_held
  std::string failure_;
  bool closed_{};
};

/// Writes INDX of `index` and FOOT, which end a file, and closes it. The foot's place, digest and count of chunks are filled in.
support::Status append_end(container::Writer& file, std::vector<IndexEntry> index, Foot foot);

/// The ending of a file for a reason, and back.
[[nodiscard]] Ending to_ending(machine::StopReason reason);
[[nodiscard]] machine::StopReason to_reason(Ending ending);

}  // namespace replay
