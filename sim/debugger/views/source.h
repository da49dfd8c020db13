#pragma once
// Source files that PDBs name, where they are at hand.
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace debugger::views {

struct SourceFile {
  std::string path;
  std::vector<std::string> lines;
};

/// Looks only inside the folders given: a name in a PDB is a wish, no path of this host.
class SourceFiles {
 public:
  explicit SourceFiles(std::vector<std::string> folders) : folders_{std::move(folders)} {}

  /// The file whose path ends as `name` does, as far as possible; null if none is at hand. Stays where it is.
  [[nodiscard]] const SourceFile* find(std::string_view name);
  /// A line from 1 on; empty if it is not at hand.
  [[nodiscard]] std::string_view line(std::string_view name, uint32_t number);

 private:
  std::vector<std::string> folders_;
  std::map<std::string, SourceFile, std::less<>> files_;  ///< by name; no path: not found
};

}  // namespace debugger::views
