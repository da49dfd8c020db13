#pragma once
// Runs a program as a shell would and keeps what it said.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace test {

struct ProgramOptions {
  std::string output_file;                   ///< standard output goes there instead, such as /dev/full
  std::optional<uint64_t> file_size_limit;   ///< bytes that the program may write to any one file
};

struct ProgramResult {
  int exit_code{-1};  ///< of exit()
  int signal{};       ///< that ended it, or 0
  std::string output, errors;
};

/// `command[0]` is a path, or a name that is looked up as execvp does.
[[nodiscard]] ProgramResult run_program(const std::vector<std::string>& command, const ProgramOptions& options = {});

/// The program of this build. Tests run in the build folder.
inline const std::string airlock_program = "./airlock";
[[nodiscard]] ProgramResult airlock(std::vector<std::string> arguments, const ProgramOptions& options = {});

}  // namespace test
