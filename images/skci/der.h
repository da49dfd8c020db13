#pragma once
// The minimal ASN.1 reader of SKCI (S46): DER values one after the other, every length checked against its parent.
#include <span>
#include <string.h>

namespace skci {

using Bytes = std::span<const uint8_t>;

inline bool equal(Bytes a, Bytes b) { return a.size() == b.size() && memcmp(a.data(), b.data(), a.size()) == 0; }

struct Tlv {
  uint8_t tag;
  Bytes whole, body;
};

enum Tag : uint8_t {
  Integer = 0x02, OctetString = 0x04, Oid = 0x06, Sequence = 0x30, Set = 0x31, Context0 = 0xA0, Primitive0 = 0x80
};

class Der {
 public:
  explicit Der(Bytes bytes) : rest_{bytes} {}
  bool empty() const { return rest_.empty(); }

  /// The next value; false at the end and on any malformed length. Long forms up to four bytes.
  bool next(Tlv& value) {
    if (rest_.size() < 2) return false;
    size_t length = rest_[1], header = 2;
    if ((length & 0x80) != 0) {
      const size_t count = length & 0x7F;
      if (count == 0 || count > 4 || rest_.size() < 2 + count) return false;
      length = 0;
      for (size_t i = 0; i < count; ++i) length = length << 8 | rest_[2 + i];
      header += count;
    }
    if (length > rest_.size() - header) return false;
    value = {rest_[0], rest_.first(header + length), rest_.subspan(header, length)};
    rest_ = rest_.subspan(header + length);
    return true;
  }
  /// The next value if it has this tag.
  bool want(uint8_t tag, Tlv& value) { return next(value) && value.tag == tag; }
  /// Goes into the next value if it has this tag.
  bool enter(uint8_t tag, Der& inside) {
    Tlv value;
    if (!want(tag, value)) return false;
    inside = Der{value.body};
    return true;
  }

 private:
  Bytes rest_;
};

}  // namespace skci
