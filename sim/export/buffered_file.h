#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/container/output_file.h"

namespace exporting {

/// Bytes on their way to a file. The first failure is remembered and the rest dropped.
class BufferedFile {
 public:
  explicit BufferedFile(container::OutputFile file) : file_{std::move(file)} {}

  void put(std::span<const uint8_t> bytes) {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    if (buffer_.size() >= 1u << 20) flush();
  }
  void put(std::string_view text) { put({reinterpret_cast<const uint8_t*>(text.data()), text.size()}); }
  support::Status close() {
    flush();
    if (!failure_.empty()) return support::Error{failure_};
    return file_.close();
  }

 private:
  void flush() {
    if (failure_.empty() && !buffer_.empty()) {
      const support::Status status = file_.append(buffer_);
      if (!status) failure_ = status.error().message;
    }
    buffer_.clear();
  }
  container::OutputFile file_;
  std::vector<uint8_t> buffer_;
  std::string failure_;
};

}  // namespace exporting
