#include "sim/cli/browser.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <cstdlib>

extern char** environ;

namespace cli {
namespace {

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

/// A file of this user alone; empty if there can be none.
std::string write_guide(const std::string& url) {
  const char* folder = std::getenv("XDG_RUNTIME_DIR");
  std::string path = fmt::format("{}/airlock-XXXXXX.html", is_set("XDG_RUNTIME_DIR") ? folder : "/tmp");
  constexpr int suffix = 5;
  const int file = mkostemps(path.data(), suffix, O_CLOEXEC);
  if (file < 0) return {};
  // The URL is this program's own: digits, and hexadecimal ones.
  const std::string text = fmt::format(
      "<!doctype html><meta charset=\"utf-8\"><title>Airlock</title><meta http-equiv=\"refresh\" content=\"0; url={0}\"><a href=\"{0}\">Airlock</a>\n", url);
  const bool written = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(file);
  if (written) return path;
  unlink(path.c_str());
  return {};
}

/// In a session of its own, with no terminal, and with the signals that a program expects. Nobody waits for it.
bool start(const char* program, const std::string& argument) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  if (posix_spawn_file_actions_init(&files) != 0) return false;
  if (posix_spawnattr_init(&attributes) != 0) {
    posix_spawn_file_actions_destroy(&files);
    return false;
  }
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) posix_spawn_file_actions_addopen(&files, stream, "/dev/null", O_RDWR, 0);
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string name{program}, word{argument};
  char* const arguments[] = {name.data(), word.data(), nullptr};
  pid_t process = 0;
  const bool started = posix_spawnp(&process, program, &files, &attributes, arguments, environ) == 0;
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return started;
}

}  // namespace

Browser::~Browser() {
  if (!file_.empty()) unlink(file_.c_str());
}

std::optional<Browser> open_browser(const std::string& url) {
  if (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY")) return std::nullopt;
  const std::string guide = write_guide(url);
  if (guide.empty()) return std::nullopt;
  Browser browser{guide};
  if (!start("xdg-open", guide)) return std::nullopt;
  return browser;
}

}  // namespace cli
