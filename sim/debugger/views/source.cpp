#include "sim/debugger/views/source.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace debugger::views {
namespace {

constexpr uintmax_t largest_source = uintmax_t{4} << 20;
constexpr size_t longest_name = 1024, most_files = 4096;

/// "C:\a\.\b/../c.cpp" -> {"a", "c.cpp"} without what leads upwards or nowhere.
std::vector<std::string> parts_of(std::string_view name) {
  std::string path{name};
  std::replace(path.begin(), path.end(), '\\', '/');
  std::vector<std::string> parts;
  size_t from = 0;
  while (from <= path.size()) {
    const size_t end = std::min(path.find('/', from), path.size());
    const std::string part = path.substr(from, end - from);
    from = end + 1;
    if (part == ".." && !parts.empty()) parts.pop_back();
    if (!part.empty() && part != "." && part != ".." && part.find(':') == std::string::npos && part.find('\0') == std::string::npos)
      parts.push_back(part);
  }
  return parts;
}

std::string existing(const std::string& folder, const std::vector<std::string>& parts, size_t first) {
  std::filesystem::path path{folder};
  for (size_t i = first; i < parts.size(); ++i) path /= parts[i];
  std::error_code error;
  const bool usable = std::filesystem::is_regular_file(path, error) && std::filesystem::file_size(path, error) <= largest_source;
  return usable && !error ? path.string() : std::string{};
}

SourceFile read(const std::string& path) {
  SourceFile file{path, {}};
  std::ifstream in{path, std::ios::binary};
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();
    file.lines.push_back(std::move(line));
  }
  return file;
}

}  // namespace

const SourceFile* SourceFiles::find(std::string_view name) {
  if (name.size() > longest_name) return nullptr;
  auto known = files_.find(name);
  if (known == files_.end()) {
    if (files_.size() >= most_files) files_.clear();
    known = files_.emplace(name, SourceFile{}).first;
    const std::vector<std::string> parts = parts_of(name);
    for (size_t first = 0; first < parts.size() && known->second.path.empty(); ++first)
      for (const std::string& folder : folders_)
        if (const std::string path = existing(folder, parts, first); !path.empty()) {
          known->second = read(path);
          break;
        }
  }
  return known->second.path.empty() ? nullptr : &known->second;
}

std::string_view SourceFiles::line(std::string_view name, uint32_t number) {
  const SourceFile* file = find(name);
  return file == nullptr || number == 0 || number > file->lines.size() ? std::string_view{} : file->lines[number - 1];
}

}  // namespace debugger::views
