#pragma once
// The types of one PDB: structures, unions, enumerations, with their members. Layout of the records: Microsoft's
// published "microsoft-pdb" (TPI stream, CodeView type records). A file may say anything: every number is checked,
// every walk over types that refer to types ends.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/loader/byte_view.h"
#include "sim/support/result.h"

namespace symbols {

/// The number of a type within its PDB. Below 0x1000 are the types that need no record; 0 is none.
using TypeIndex = uint32_t;

enum class TypeKind : uint8_t {
  None, Void, Integer, Boolean, Character, Floating, Pointer, Array, Structure, Class, Union, Enumeration, Function
};
/// "struct", "class", "union", "enum"; empty for what has no such word.
[[nodiscard]] std::string_view word_of(TypeKind kind);

/// A data member, or a base class (under that class' name).
struct TypeMember {
  std::string_view name;
  TypeIndex type{};
  uint64_t offset{};  ///< bytes
  uint8_t bit{};      ///< of a bit field: the first bit within `type`
  uint8_t bits{};     ///< of a bit field: their number; else 0
  bool is_base{};
};

struct Enumerator {
  std::string_view name;
  uint64_t value{};  ///< a negative one as its two's complement in 64 bits
};

/// A part of a type, as a path names it.
struct TypePart {
  TypeIndex type{};
  uint64_t offset{};  ///< bytes from the beginning of the whole
  uint8_t bit{}, bits{};  ///< as TypeMember has them
};

/// What a pattern has found.
struct TypeMatches {
  std::vector<TypeIndex> types;  ///< ascending by name
  bool more{};                   ///< there were others beyond the maximum
};

class TypeTable {
 public:
  /// No types: what an image without a PDB has.
  TypeTable() = default;
  TypeTable(TypeTable&&) = default;
  TypeTable& operator=(TypeTable&&) = default;
  /// The TPI stream of a PDB. Refuses it with the place of the first thing that is wrong.
  [[nodiscard]] static support::Result<TypeTable> parse(std::vector<uint8_t> stream);

  /// The structure, union or enumeration of that name: exactly as the PDB qualifies it ("sk::SkThread"), else by its
  /// last part if only one has it ("SkThread"), else the same after a leading underscore ("_EPROCESS" finds EPROCESS).
  /// Definitions only, forward references never.
  [[nodiscard]] std::optional<TypeIndex> find(std::string_view name) const;
  /// By a pattern with * and ?, without case, over qualified names and over their last parts.
  [[nodiscard]] TypeMatches match(std::string_view pattern, size_t maximum) const;
  /// All structures, unions and enumerations that are defined, by name.
  [[nodiscard]] const std::vector<TypeIndex>& named() const { return named_; }

  /// The type itself: without const and volatile, the definition for a forward reference if there is one.
  [[nodiscard]] TypeIndex resolve(TypeIndex type) const;
  [[nodiscard]] TypeKind kind(TypeIndex type) const;
  [[nodiscard]] bool is_signed(TypeIndex type) const;
  /// Bytes; 0 where it is not known (void, functions, what is only declared).
  [[nodiscard]] uint64_t size(TypeIndex type) const;
  /// As C writes it: "uint64_t", "const sk::SkThread*", "uint8_t[32]".
  [[nodiscard]] std::string text(TypeIndex type) const;
  /// Of a structure, union or enumeration; else empty.
  [[nodiscard]] std::string_view name(TypeIndex type) const;
  /// What a pointer names, an array consists of, an enumeration is stored as; else 0.
  [[nodiscard]] TypeIndex target(TypeIndex type) const;
  /// Elements of an array; else 0.
  [[nodiscard]] uint64_t count(TypeIndex type) const;
  /// In the order of the declaration; base classes first.
  [[nodiscard]] std::vector<TypeMember> members(TypeIndex type) const;
  [[nodiscard]] std::vector<Enumerator> enumerators(TypeIndex type) const;
  /// The first enumerator with this value; empty if there is none.
  [[nodiscard]] std::string_view enumerator(TypeIndex type, uint64_t value) const;

  /// "call.parameter[3]", "[2].type", "header.first_waiter": members and elements, through base classes and unnamed
  /// members; never through pointers. The message of a refusal names the part that does not exist.
  [[nodiscard]] support::Result<TypePart> part(TypeIndex type, std::string_view path) const;

 private:
  struct Record {
    uint32_t offset{};  ///< of its leaf in stream_
    uint16_t size{};    ///< with the leaf
  };
  /// A structure, union or enumeration.
  struct Named {
    TypeKind kind{};
    bool forward{};
    TypeIndex fields{};      ///< the field list; 0: none
    TypeIndex underlying{};  ///< of an enumeration
    uint64_t size{};
    std::string_view name, unique_name;
  };
  class Fields;

  [[nodiscard]] support::Status index_records(uint64_t at, uint64_t end, uint32_t count);
  [[nodiscard]] support::Status check_record(TypeIndex type) const;
  void index_names();
  [[nodiscard]] loader::Bytes record(TypeIndex type) const;
  [[nodiscard]] uint16_t leaf(TypeIndex type) const;
  [[nodiscard]] std::optional<Named> named_record(TypeIndex type) const;
  [[nodiscard]] TypeIndex definition(const Named& reference, TypeIndex otherwise) const;
  [[nodiscard]] uint64_t size_of(TypeIndex type, int depth) const;
  [[nodiscard]] std::string declare(TypeIndex type, std::string inner, int depth, size_t& budget) const;
  [[nodiscard]] std::string declare_function(TypeIndex type, std::string inner, int depth, size_t& budget) const;
  [[nodiscard]] std::optional<TypePart> find_member(TypeIndex type, std::string_view name, int depth,
                                                    size_t& budget) const;

  std::vector<uint8_t> stream_;  ///< names view it: it never changes
  TypeIndex first_{0x1000};
  std::vector<Record> records_;  ///< by TypeIndex - first_
  std::vector<TypeIndex> named_;
  std::vector<std::pair<std::string_view, TypeIndex>> by_last_part_;  ///< ascending
};

/// Without case; * is any text, ? any character.
[[nodiscard]] bool matches_pattern(std::string_view text, std::string_view pattern);

}  // namespace symbols
