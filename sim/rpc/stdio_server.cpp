#include "sim/rpc/stdio_server.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "sim/rpc/json_rpc.h"

namespace rpc {
namespace {

/// While so much waits to be read by the client, or so many of its requests are not answered, no more is read.
constexpr size_t maximum_unread = size_t{8} << 20, maximum_unanswered = 64;
/// What a pipe that is ready to be written to takes without blocking (PIPE_BUF).
constexpr size_t piece = 4096;

/// What the server's thread and the session's share. Answers may come when the server is gone.
class Outbox {
 public:
  Outbox() : wake_{eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {}
  ~Outbox() { close(wake_); }
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  void asked() {
    const std::lock_guard lock{mutex_};
    ++unanswered_;
  }
  void answer(const std::optional<std::string>& line) {
    const std::lock_guard lock{mutex_};
    --unanswered_;
    add(line);
  }
  /// Notifications are dropped when the client does not read: it can ask for the status.
  void notify(const std::string& line) {
    const std::lock_guard lock{mutex_};
    if (text_.size() - begin_ < maximum_unread) add(line);
  }
  void stop() {
    const std::lock_guard lock{mutex_};
    stopped_ = true;
    wake();
  }

  struct State {
    bool may_read{}, to_write{}, stopped{}, idle{};
  };
  State state() {
    const std::lock_guard lock{mutex_};
    const size_t unread = text_.size() - begin_;
    return {unread < maximum_unread && unanswered_ < maximum_unanswered, unread != 0, stopped_,
            unread == 0 && unanswered_ == 0};
  }
  /// The next bytes to write, at most `piece`.
  std::string front() {
    const std::lock_guard lock{mutex_};
    return text_.substr(begin_, piece);
  }
  void written(size_t bytes) {
    const std::lock_guard lock{mutex_};
    begin_ += bytes;
    if (begin_ < text_.size() && begin_ < maximum_unread) return;
    text_.erase(0, begin_);
    begin_ = 0;
  }
  [[nodiscard]] int wake_descriptor() const { return wake_; }
  void woken() {
    uint64_t count = 0;
    (void)!read(wake_, &count, sizeof count);
  }

 private:
  void add(const std::optional<std::string>& line) {
    if (line && !stopped_) text_ += *line + "\n";
    wake();
  }
  void wake() {
    const uint64_t one = 1;
    (void)!write(wake_, &one, sizeof one);
  }

  std::mutex mutex_;
  std::string text_;
  size_t begin_{};  ///< of what was not written yet
  size_t unanswered_{};
  bool stopped_{};
  int wake_;
};

/// Cuts what arrives into lines, none longer than a message may be.
class Lines {
 public:
  template <class Take, class TooLong>
  void feed(std::string_view bytes, const Take& take, const TooLong& too_long) {
    while (!bytes.empty()) {
      const size_t end = bytes.find('\n');
      const std::string_view part = bytes.substr(0, end);
      if (line_.size() + part.size() > maximum_message) {
        if (!skips_) too_long();
        skips_ = true;
        line_.clear();
      }
      if (!skips_) line_ += part;
      if (end == std::string_view::npos) return;
      if (!skips_ && line_.find_first_not_of(" \t\r") != std::string::npos) take(line_);
      line_.clear();
      skips_ = false;
      bytes.remove_prefix(end + 1);
    }
  }
  /// The last line may lack its end.
  template <class Take>
  void finish(const Take& take) {
    if (!skips_ && line_.find_first_not_of(" \t\r") != std::string::npos) take(line_);
    line_.clear();
  }

 private:
  std::string line_;
  bool skips_{};
};

}  // namespace

struct StdioServer::Running {
  CallQueue& queue;
  Api& api;
  int in, out;
  std::function<void()> ended;
  std::shared_ptr<Outbox> outbox{std::make_shared<Outbox>()};
  Lines lines{};
  std::thread thread{};

  void take(const std::string& line) {
    outbox->asked();
    respond(queue, api, line, [box = outbox](const std::optional<std::string>& answer) { box->answer(answer); });
  }

  void too_long() {
    outbox->asked();
    outbox->answer(response(nullptr, Refusal{Code::InvalidRequest, fmt::format("a line has at most {} bytes", maximum_message)}));
  }

  /// False at the end of what the client says.
  bool read_some() {
    std::array<char, 65536> bytes{};
    const ssize_t count = read(in, bytes.data(), bytes.size());
    if (count < 0) return errno == EINTR || errno == EAGAIN;
    const auto line = [this](const std::string& text) { take(text); };
    if (count == 0) lines.finish(line);
    else lines.feed({bytes.data(), static_cast<size_t>(count)}, line, [this] { too_long(); });
    return count != 0;
  }

  /// False when nobody reads any more.
  bool write_some() {
    const std::string bytes = outbox->front();
    const ssize_t count = write(out, bytes.data(), bytes.size());
    if (count < 0) return errno == EINTR || errno == EAGAIN;
    outbox->written(static_cast<size_t>(count));
    return true;
  }

  void listen() {
    queue.post([box = outbox](Api& session) {
      session.listen([box](std::string_view name, const Json& parameters) { box->notify(notification(name, parameters)); });
    });
  }

  void run() {
    // A client that went away is no reason to end the program.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    listen();
    bool reads = true;
    for (;;) {
      const Outbox::State state = outbox->state();
      if (state.stopped || (!reads && state.idle)) break;
      // A descriptor below zero is passed over.
      std::array<pollfd, 3> waits{{{reads && state.may_read ? in : -1, POLLIN, 0},
                                   {out, static_cast<short>(state.to_write ? POLLOUT : 0), 0},
                                   {outbox->wake_descriptor(), POLLIN, 0}}};
      if (poll(waits.data(), waits.size(), -1) < 0 && errno != EINTR) break;
      if ((waits[2].revents & POLLIN) != 0) outbox->woken();
      if ((waits[1].revents & POLLERR) != 0) break;
      if ((waits[1].revents & POLLOUT) != 0 && !write_some()) break;
      if ((waits[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !read_some()) reads = false;
    }
    outbox->stop();
    ended();
  }
};

StdioServer::StdioServer(CallQueue& queue, Api& api, int in, int out, std::function<void()> ended)
    : running_{new Running{queue, api, in, out, std::move(ended)}} {
  running_->thread = std::thread{[running = running_.get()] { running->run(); }};
}

StdioServer::~StdioServer() {
  running_->outbox->stop();
  running_->thread.join();
}

}  // namespace rpc
