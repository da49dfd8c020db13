#pragma once
// A file that only this program sees, for parts that write to files: it has a path, and is gone with this object.
#include <cstdint>
#include <string>
#include <vector>

#include "sim/support/result.h"

namespace rpc {

class MemoryFile {
 public:
  /// `name` is for messages of the system. Errors: the system has no memory or descriptors left.
  [[nodiscard]] static support::Result<MemoryFile> create(const char* name);
  MemoryFile(MemoryFile&& other) noexcept;
  MemoryFile& operator=(MemoryFile&&) = delete;
  ~MemoryFile();

  [[nodiscard]] std::string path() const;
  [[nodiscard]] uint64_t size() const;
  [[nodiscard]] std::vector<uint8_t> bytes() const;

 private:
  explicit MemoryFile(int descriptor) : descriptor_{descriptor} {}
  int descriptor_;
};

}  // namespace rpc
