#pragma once
// A TPI stream, put together record by record.
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace test {

class Bytes {
 public:
  template <class T>
  Bytes& put(T value) {
    for (size_t i = 0; i < sizeof value; ++i)
      data.push_back(static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i)));
    return *this;
  }
  Bytes& u16(uint64_t value) { return put(static_cast<uint16_t>(value)); }
  Bytes& u32(uint64_t value) { return put(static_cast<uint32_t>(value)); }
  Bytes& text(std::string_view value) {
    data.insert(data.end(), value.begin(), value.end());
    data.push_back(0);
    return *this;
  }
  /// LF_PAD: to a multiple of 4.
  Bytes& pad() {
    while (data.size() % 4 != 0) data.push_back(static_cast<uint8_t>(0xf0 | (4 - data.size() % 4)));
    return *this;
  }
  Bytes& add(const Bytes& other) {
    data.insert(data.end(), other.data.begin(), other.data.end());
    return *this;
  }
  std::vector<uint8_t> data;
};

class TypeStream {
 public:
  /// Returns the record's type index.
  uint32_t add(uint16_t leaf, const Bytes& body) {
    Bytes record;
    record.u16(leaf).add(body);
    while ((record.data.size() + 2) % 4 != 0) record.data.push_back(0xf1);
    records_.u16(record.data.size()).add(record);
    return first + count_++;
  }
  [[nodiscard]] std::vector<uint8_t> bytes() const {
    Bytes out;
    out.u32(20040203).u32(56).u32(first).u32(first + count_).u32(records_.data.size());
    out.data.resize(56);
    return out.add(records_).data;
  }

  uint32_t structure(uint32_t fields, uint64_t size, std::string_view name, bool forward = false) {
    return add(0x1505, Bytes{}.u16(0).u16(forward ? 0x80 : 0).u32(fields).u32(0).u32(0).u16(size).text(name));
  }
  uint32_t field_list(std::initializer_list<Bytes> parts) {
    Bytes body;
    for (const Bytes& part : parts) body.add(part).data.resize((body.data.size() + 3) / 4 * 4, 0xf1);
    return add(0x1203, body);
  }
  static Bytes member(uint32_t type, uint64_t offset, std::string_view name) {
    return Bytes{}.u16(0x150d).u16(3).u32(type).u16(offset).text(name);
  }

  static constexpr uint32_t first = 0x1000;

 private:
  Bytes records_;
  uint32_t count_{};
};

inline constexpr uint32_t type_u8 = 0x20, type_u32 = 0x75, type_i32 = 0x74, type_u64 = 0x23, type_pointer_u64 = 0x623;

}  // namespace test
