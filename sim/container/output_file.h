#pragma once
// A file that grows by whole pieces: after a failed write it ends with the last whole piece, or is gone if there is none.
#include <cstdint>
#include <string>

#include "sim/loader/byte_view.h"
#include "sim/support/result.h"

namespace container {

class OutputFile {
 public:
  /// Creates or truncates `path`.
  [[nodiscard]] static support::Result<OutputFile> create(const std::string& path);
  /// Goes on behind the first `keep` bytes of an existing file; whatever follows them is cut off.
  [[nodiscard]] static support::Result<OutputFile> extend(const std::string& path, uint64_t keep);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  /// Appends all of `piece` or nothing. After a failure every further call fails with the first reason.
  support::Status append(loader::Bytes piece);
  /// Bytes of whole pieces so far.
  [[nodiscard]] uint64_t size() const { return whole_; }
  /// Hands everything to the disk and reports what the system held back until now.
  support::Status close();

 private:
  OutputFile(std::string path, int descriptor) : path_{std::move(path)}, descriptor_{descriptor} {}
  support::Error fail(int reason);
  void withdraw();

  std::string path_;
  int descriptor_{-1};
  uint64_t whole_{};  ///< bytes of whole pieces
  std::string failure_;
};

}  // namespace container
