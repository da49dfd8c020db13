#pragma once
// Other programs as oracles.
#include <sys/wait.h>

#include <cstdio>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace test {

/// Lines of standard output and error, without leading blanks; nothing if there is no such program.
inline std::optional<std::vector<std::string>> run(const std::string& command) {
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::string text;
  char block[4096];
  while (const size_t count = std::fread(block, 1, sizeof block, pipe))
    text.append(block, count);
  const int status = pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) == 127) return std::nullopt;
  std::vector<std::string> lines;
  std::istringstream stream{text};
  for (std::string line; std::getline(stream, line);) {
    const size_t start = line.find_first_not_of(" \t");
    lines.push_back(start == std::string::npos ? "" : line.substr(start));
  }
  return lines;
}

/// What follows `prefix` in each line that begins with it.
inline std::vector<std::string> values(const std::vector<std::string>& lines,
                                       const std::string& prefix) {
  std::vector<std::string> found;
  for (const std::string& line : lines)
    if (line.rfind(prefix, 0) == 0) found.push_back(line.substr(prefix.size()));
  return found;
}

}  // namespace test
