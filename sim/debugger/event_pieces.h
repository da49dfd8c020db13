#pragma once
// Events by row, packed in pieces of some thousands as recordings hold them; the pieces that were asked for last are unpacked.
#include <functional>
#include <list>
#include <string>
#include <vector>

#include "sim/replay/event_columns.h"
#include "sim/replay/recording.h"
#include "sim/trace/record.h"

namespace debugger {

using Events = std::vector<trace::EventRecord>;
/// False ends it. The event's frame and text live during the call.
using EventVisit = std::function<bool(const support::Event&)>;

/// Rows are in the order in which events were announced, which is that of time. A recording that says otherwise is believed as
/// far as that goes: an event is never earlier than the ones before it.
class EventPieces {
 public:
  struct Piece {
    uint64_t row{};    ///< of its first event
    uint32_t count{};  ///< at least 1
    support::Instant first, last;
  };

  virtual ~EventPieces() = default;
  [[nodiscard]] const std::vector<Piece>& pieces() const { return pieces_; }
  [[nodiscard]] uint64_t size() const { return pieces_.empty() ? 0 : pieces_.back().row + pieces_.back().count; }
  /// The first piece whose last instant is not before `at`; or the number of pieces.
  [[nodiscard]] size_t piece_at(support::Instant at) const;
  /// The piece of a row that there is.
  [[nodiscard]] size_t piece_of(uint64_t row) const;

  /// Valid until the next call. A piece that cannot be read ends the list before the event at fault: see complaint().
  [[nodiscard]] virtual const Events& unpack(size_t piece);
  /// Its events one after the other without unpacking them.
  virtual void read(size_t piece, const EventVisit& visit);
  /// The same with only their instants, kinds and places.
  virtual void skim(size_t piece, const EventVisit& visit);
  [[nodiscard]] const std::string& complaint() const { return complaint_; }

 protected:
  [[nodiscard]] virtual support::Result<std::vector<uint8_t>> columns(size_t piece) = 0;
  /// A kind's number in the columns as this program's.
  [[nodiscard]] virtual support::EventKind kind_of(support::EventKind number) const { return number; }
  void add_piece(uint32_t count, support::Instant first, support::Instant last);
  void forget_unpacked() { unpacked_.clear(); }

  std::vector<Piece> pieces_;

 private:
  using Next = support::Result<support::Event> (replay::EventDecoder::*)();
  void decode(size_t piece, Next next, const EventVisit& visit);
  void end_at(size_t piece, uint32_t count, const std::string& why);

  struct Unpacked {
    size_t piece{};
    Events events;
  };
  std::list<Unpacked> unpacked_;  ///< the one asked for last is the first
  std::string complaint_;
};

/// Of a recording, which must outlive this.
class RecordedPieces final : public EventPieces {
 public:
  explicit RecordedPieces(const replay::Recording& recording);

 private:
  [[nodiscard]] support::Result<std::vector<uint8_t>> columns(size_t piece) override { return recording_.event_columns(chunks_[piece]); }
  [[nodiscard]] support::EventKind kind_of(support::EventKind number) const override;

  const replay::Recording& recording_;
  std::vector<size_t> chunks_;  ///< by piece
};

/// Of a run that goes on: the last events as they came, those before them packed.
class GrowingPieces final : public EventPieces {
 public:
  void add(const support::Event& event);
  void forget_from(support::Instant at);

  [[nodiscard]] const Events& unpack(size_t piece) override;
  void read(size_t piece, const EventVisit& visit) override;
  void skim(size_t piece, const EventVisit& visit) override { read(piece, visit); }

 private:
  static constexpr size_t full = 8192;  ///< events of a piece
  [[nodiscard]] bool open(size_t piece) const { return piece == packed_.size(); }
  [[nodiscard]] support::Result<std::vector<uint8_t>> columns(size_t piece) override { return packed_[piece]; }
  void close();

  std::vector<std::vector<uint8_t>> packed_;
  Events open_;  ///< of the last piece
};

/// An event to keep.
[[nodiscard]] trace::EventRecord record_of(const support::Event& event);

}  // namespace debugger
