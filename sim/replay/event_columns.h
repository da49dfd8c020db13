#pragma once
// Events by columns: the same field of all events of a chunk side by side, each as the difference to the last event of the
// same kind, so that most are one byte or none and a reader of times and kinds touches nothing else.
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/container/varint.h"
#include "sim/support/result.h"
#include "sim/trace/record.h"

namespace replay {

/// The columns in the order of the file.
enum class Column : uint8_t { Kinds, Flags, Ticks, Places, Rips, A, B, C, Frames, Texts, count };
inline constexpr size_t column_count = static_cast<size_t>(Column::count);

/// Which of an event's fields are in their columns; what is not equals the last event of the same kind.
namespace event_flag {
inline constexpr uint8_t place = 0x01;  ///< varint VP, byte VTL; else those of the last event of any kind
inline constexpr uint8_t rip = 0x02, a = 0x04, b = 0x08, c = 0x10;
inline constexpr uint8_t frame = 0x20;  ///< a word of 13 bits, and for each the difference to the last frame of the kind
inline constexpr uint8_t text = 0x40;   ///< varint: 0 and a new text, or how many texts of this chunk to go back
}  // namespace event_flag

class EventEncoder {
 public:
  void add(const support::Event& event);

  [[nodiscard]] uint32_t count() const { return count_; }
  [[nodiscard]] uint64_t first_tick() const { return first_tick_; }
  [[nodiscard]] uint64_t last_tick() const { return last_tick_; }
  /// An upper bound of what finish() gives.
  [[nodiscard]] size_t size() const;
  /// The payload of a chunk; the next one starts afresh.
  std::vector<uint8_t> finish();

 private:
  struct Last {
    uint64_t rip{}, a{}, b{}, c{};
    std::array<uint64_t, 13> frame{};
  };
  std::vector<uint8_t>& column(Column which) { return columns_[static_cast<size_t>(which)]; }
  bool difference(Column which, uint64_t value, uint64_t& last);
  void add_frame(const uint64_t* frame, std::array<uint64_t, 13>& last);
  void add_text(std::string_view text);

  std::array<std::vector<uint8_t>, column_count> columns_;
  std::array<Last, 256> last_{};
  std::map<std::string, uint32_t, std::less<>> texts_;
  uint32_t count_{};
  uint64_t first_tick_{}, last_tick_{};
  uint32_t vp_{};
  uint8_t vtl_{};
};

class EventDecoder {
 public:
  /// Checks the columns' sizes; `payload` must outlive the decoder.
  static support::Result<EventDecoder> open(loader::Bytes payload, uint32_t count);

  [[nodiscard]] bool at_end() const { return left_ == 0; }
  /// The next event, with the kind's number as the file has it. Errors name the event's place in the chunk.
  support::Result<trace::EventRecord> next();
  /// The same without copying: its frame lives until the next call, its text as long as the payload.
  support::Result<support::Event> next_in_place();
  /// The next event's instant, kind and place, and nothing else: many times faster. Not to be mixed with next().
  support::Result<support::Event> skim();
  /// All columns are used up, as they are after the last event of an honest chunk.
  [[nodiscard]] bool exhausted() const;

 private:
  struct Last {
    uint64_t rip{}, a{}, b{}, c{};
    std::array<uint64_t, 13> frame{};
  };
  explicit EventDecoder(uint32_t count) : count_{count}, left_{count} {}
  container::ByteReader& column(Column which) { return columns_[static_cast<size_t>(which)]; }
  bool read_place(uint8_t flags, support::Event& event);
  void read_frame(Last& last);
  bool read_text(std::string_view& text);
  support::Error malformed() const;

  std::vector<container::ByteReader> columns_;
  std::vector<Last> last_ = std::vector<Last>(256);
  std::vector<std::string_view> texts_;
  uint32_t count_, left_;
  uint64_t tick_{};
  uint64_t vp_{};
  uint8_t vtl_{};
};

}  // namespace replay
