#pragma once
// What the preprocessor throws away: comments, bit ranges, names of types. Numbers, sizes and offsets never come from here
// when the compiler knows them.
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace vsm_abi {

/// One ABI_BITS or ABI_BIT.
struct BitField {
  unsigned high{}, low{};
  std::string name, type, comment;
};

/// A data member as it is written.
struct Member {
  std::string type, name, comment;
};

struct StructText {
  std::string name;  ///< qualified, such as abi::hv::Message
  std::string comment;
  std::string raw_type;  ///< of a structure of bits: the type behind `using Raw`
  std::vector<Member> members;
  std::vector<BitField> bits;
};

struct Enumerator {
  std::string name, comment;
  std::optional<uint64_t> value;
};

struct EnumText {
  std::string name, underlying, comment;
  std::vector<Enumerator> values;
};

struct Constant {
  std::string name;  ///< qualified
  std::string text;  ///< as written
  std::optional<uint64_t> value;
  std::string comment;
};

/// One header, in the order in which it is written.
struct HeaderText {
  std::string path;     ///< from the folder above: "hv/structs.h"
  std::string summary;  ///< the comment at its top
  std::vector<StructText> structs;
  std::vector<EnumText> enums;
  std::vector<Constant> constants;
};

/// Reads a header written in the style of vtl/abi. Understands that style only, on purpose.
HeaderText parse_header(std::string path, const std::string& text);

/// The comment directly above each row of a table, by the row's first argument, joined to one line.
std::map<std::string, std::string> row_comments(const std::string& text);

/// The comment at the top of a file; an empty comment line separates paragraphs.
std::string leading_comment(const std::string& text);

std::optional<std::string> read_file(const std::filesystem::path& path);

}  // namespace vsm_abi
