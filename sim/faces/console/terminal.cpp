#include "sim/faces/console/terminal.h"

#include <fmt/format.h>
#include <histedit.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "sim/faces/console/remote_console.h"

namespace faces::console {
namespace {

constexpr int history_length = 2000;
constexpr char invisible = '\1';  ///< around what takes no room in the prompt

/// Something that wakes poll(), and a signal handler can signal.
class Event {
 public:
  Event() : number_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {}
  ~Event() { close(number_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void signal() const {
    const uint64_t one = 1;
    (void)!write(number_, &one, sizeof one);
  }
  /// Whether it was signalled since it was asked last.
  bool take() const {
    uint64_t count = 0;
    return read(number_, &count, sizeof count) == sizeof count;
  }
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

std::atomic<const Event*> interrupted_by{};

void on_interrupt(int) {
  const int before = errno;
  if (const Event* event = interrupted_by.load()) event->signal();
  errno = before;
}

/// SIGINT is an event while this lives.
class InterruptKey {
 public:
  InterruptKey() {
    interrupted_by = &event_;
    struct sigaction action {};
    action.sa_handler = &on_interrupt;
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, &before_);
  }
  ~InterruptKey() {
    sigaction(SIGINT, &before_, nullptr);
    interrupted_by = nullptr;
  }
  InterruptKey(const InterruptKey&) = delete;
  InterruptKey& operator=(const InterruptKey&) = delete;
  [[nodiscard]] const Event& event() const { return event_; }

 private:
  Event event_;
  struct sigaction before_ {};
};

void wait_for(int first, int second) {
  pollfd waiting[]{{first, POLLIN, 0}, {second, POLLIN, 0}};
  (void)poll(waiting, 2, -1);
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

/// The longest text with which all words begin.
std::string common_start(const std::vector<std::string>& words) {
  std::string start = words.front();
  for (const std::string& word : words) {
    const auto [mine, its] = std::ranges::mismatch(start, word);
    start.erase(mine, start.end());
  }
  return start;
}

/// Words in columns, as a shell lists them.
std::string columns(const std::vector<std::string>& words) {
  constexpr size_t width = 100, most_shown = 60;
  size_t widest = 0;
  for (const std::string& word : words) widest = std::max(widest, word.size());
  const size_t in_a_row = std::max<size_t>(1, width / (widest + 2)), shown = std::min(words.size(), most_shown);
  std::string text = "\n";
  for (size_t at = 0; at < shown; ++at)
    text += fmt::format("{:<{}}{}", words[at], widest + 2, (at + 1) % in_a_row == 0 || at + 1 == shown ? "\n" : "");
  if (shown < words.size()) text += fmt::format("(and {} more)\n", words.size() - shown);
  return text;
}

class Terminal {
 public:
  Terminal(rpc::CallQueue& queue, const TerminalOptions& options) : console_{queue}, options_{options}, history_{history_init()} {
    el_ = el_init("airlock", stdin, stdout, stderr);
    HistEvent event;
    history(history_, &event, H_SETSIZE, history_length);
    history(history_, &event, H_SETUNIQUE, 1);
    if (!options_.history_file.empty()) history(history_, &event, H_LOAD, options_.history_file.c_str());
    el_set(el_, EL_CLIENTDATA, this);
    el_set(el_, EL_EDITOR, "emacs");
    el_set(el_, EL_HIST, history, history_);
    el_set(el_, EL_PROMPT_ESC, &Terminal::prompt_text, invisible);
    el_set(el_, EL_GETCFN, &Terminal::read_character);
    el_set(el_, EL_ADDFN, "airlock-complete", "Complete the word", &Terminal::complete_word);
    el_set(el_, EL_BIND, "^I", "airlock-complete", nullptr);
    el_set(el_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(el_, nullptr);
  }
  ~Terminal() {
    save_history();
    el_end(el_);
    history_end(history_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void run() {
    print(console_.execute("version", options_.colours).output + "`.help` lists the commands; Tab completes, Ctrl-C interrupts, q leaves.\n");
    bool ended = false;
    while (!ended) {
      prompt_ = visible_prompt(console_.prompt(options_.colours));
      int length = 0;
      errno = 0;
      const char* text = el_gets(el_, &length);
      if (text == nullptr && interrupt_.event().take()) {
        print("^C\n");
        el_reset(el_);
        continue;
      }
      if (text == nullptr) {
        print("\n");
        return;
      }
      ended = execute(line_of({text, static_cast<size_t>(std::max(length, 0))}));
    }
  }

 private:
  /// What was typed; the last command again for an empty line, as in the kernel debugger.
  std::string line_of(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    if (text.find_first_not_of(" \t") == std::string_view::npos) return last_line_;
    last_line_ = text;
    HistEvent event;
    history(history_, &event, H_ENTER, last_line_.c_str());
    return last_line_;
  }

  bool execute(const std::string& line) {
    struct Pending {
      std::mutex mutex;
      std::optional<Reply> reply;
      Event done;
    };
    const auto pending = std::make_shared<Pending>();
    (void)interrupt_.event().take();
    const bool begun = console_.begin(line, options_.colours, [pending](Reply reply) {
      const std::lock_guard lock{pending->mutex};
      pending->reply = std::move(reply);
      pending->done.signal();
    });
    if (!begun) return true;
    while (!pending->done.take()) {
      wait_for(pending->done.number(), interrupt_.event().number());
      if (interrupt_.event().take()) console_.interrupt();
    }
    const std::lock_guard lock{pending->mutex};
    print(pending->reply->output);
    return pending->reply->ended;
  }

  /// Escape sequences between marks, so that the editor knows the width.
  static std::string visible_prompt(const std::string& text) {
    std::string marked;
    bool escape = false;
    for (const char c : text) {
      if (c == '\x1b') marked += invisible;
      escape = escape || c == '\x1b';
      marked += c;
      if (escape && c == 'm') {
        marked += invisible;
        escape = false;
      }
    }
    return marked;
  }

  static Terminal& of(EditLine* el) {
    void* data = nullptr;
    el_get(el, EL_CLIENTDATA, &data);
    return *static_cast<Terminal*>(data);
  }
  static char* prompt_text(EditLine* el);
  static int read_character(EditLine* el, wchar_t* character);
  static unsigned char complete_word(EditLine* el, int);
  unsigned char complete();

  void save_history() {
    if (options_.history_file.empty()) return;
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path{options_.history_file}.parent_path(), ignored);
    HistEvent event;
    history(history_, &event, H_SAVE, options_.history_file.c_str());
  }

  RemoteConsole console_;
  TerminalOptions options_;
  InterruptKey interrupt_;
  History* history_;
  EditLine* el_{};
  std::string prompt_, last_line_;
};

char* Terminal::prompt_text(EditLine* el) { return of(el).prompt_.data(); }

/// Reads a byte; Ctrl-C ends the line, whichever thread the signal reached.
int Terminal::read_character(EditLine* el, wchar_t* character) {
  const Event& interrupted = of(el).interrupt_.event();
  while (true) {
    pollfd waiting[]{{STDIN_FILENO, POLLIN, 0}, {interrupted.number(), POLLIN, 0}};
    (void)poll(waiting, 2, -1);
    if ((waiting[1].revents & POLLIN) != 0) return -1;  // taken by run()
    if (waiting[0].revents == 0) continue;
    unsigned char byte = 0;
    const ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    *character = static_cast<wchar_t>(byte);
    return static_cast<int>(got);
  }
}

unsigned char Terminal::complete_word(EditLine* el, int) { return of(el).complete(); }

unsigned char Terminal::complete() {
  const LineInfo* info = el_line(el_);
  const std::string line{info->buffer, static_cast<size_t>(info->cursor - info->buffer)};
  const Completion completion = console_.complete(line);
  if (completion.words.empty() || completion.from > line.size()) return CC_REFRESH_BEEP;
  const std::string start = common_start(completion.words), typed = line.substr(completion.from);
  const bool only = completion.words.size() == 1;
  const std::string inserted = start + (only && !start.ends_with('!') ? " " : "");
  if (inserted.size() > typed.size() || (only && inserted != typed)) {
    if (!typed.empty()) el_deletestr(el_, static_cast<int>(typed.size()));
    return el_insertstr(el_, inserted.c_str()) == -1 ? CC_REFRESH_BEEP : CC_REFRESH;
  }
  print(columns(completion.words));
  return CC_REDISPLAY;
}

}  // namespace

void run_terminal(rpc::CallQueue& queue, const TerminalOptions& options) { Terminal{queue, options}.run(); }

}  // namespace faces::console
