#pragma once
// Reads a trace that may be cut short, damaged or made by an enemy.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/container/reader.h"
#include "sim/support/result.h"
#include "sim/trace/record_codec.h"
#include "sim/trace/trace_format.h"
#include "sim/trace/writer.h"

namespace trace {

using TraceInput = container::Input;

class Reader {
 public:
  /// Checks the file header and the META chunk.
  [[nodiscard]] static support::Result<Reader> open(const std::string& path);
  [[nodiscard]] static support::Result<Reader> over(TraceInput input);

  [[nodiscard]] const Meta& meta() const { return meta_; }

  /// What this trace knows of each instruction.
  [[nodiscard]] Detail detail() const { return detail_; }

  /// The next record, which lives until the next call; null at the end mark. An error says at which offset the file stops making
  /// sense and why; all records before it were good. After an error or the end it answers the same
  /// again.
  support::Result<Record*> read();
  /// The same as a copy.
  support::Result<std::optional<Record>> next();

  /// Passes over chunks whose records all lie before `tick`, as long as they name no images.
  void skip_to(uint64_t tick) { wanted_tick_ = tick; }
  /// Totals, once next() has reached the end mark.
  [[nodiscard]] const std::optional<EndMark>& totals() const { return totals_; }

 private:
  explicit Reader(container::Reader file) : file_{std::move(file)} {}
  support::Status read_meta();
  support::Status read_detail();
  support::Status read_chunk();
  support::Status read_end(const std::vector<uint8_t>& payload, uint64_t at);
  support::Result<Record*> advance();

  container::Reader file_;
  Meta meta_;
  std::vector<std::optional<support::EventKind>> kinds_;  ///< the file's numbers in today's words
  uint64_t wanted_tick_{};
  uint64_t chunk_offset_{};
  uint32_t chunk_records_{}, chunk_read_{};
  std::unique_ptr<std::vector<uint8_t>> raw_;
  Detail detail_{};
  std::unique_ptr<RecordDecoder> decoder_;
  bool in_chunk_{};
  std::optional<EndMark> totals_;
  std::string failure_;
};

/// The number that a trace gives to kinds that this version does not know.
inline constexpr auto unknown_event = static_cast<support::EventKind>(0xff);

}  // namespace trace
