// The texts around the rows: what stands above a file and above a row.
#include <fstream>
#include <iterator>

#include "header_text.h"

namespace vsm_abi {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

bool is_comment(const std::string& line) { return line.starts_with("//"); }

/// "//          name   code ..." names the columns of the rows below it.
bool names_columns(const std::string& line) {
  const size_t word = line.find_first_not_of(" /");
  return is_comment(line) && word != std::string::npos && word >= 4 && line.compare(word, 4, "name") == 0;
}

std::string words_of(const std::string& line) {
  const size_t start = line.find_first_not_of(" /");
  return start == std::string::npos ? "" : line.substr(start);
}

/// "MACRO(Name, ..." gives Name; nothing for other lines.
std::string row_name(const std::string& line) {
  const size_t open = line.find('(');
  if (open == std::string::npos || open == 0 || line.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != open)
    return "";
  return line.substr(open + 1, line.find(',', open) - open - 1);
}

}  // namespace

std::optional<std::string> read_file(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>{file}, {}};
}

std::map<std::string, std::string> row_comments(const std::string& text) {
  std::map<std::string, std::string> result;
  std::string above;
  bool top_of_file = true;
  for (const std::string& line : lines_of(text)) {
    if (names_columns(line)) {
      above.clear();
      top_of_file = false;
    } else if (is_comment(line) && !top_of_file) {
      if (!above.empty()) above += ' ';
      above += words_of(line);
    } else if (const std::string name = row_name(line); !name.empty()) {
      if (!above.empty()) result.emplace(name, above);
      above.clear();
    } else if (line.empty()) {
      above.clear();
    }
  }
  return result;
}

std::string leading_comment(const std::string& text) {
  std::string result;
  bool started = false;
  for (const std::string& line : lines_of(text)) {
    if (!is_comment(line)) {
      if (started) break;
      continue;
    }
    started = true;
    const std::string words = words_of(line);
    if (words.empty()) {
      result += "\n\n";
    } else {
      if (!result.empty() && result.back() != '\n') result += ' ';
      result += words;
    }
  }
  return result;
}

}  // namespace vsm_abi
