#include "markdown.h"

#include <algorithm>

namespace vsm_abi {
namespace {

constexpr size_t widest_line = 110;
constexpr size_t widest_padding = 72;  // longer cells end where they end

/// Characters, not bytes: the tables hold a few arrows and dashes.
size_t width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string escape(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '*' || c == '|') result += '\\';
    if (c == '<') {
      result += "&lt;";
    } else {
      result += c;
    }
  }
  return result;
}

std::string Table::text() const {
  const size_t columns = rows_.front().size();
  std::vector<size_t> widths(columns, 3);
  std::vector<bool> used(columns, false);
  for (size_t r = 0; r < rows_.size(); ++r) {
    for (size_t c = 0; c < columns; ++c) {
      widths[c] = std::max(widths[c], std::min(width(rows_[r][c]), widest_padding));
      if (r > 0 && !rows_[r][c].empty()) used[c] = true;
    }
  }
  std::string result;
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::string line = "|", rule = "|";
    for (size_t c = 0; c < columns; ++c) {
      if (!used[c]) continue;
      const std::string& cell = rows_[r][c];
      line += " " + cell + std::string(widths[c] - std::min(width(cell), widths[c]), ' ') + " |";
      rule += std::string(widths[c] + 2, '-') + "|";
    }
    result += line + "\n";
    if (r == 0) result += rule + "\n";
  }
  return result;
}

void Page::paragraph(const std::string& text) {
  std::string line, result;
  const auto finish = [&] {
    if (!line.empty()) result += line + "\n";
    line.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find_first_of(" \n", at), text.size());
    const std::string word = text.substr(at, end - at);
    if (!line.empty() && width(line) + 1 + width(word) > widest_line) finish();
    if (!line.empty() && !word.empty()) line += ' ';
    line += word;
    if (end < text.size() && text[end] == '\n') {
      finish();
      if (text[end + 1] == '\n') result += "\n";
    }
    at = end + 1;
  }
  finish();
  if (!result.empty()) block(result);
}

std::string Page::text() const {
  return "# " + title_ + "\n\n<!-- Written by tools/vsm-abi from the tables in vtl/abi. Do not edit: change the table, then\n" +
         "     cmake --build --preset dev --target reference-docs -->\n\n" + what_ + "\n" + body_;
}

}  // namespace vsm_abi
