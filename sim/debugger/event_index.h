#pragma once
// What is kept of every event of a run: its instant and kind in five bytes, and which VTL each processor stood in. Enough to
// find rows by instants, and to say what any stretch of time contained, without unpacking events.
#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "sim/support/events.h"

namespace debugger {

inline constexpr size_t kind_count = static_cast<size_t>(support::EventKind::Walk) + 1;
/// By support::EventKind; kinds that this version does not know are not counted.
using KindCounts = std::array<uint64_t, kind_count>;
/// A bit for each support::EventKind.
using KindSet = uint32_t;
[[nodiscard]] constexpr KindSet set_of(support::EventKind kind) { return KindSet{1} << static_cast<unsigned>(kind); }
inline constexpr KindSet all_kinds = ~KindSet{0};

/// Which VTL its processor runs in after the event.
[[nodiscard]] abi::hv::Vtl vtl_after(const support::Event& event);

/// Kinds in their order, and how many of each there are among the first so many.
class KindColumn {
 public:
  void add(support::EventKind kind);
  [[nodiscard]] uint64_t size() const { return kinds_.size(); }
  [[nodiscard]] KindCounts first(uint64_t count) const;
  /// Whether one of [begin, end) may be in the set: whole blocks are looked at.
  [[nodiscard]] bool may_have(uint64_t begin, uint64_t end, KindSet kinds) const;
  /// Only the first `count` stay.
  void cut(uint64_t count);

 private:
  static constexpr size_t block = 256;
  std::vector<uint8_t> kinds_;
  std::vector<KindCounts> before_;  ///< of each block
};

/// Ascending numbers in four bytes each, where they are not too far apart.
class AscendingColumn {
 public:
  /// Not less than the last one.
  void add(uint64_t number);
  [[nodiscard]] uint64_t size() const { return distances_.size(); }
  [[nodiscard]] uint64_t operator[](uint64_t place) const;
  /// How many are less.
  [[nodiscard]] uint64_t before(uint64_t number) const;
  /// Only the first `count` stay.
  void cut(uint64_t count);

 private:
  static constexpr size_t block = 256;
  std::vector<uint32_t> distances_;                 ///< from the first one of the block
  std::vector<uint64_t> firsts_;                    ///< of each block
  std::map<uint64_t, std::vector<uint64_t>> wide_;  ///< blocks that are wider than 32 bits can say, with all their numbers
};

/// The VTLs that one processor stood in.
class VtlTrack {
 public:
  using Ticks = std::array<uint64_t, 3>;  ///< by VTL

  VtlTrack(support::Instant since, abi::hv::Vtl vtl) : since_{since.ticks}, vtl_{vtl} {}
  /// It stands in `vtl` from `at` on, which is not before the last change.
  void change(support::Instant at, abi::hv::Vtl vtl);
  [[nodiscard]] abi::hv::Vtl at(support::Instant at) const;
  [[nodiscard]] abi::hv::Vtl last() const { return changes_.empty() ? vtl_ : vtl_of(changes_.back()); }
  /// From the beginning to `at`.
  [[nodiscard]] Ticks before(support::Instant at) const;
  void forget_from(support::Instant at);

 private:
  static constexpr size_t block = 64;
  static constexpr uint64_t latest = ~uint64_t{0} >> 2;  ///< no machine gets there
  static abi::hv::Vtl vtl_of(uint64_t change) { return static_cast<abi::hv::Vtl>(change & 3); }
  static uint64_t tick_of(uint64_t change) { return change >> 2; }
  [[nodiscard]] size_t changes_until(uint64_t tick) const;

  uint64_t since_;
  abi::hv::Vtl vtl_;
  std::vector<uint64_t> changes_;  ///< the instant, and the VTL in the two lowest bits
  std::vector<Ticks> before_;      ///< up to the first change of each block
};

class EventIndex {
 public:
  /// Processors that events may name: what a hostile recording says of others is counted for nobody.
  static constexpr uint32_t most_processors = 64;

  EventIndex() = default;
  /// Of events from `since` on; processors stand where they did in `past` then.
  EventIndex(support::Instant since, const EventIndex& past);

  /// The next row's event: only its instant, kind and place matter.
  void add(const support::Event& event);
  /// Events that were added.
  [[nodiscard]] uint64_t size() const { return instants_.size(); }
  void forget_from(support::Instant at);

  [[nodiscard]] uint64_t before(support::Instant at) const { return instants_.before(at.ticks); }
  [[nodiscard]] KindCounts counts_before(support::Instant at) const { return kinds_.first(before(at)); }
  /// Of the first `rows` events, of which there are so many.
  [[nodiscard]] KindCounts counts_of_first(uint64_t rows) const { return kinds_.first(rows); }
  [[nodiscard]] support::Instant instant_of(uint64_t row) const { return {instants_[row]}; }
  [[nodiscard]] bool may_have(uint64_t begin, uint64_t end, KindSet kinds) const { return kinds_.may_have(begin, end, kinds); }
  /// Instants that a processor stood in each VTL, from where this index begins up to `at`.
  [[nodiscard]] VtlTrack::Ticks lanes_before(support::Instant at, uint32_t vp) const;
  [[nodiscard]] abi::hv::Vtl vtl_at(support::Instant at, uint32_t vp) const;

 private:
  support::Instant since_;
  AscendingColumn instants_;
  KindColumn kinds_;
  std::vector<VtlTrack> tracks_;  ///< of processors that were heard of
};

}  // namespace debugger
