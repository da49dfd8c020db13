#include "tests/support/program.h"

#include "tests/support/catch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temporary_folder.h"

namespace test {
namespace {

void redirect(const std::string& file, int to) {
  const int descriptor = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (descriptor < 0 || dup2(descriptor, to) < 0) _exit(126);
}

[[noreturn]] void become(const std::vector<std::string>& command, const std::string& output, const std::string& errors,
                         const std::optional<uint64_t>& limit) {
  redirect(output, STDOUT_FILENO);
  redirect(errors, STDERR_FILENO);
  if (limit) {
    // The write that crosses the limit fails with EFBIG instead of ending the program.
    signal(SIGXFSZ, SIG_IGN);
    const rlimit both{*limit, *limit};
    if (setrlimit(RLIMIT_FSIZE, &both) != 0) _exit(126);
  }
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& command, const ProgramOptions& options) {
  const TemporaryFolder folder;
  const std::string output = options.output_file.empty() ? folder.file("output") : options.output_file;
  const std::string errors = folder.file("errors");
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) become(command, output, errors, options.file_size_limit);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);

  ProgramResult result;
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  if (options.output_file.empty()) result.output = read_text(output);
  result.errors = read_text(errors);
  return result;
}

ProgramResult airlock(std::vector<std::string> arguments, const ProgramOptions& options) {
  arguments.insert(arguments.begin(), airlock_program);
  return run_program(arguments, options);
}

}  // namespace test
