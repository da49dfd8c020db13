#pragma once
// A recording as it lies in a file, which may be cut short, damaged or made by an enemy.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/container/reader.h"
#include "sim/machine/machine.h"
#include "sim/replay/bookmarks.h"
#include "sim/replay/event_columns.h"
#include "sim/replay/facts.h"
#include "sim/replay/inputs.h"
#include "sim/replay/keyframes.h"
#include "sim/replay/points.h"
#include "sim/replay/recording_format.h"

namespace replay {

class EventCursor;

class Recording {
 public:
  /// Reads and checks all chunks. An error means that nothing can be used: no recording, or not even its facts are whole.
  /// Damage further on leaves everything before it: damage() tells.
  [[nodiscard]] static support::Result<Recording> open(const std::string& path);
  [[nodiscard]] static support::Result<Recording> over(container::Input input);
  /// Through the index at the end of the file: reads the points and marks, believes the rest until it is read. Falls back
  /// to open() when there is no foot at the end.
  [[nodiscard]] static support::Result<Recording> open_indexed(const std::string& path, uint64_t file_size);

  [[nodiscard]] const Facts& facts() const { return facts_; }
  [[nodiscard]] const std::vector<Input>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<Point>& points() const { return points_; }
  [[nodiscard]] const std::vector<Bookmark>& bookmarks() const { return bookmarks_.all(); }
  [[nodiscard]] const BookmarkList& bookmark_list() const { return bookmarks_; }
  [[nodiscard]] const std::vector<std::pair<std::string, uint64_t>>& statistics() const { return statistics_; }
  /// The last foot, if the recorder was closed in good order.
  [[nodiscard]] const std::optional<Foot>& foot() const { return foot_; }
  /// Where and why the file stops making sense; empty if it does to its end.
  [[nodiscard]] const std::string& damage() const { return damage_; }
  /// Whole: a foot at the end and no damage.
  [[nodiscard]] bool complete() const { return foot_ && damage_.empty() && ended_; }
  /// Why the file is not complete(), as a sentence.
  [[nodiscard]] std::string ending_text() const;
  /// The last instant that can be replayed: of the last point.
  [[nodiscard]] support::Instant end() const { return points_.empty() ? support::Instant{} : points_.back().at; }
  [[nodiscard]] uint64_t events() const { return event_count_; }

  /// The embedded images as parts of a machine. Their hashes are checked.
  [[nodiscard]] support::Result<machine::MachineParts> images() const;
  /// The states that the file holds whole, ascending.
  [[nodiscard]] const std::vector<Keyframe>& keyframes() const { return keyframes_; }
  /// The last one at or before `at`; null if there is none.
  [[nodiscard]] const Keyframe* keyframe_before(support::Instant at) const;
  /// The state of the keyframe of exactly this instant. Whether it fits a machine says Machine::restore().
  [[nodiscard]] support::Result<machine::State> keyframe(support::Instant at) const;
  /// What was written in the stretch that ends at `keyframe`.
  [[nodiscard]] support::Result<Span> span_of(const Keyframe& keyframe) const;
  /// Events from the first chunk that may hold one at or after `from`.
  [[nodiscard]] EventCursor events_from(support::Instant from) const;
  /// The columns of chunk `number` of index(), one of events, for an EventDecoder.
  [[nodiscard]] support::Result<std::vector<uint8_t>> event_columns(size_t number) const { return payload(number); }
  /// Events without the first `count`.
  [[nodiscard]] support::Result<EventCursor> events_after(uint64_t count) const;

  /// Whether two chunks of the index are the same, byte by byte; false too where one cannot be read.
  [[nodiscard]] bool same_chunk(size_t number, const Recording& other, size_t other_number) const;

  /// For appending: what lies before the end of the last whole chunk.
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] uint32_t chunks() const { return static_cast<uint32_t>(index_.size()) + 1; }
  [[nodiscard]] const loader::Sha256& digest() const { return digest_; }
  [[nodiscard]] const std::vector<IndexEntry>& index() const { return index_; }

 private:
  friend class EventCursor;
  explicit Recording(container::Reader file) : file_{std::move(file)} {}
  support::Status read_chunks();
  support::Result<bool> read_chunk();
  support::Status use(const container::ChunkHeader& header, loader::Bytes payload);
  support::Status use_points(loader::Bytes payload, uint32_t count);
  support::Status use_foot(loader::Bytes payload);
  support::Status check_events(loader::Bytes payload, uint32_t count);
  support::Status read_indexed(uint64_t file_size);
  void find_keyframes();
  support::Result<machine::State> pieces_of(const Keyframe& keyframe) const;
  support::Result<std::vector<uint8_t>> image(ImageSlot slot, const ImageFacts& facts) const;
  /// The payload of chunk `number` + 1 (META is chunk 0).
  support::Result<std::vector<uint8_t>> payload(size_t number) const;
  /// The same as it lies in the file, with the facts of its header; empty if it cannot be read.
  std::vector<uint8_t> stored(size_t number) const;

  container::Reader file_;
  Facts facts_;
  std::vector<Input> inputs_;
  std::vector<Point> points_;
  BookmarkList bookmarks_;
  std::vector<Keyframe> keyframes_;
  std::vector<std::pair<std::string, uint64_t>> statistics_;
  std::optional<Foot> foot_;
  std::vector<IndexEntry> index_;  ///< of every chunk after META
  std::string damage_;
  loader::Sha256 digest_{};
  uint64_t size_{}, event_count_{};
  uint64_t held_{};  ///< unpacked bytes of what is kept in memory
  bool ended_{};  ///< a foot is the last chunk
};

/// Goes through the events of a recording, chunk by chunk. The recording must outlive it.
class EventCursor {
 public:
  /// The next event, with today's kind; nothing after the last.
  support::Result<std::optional<trace::EventRecord>> next();

 private:
  friend class Recording;
  EventCursor(const Recording& recording, size_t chunk) : recording_{&recording}, chunk_{chunk} {}
  support::Result<bool> next_chunk();

  const Recording* recording_;
  size_t chunk_;
  std::unique_ptr<std::vector<uint8_t>> payload_;
  std::optional<EventDecoder> decoder_;
};

/// The kind of events that this version does not know.
inline constexpr auto unknown_event = static_cast<support::EventKind>(0xff);

}  // namespace replay
