#include "sim/cli/debug_console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "sim/cli/exit_codes.h"
#include "sim/faces/console/remote_console.h"
#include "sim/faces/console/script.h"
#include "sim/faces/console/terminal.h"

namespace cli {
namespace {

using faces::console::ScriptEnd;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string{} : std::string{value};
}

/// As https://no-color.org has it: any value but the empty one.
bool wants_colours() { return isatty(STDOUT_FILENO) != 0 && environment("NO_COLOR").empty() && environment("TERM") != "dumb"; }

/// By the XDG Base Directory Specification; empty where there is no home.
std::string history_file() {
  const std::string state = environment("XDG_STATE_HOME"), home = environment("HOME");
  if (state.starts_with('/')) return state + "/airlock/history";
  return home.empty() ? std::string{} : home + "/.local/state/airlock/history";
}

class ConsoleFace final : public DebugFace {
 public:
  ConsoleFace(rpc::CallQueue& queue, bool terminal, File script, bool others, int& exit_code)
      : queue_{queue}, script_{std::move(script)}, thread_{[this, terminal, others, &exit_code] {
          const bool left = script_ == nullptr || run(script_.get(), true, exit_code);
          if (left && terminal && script_ == nullptr) talk(exit_code);
          if (!others || exit_code != exit_ok) queue_.stop();
        }} {}
  ~ConsoleFace() override { thread_.join(); }
  ConsoleFace(const ConsoleFace&) = delete;
  ConsoleFace& operator=(const ConsoleFace&) = delete;

 private:
  bool run(std::FILE* input, bool stop_at_error, int& exit_code) {
    faces::console::RemoteConsole console{queue_};
    const ScriptEnd end = run_script(console, input, stdout, {wants_colours(), true, stop_at_error});
    if (end == ScriptEnd::OutputLost) exit_code = exit_io;
    if (end == ScriptEnd::Refused) exit_code = exit_usage;
    return end == ScriptEnd::Finished;
  }
  void talk(int& exit_code) {
    if (isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0)
      faces::console::run_terminal(queue_, {wants_colours(), history_file()});
    else
      (void)run(stdin, false, exit_code);
  }

  rpc::CallQueue& queue_;
  File script_;
  std::thread thread_;
};

}  // namespace

support::Result<std::unique_ptr<DebugFace>> open_console(rpc::CallQueue& queue, const ConsoleArguments& arguments, bool others, int& exit_code) {
  File script;
  if (!arguments.script.empty()) {
    script.reset(std::fopen(arguments.script.c_str(), "re"));
    if (!script) return support::Error{fmt::format("{}: {}", arguments.script, std::strerror(errno))};
  }
  return std::unique_ptr<DebugFace>{std::make_unique<ConsoleFace>(queue, arguments.asked, std::move(script), others, exit_code)};
}

}  // namespace cli
