#pragma once
// Numbers of CodeView's records, and a reader of their fields that never leaves a record. Names as cvinfo.h of
// "microsoft-pdb" has them, in this tree's spelling.
#include <cstdint>
#include <optional>
#include <string_view>

#include "sim/loader/byte_view.h"

namespace symbols::codeview {

enum Leaf : uint16_t {
  leaf_modifier = 0x1001, leaf_pointer = 0x1002, leaf_procedure = 0x1008, leaf_member_function = 0x1009,
  leaf_argument_list = 0x1201, leaf_field_list = 0x1203, leaf_bit_field = 0x1205,
  leaf_base_class = 0x1400, leaf_virtual_base_class = 0x1401, leaf_indirect_virtual_base_class = 0x1402,
  leaf_index = 0x1404, leaf_virtual_function_table = 0x1409,
  leaf_enumerate = 0x1502, leaf_array = 0x1503, leaf_class = 0x1504, leaf_structure = 0x1505, leaf_union = 0x1506,
  leaf_enumeration = 0x1507, leaf_friend_class = 0x150a, leaf_friend_function = 0x150c, leaf_member = 0x150d,
  leaf_static_member = 0x150e, leaf_method = 0x150f, leaf_nested_type = 0x1510, leaf_one_method = 0x1511,
  leaf_interface = 0x1519, leaf_base_interface = 0x151a,
  leaf_function_id = 0x1601, leaf_member_function_id = 0x1602,
};
inline constexpr uint16_t property_forward = 0x80, property_unique_name = 0x200;

enum Symbol : uint16_t {
  symbol_end = 0x0006, symbol_frame_procedure = 0x1012, symbol_block = 0x1103, symbol_constant = 0x1107,
  symbol_local_data = 0x110c, symbol_global_data = 0x110d, symbol_local_procedure = 0x110f,
  symbol_global_procedure = 0x1110, symbol_register_relative = 0x1111, symbol_local = 0x113e,
  symbol_range_register = 0x1141, symbol_range_frame_pointer = 0x1142, symbol_range_subfield_register = 0x1143,
  symbol_range_frame_pointer_full = 0x1144, symbol_range_register_relative = 0x1145,
  symbol_local_procedure_id = 0x1146, symbol_global_procedure_id = 0x1147,
  symbol_inline_site = 0x114d, symbol_inline_site_end = 0x114e, symbol_procedure_end = 0x114f,
};

/// Reads fields one after the other; after the first that does not fit, everything is zero and ok() is false.
class Cursor {
 public:
  explicit Cursor(loader::Bytes bytes, uint64_t at = 0) : bytes_{bytes}, at_{at} {}

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] uint64_t at() const { return at_; }
  [[nodiscard]] uint64_t left() const { return ok_ && at_ < bytes_.size() ? bytes_.size() - at_ : 0; }

  template <class T>
  T take() {
    const auto value = ok_ ? loader::read_at<T>(bytes_, at_) : std::nullopt;
    ok_ = value.has_value();
    if (!ok_) return T{};
    at_ += sizeof(T);
    return *value;
  }
  void skip(uint64_t count) {
    ok_ = ok_ && loader::contains(bytes_, at_, count);
    if (ok_) at_ += count;
  }
  std::string_view name() {
    const auto text = ok_ ? loader::text_at(bytes_, at_, bytes_.size()) : std::nullopt;
    ok_ = text.has_value();
    if (!ok_) return {};
    at_ += text->size() + 1;
    return *text;
  }
  /// A number of variable size; negative ones in two's complement.
  uint64_t number() {
    const auto leaf = take<uint16_t>();
    switch (leaf) {
      case 0x8000: return static_cast<uint64_t>(int64_t{take<int8_t>()});
      case 0x8001: return static_cast<uint64_t>(int64_t{take<int16_t>()});
      case 0x8002: return take<uint16_t>();
      case 0x8003: return static_cast<uint64_t>(int64_t{take<int32_t>()});
      case 0x8004: return take<uint32_t>();
      case 0x8009:
      case 0x800a: return take<uint64_t>();
      default: break;
    }
    if (leaf >= 0x8000) ok_ = false;  // floating point and others, which no size or offset is
    return ok_ ? leaf : 0;
  }
  /// Between the parts of a field list: LF_PAD1 to LF_PAD15 say how far it is to the next.
  void pass_padding() {
    while (left() > 0 && bytes_[static_cast<size_t>(at_)] > 0xf0) skip(bytes_[static_cast<size_t>(at_)] & 0xf);
  }

 private:
  loader::Bytes bytes_;
  uint64_t at_;
  bool ok_{true};
};

}  // namespace symbols::codeview
