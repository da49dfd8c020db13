#pragma once
// Writes a file header and chunks. Every chunk is on its way to the disk when append() returns.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "sim/container/format.h"
#include "sim/container/output_file.h"
#include "sim/support/result.h"

struct ZSTD_CCtx_s;

namespace container {

/// What a file calls itself.
struct FileKind {
  char magic[8];
  uint16_t major, minor;
  const char* name;  ///< for messages: "an Airlock trace"
  const char* word;  ///< "trace"
};

struct ChunkFacts {
  uint16_t flags{};
  uint32_t records{};
  uint64_t first_tick{}, last_tick{};
};

class Writer {
 public:
  /// Creates or truncates `path` and writes the file header and META.
  [[nodiscard]] static support::Result<Writer> create(const std::string& path, const FileKind& kind, loader::Bytes meta,
                                                      int compression);
  /// Goes on behind `size` bytes of a file of `sequence` chunks, whose evidence is `digest`.
  [[nodiscard]] static support::Result<Writer> extend(const std::string& path, uint64_t size, uint32_t sequence,
                                                      const loader::Sha256& digest, int compression);
  Writer(Writer&&) noexcept;
  ~Writer();

  /// Appends all of the chunk or nothing. `raw` has at most maximum_raw_size bytes.
  support::Status append(uint32_t kind, loader::Bytes raw, const ChunkFacts& facts = {});
  support::Status close() { return file_.close(); }

  /// Where the next chunk will begin, and its number.
  [[nodiscard]] uint64_t size() const { return file_.size(); }
  [[nodiscard]] uint32_t sequence() const { return sequence_; }
  /// A digest of everything so far: that of n chunks is SHA-256 of (digest of n - 1 chunks, bytes of the nth), and the
  /// digest of none is SHA-256 of the file header.
  [[nodiscard]] const loader::Sha256& digest() const { return digest_; }

 private:
  Writer(OutputFile file, int compression);

  OutputFile file_;
  int compression_;
  ZSTD_CCtx_s* zstd_;
  std::vector<uint8_t> piece_;  ///< header, stored payload, padding
  uint32_t sequence_{};
  loader::Sha256 digest_{};
};

}  // namespace container
