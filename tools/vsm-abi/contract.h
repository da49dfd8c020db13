#pragma once
// The contract as the pages see it: layouts from the compiler, words from the headers.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "header_text.h"
#include "markdown.h"

namespace vsm_abi {

class Contract {
 public:
  /// Reads every header and table below `abi`; exits with a message when one cannot be read.
  explicit Contract(const std::filesystem::path& abi);

  [[nodiscard]] const HeaderText& header(const std::string& path) const;
  [[nodiscard]] const std::map<std::string, HeaderText>& headers() const { return headers_; }
  /// Comments of a table such as "hv/hypercalls.def".
  [[nodiscard]] const std::map<std::string, std::string>& rows(const std::string& path) const { return rows_.at(path); }
  [[nodiscard]] const std::string& summary(const std::string& table) const { return summaries_.at(table); }

  /// Says on which page the structures of a header stand, so that fields can link to them.
  void place(const std::string& header, const std::string& page);
  /// Headers with something to describe that stand on no page.
  [[nodiscard]] std::vector<std::string> unplaced() const;

  /// All of a header: constants, enumerations, structures; headings begin at `level`.
  void describe(Page& page, const std::string& header, int level) const;
  void describe_struct(Page& page, const StructText& text, int level) const;
  void describe_enum(Page& page, const EnumText& text, int level) const;
  /// Constants of one namespace, such as abi::hv::map_gpa, or of none with an empty name.
  void describe_constants(Page& page, const std::string& header, const std::string& space) const;

  /// "`u32`", or a link when the structure stands on a page.
  [[nodiscard]] std::string type_name(const std::string& from_page, const std::string& scope, const std::string& type) const;

 private:
  [[nodiscard]] bool describable(const StructText& text) const;

  std::map<std::string, HeaderText> headers_;
  std::map<std::string, std::map<std::string, std::string>> rows_;
  std::map<std::string, std::string> summaries_;
  std::map<std::string, std::string> page_of_header_;
  std::map<std::string, std::string> page_of_type_;  // qualified name -> page
};

/// "abi::hv::Message" -> "Message".
std::string short_name(const std::string& qualified);

}  // namespace vsm_abi
