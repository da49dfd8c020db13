#pragma once
// The container of a PDB: a file of blocks that hold numbered streams (MSF 7.00).
#include <cstdint>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/support/result.h"

namespace loader {

class MsfFile {
 public:
  /// Checks the superblock and the stream directory. Views `file`.
  [[nodiscard]] static support::Result<MsfFile> parse(Bytes file);

  [[nodiscard]] size_t file_size() const { return file_.size(); }
  /// The bytes of a stream, collected from its blocks.
  [[nodiscard]] support::Result<std::vector<uint8_t>> stream(uint32_t number) const;

 private:
  struct Stream {
    uint32_t size{};
    std::vector<uint32_t> blocks;
  };
  [[nodiscard]] support::Result<std::vector<uint8_t>> collect(const Stream& stream) const;

  Bytes file_;
  uint32_t block_size_{};
  std::vector<Stream> streams_;
};

}  // namespace loader
