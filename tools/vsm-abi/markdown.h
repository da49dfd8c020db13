#pragma once
// Markdown that is pleasant without a renderer too: padded tables, one blank line between blocks.
#include <string>
#include <vector>

namespace vsm_abi {

/// Text of a comment or of a row, safe inside a paragraph or a cell.
std::string escape(const std::string& text);

class Table {
 public:
  explicit Table(std::vector<std::string> heads) { rows_.push_back(std::move(heads)); }
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.size() == 1; }
  /// A column without any content is left out.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// One page under docs/reference.
class Page {
 public:
  Page(std::string file, std::string title, std::string what) : file_{std::move(file)}, title_{std::move(title)}, what_{std::move(what)} {}

  void heading(int level, const std::string& text) { block(std::string(static_cast<size_t>(level), '#') + " " + text + "\n"); }
  /// Broken into lines; blank lines in it stay.
  void paragraph(const std::string& text);
  void table(const Table& table) {
    if (!table.empty()) block(table.text());
  }

  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] const std::string& title() const { return title_; }
  [[nodiscard]] const std::string& what() const { return what_; }
  [[nodiscard]] std::string text() const;

 private:
  void block(const std::string& text) { body_ += "\n" + text; }

  std::string file_, title_, what_, body_;
};

}  // namespace vsm_abi
