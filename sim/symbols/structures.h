#pragma once
// Structures in guest memory, by the types of a PDB: values of members, and reading through paths of them.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/symbols/type_table.h"
#include "vtl/virtual_processor.h"

namespace machine {
class Machine;
}

namespace symbols {

/// Whether memory could be read, and why not.
enum class Reach : uint8_t { Read, Denied, Unmapped };
/// Reads [address, address + to.size()) of one address space; all of it or nothing.
using ReadMemory = std::function<Reach(uint64_t address, std::span<uint8_t> to)>;
/// Memory as `vtl` of a processor sees it, through the tables at `cr3` (its own without). `machine` must outlive it
/// and not run.
[[nodiscard]] ReadMemory reader_of(const machine::Machine& machine, uint32_t vp, vtl::Vtl vtl,
                                   std::optional<uint64_t> cr3 = {});

/// A member and its value. As record TypeField of sim/rpc/methods.def.
struct FieldValue {
  std::string name, type;
  uint64_t offset{}, size{};
  uint8_t bit{}, bits{};             ///< of a bit field
  uint64_t count{};                  ///< of an array
  std::optional<std::string>
      value;  ///< "??" denied, "--" unmapped; absent for structures within, and without an address
  std::optional<uint64_t> number;    ///< of integers, pointers, enumerations
  bool is_pointer{};
};

/// Members of the structure `type`, with their values at `address` if given. Those of base classes come first, and
/// are not shown as a member of their own. Of an enumeration: its enumerators, the value in `number`.
[[nodiscard]] std::vector<FieldValue> fields_of(const TypeTable& types, TypeIndex type, std::optional<uint64_t> address,
                                                const ReadMemory& read);

/// A value of `type` as people read it: "0x12", "true", "Parked (4)", "\"text\"", "{0x1, 0x2}"; nothing for structures.
[[nodiscard]] std::optional<std::string> format_value(const TypeTable& types, TypeIndex type,
                                                      std::span<const uint8_t> bytes);

/// An object of a type at an address.
class Object {
 public:
  Object(const TypeTable& types, TypeIndex type, uint64_t address, const ReadMemory& read)
      : types_{&types}, type_{type}, address_{address}, read_{&read} {}

  [[nodiscard]] uint64_t address() const { return address_; }
  [[nodiscard]] TypeIndex type() const { return type_; }
  [[nodiscard]] uint64_t size() const { return types_->size(type_); }
  /// A part of it: "call.parameter[3]". Nothing if there is none.
  [[nodiscard]] std::optional<Object> part(std::string_view path) const;
  /// An integer, pointer, enumeration or bit field, sign extended where it has one. Nothing if it is none, or cannot
  /// be read.
  [[nodiscard]] std::optional<uint64_t> number(std::string_view path = {}) const;
  /// Characters of an array, up to a NUL. Nothing if it cannot be read.
  [[nodiscard]] std::optional<std::string> text(std::string_view path) const;
  /// The name of an enumerator, else the number.
  [[nodiscard]] std::string name(std::string_view path) const;
  /// What a pointer names; nothing where it is null, no pointer, or cannot be read.
  [[nodiscard]] std::optional<Object> follow(std::string_view path = {}) const;
  /// All bytes. Empty where they cannot be read, or are more than 64 KiB.
  [[nodiscard]] std::vector<uint8_t> bytes(std::string_view path = {}) const;

 private:
  const TypeTable* types_;
  TypeIndex type_;
  uint64_t address_;
  const ReadMemory* read_;
  uint8_t bit_{}, bits_{};
};

}  // namespace symbols
