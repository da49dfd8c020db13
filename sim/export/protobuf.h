#pragma once
// The wire format of protocol buffers, as far as Perfetto's messages need it.
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "sim/container/varint.h"

namespace exporting {

class Message {
 public:
  Message& number(uint32_t field, uint64_t value) {
    container::put_varint(bytes_, uint64_t{field} << 3);
    container::put_varint(bytes_, value);
    return *this;
  }
  Message& fixed(uint32_t field, uint64_t value) {
    container::put_varint(bytes_, uint64_t{field} << 3 | 1);
    for (unsigned i = 0; i < 8; ++i)
      bytes_.push_back(static_cast<uint8_t>(value >> (8 * i)));
    return *this;
  }
  Message& real(uint32_t field, double value) { return fixed(field, std::bit_cast<uint64_t>(value)); }
  Message& text(uint32_t field, std::string_view value) {
    container::put_varint(bytes_, uint64_t{field} << 3 | 2);
    container::put_varint(bytes_, value.size());
    bytes_.insert(bytes_.end(), value.begin(), value.end());
    return *this;
  }
  Message& message(uint32_t field, const Message& value) {
    return text(field, {reinterpret_cast<const char*>(value.bytes_.data()), value.bytes_.size()});
  }
  [[nodiscard]] const std::vector<uint8_t>& bytes() const { return bytes_; }
  void clear() { bytes_.clear(); }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace exporting
