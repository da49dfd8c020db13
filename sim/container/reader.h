#pragma once
// Reads chunks one after the other from a file that may be cut short, damaged or made by an enemy.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/container/format.h"
#include "sim/container/writer.h"
#include "sim/support/result.h"

namespace container {

/// Where the bytes come from: fills `out` from `offset` and says how many there were.
using Input = std::function<size_t(uint64_t offset, std::span<uint8_t> out)>;

/// The file at `path`.
[[nodiscard]] support::Result<Input> open_file(const std::string& path);
/// Bytes in memory, which must outlive the input.
[[nodiscard]] Input over(loader::Bytes bytes);

class Reader {
 public:
  /// Checks the file header, and that META is the first chunk.
  [[nodiscard]] static support::Result<Reader> open(Input input, const FileKind& kind);

  /// The META payload.
  [[nodiscard]] const std::vector<uint8_t>& meta() const { return meta_; }

  /// Where the next chunk begins.
  [[nodiscard]] uint64_t offset() const { return offset_; }
  /// The header of the chunk at offset(), which is sound; nothing at the end of the file. Then read its payload or skip().
  support::Result<std::optional<ChunkHeader>> next();
  /// The unpacked payload of the chunk of the last next(); checks it as a whole.
  support::Result<std::vector<uint8_t>> payload();
  /// Passes over the payload without looking at it.
  void skip();
  /// Goes on with chunk `sequence` at `offset`, as an index says.
  void seek(uint64_t offset, uint32_t sequence);

  /// Bytes of the file as they are; how many there were.
  size_t read(uint64_t offset, std::span<uint8_t> out) const { return input_(offset, out); }

  /// The number of chunks read or skipped, and the digest of everything read so far (Writer::digest()), which is void
  /// after skip() and seek().
  [[nodiscard]] uint32_t sequence() const { return sequence_; }
  [[nodiscard]] const loader::Sha256& digest() const { return digest_; }

 private:
  explicit Reader(Input input) : input_{std::move(input)} {}
  support::Status read_file_header(const FileKind& kind);
  support::Status read_meta();

  Input input_;
  std::vector<uint8_t> meta_;
  loader::Sha256 configuration_{}, digest_{};
  uint64_t offset_{};
  uint32_t sequence_{};
  ChunkHeader header_{};
};

/// "META"; whatever is no text is shown as an escape.
[[nodiscard]] std::string kind_text(uint32_t kind);

}  // namespace container
