#include "sim/faces/dap/server.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <optional>
#include <thread>

#include "sim/faces/dap/messages.h"
#include "sim/faces/tcp.h"

namespace faces::dap {
namespace {

/// While so much waits to be read by the client, or so many of its requests are not answered, no more is read; beyond the
/// second number of bytes what the guest prints is dropped.
constexpr size_t maximum_unread = size_t{8} << 20, maximum_printed = size_t{16} << 20, maximum_unanswered = 64;
/// What a pipe that is ready to be written to takes without blocking (PIPE_BUF).
constexpr size_t piece = 4096;

/// What the server's thread and the session's share. Answers may come when the client is gone.
class Mailbox {
 public:
  explicit Mailbox(std::shared_ptr<const Wake> wake) : wake_{std::move(wake)} {}

  void send(const Json& message) {
    const std::lock_guard lock{mutex_};
    const bool printed = text_of(message, "event") == "output";
    if (closed_ || (printed && text_.size() - begin_ > maximum_printed)) return;
    text_ += frame(message);
    wake_->signal();
  }
  void asked() {
    const std::lock_guard lock{mutex_};
    ++unanswered_;
  }
  /// `last`: the client took its leave.
  void answered(bool last) {
    const std::lock_guard lock{mutex_};
    --unanswered_;
    last_ = last_ || last;
    wake_->signal();
  }
  void close() {
    const std::lock_guard lock{mutex_};
    closed_ = true;
  }

  struct State {
    bool may_read{}, to_write{}, waits{}, idle{}, left{};
  };
  State state() {
    const std::lock_guard lock{mutex_};
    const size_t unread = text_.size() - begin_;
    return {unread < maximum_unread && unanswered_ < maximum_unanswered && !last_, unread != 0, unanswered_ != 0,
            unread == 0 && unanswered_ == 0, last_};
  }
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

 private:
  std::mutex mutex_;
  std::shared_ptr<const Wake> wake_;
  std::string text_;
  size_t begin_{};  ///< of what was not written yet
  size_t unanswered_{};
  bool last_{}, closed_{};
};

/// One client.
class Connection {
 public:
  Connection(rpc::CallQueue& queue, const SessionOptions& options, int in, int out, std::shared_ptr<const Wake> wake)
      : queue_{queue}, in_{in}, out_{out}, mailbox_{std::make_shared<Mailbox>(std::move(wake))}, there_{std::make_shared<There>()} {
    (void)queue_.post([there = there_, box = mailbox_, options](rpc::Api& api) {
      there->session.emplace(api, options, [box](const Json& message) { box->send(message); });
    });
  }
  ~Connection() {
    mailbox_->close();
    if (mailbox_->state().waits) queue_.interrupt();  // what it asked for last helps nobody any more
    (void)queue_.post([there = there_](rpc::Api&) {
      if (there->session && !there->session->ended()) there->session->handle({{"seq", 0}, {"type", "request"}, {"command", "disconnect"}});
      there->session.reset();
    });
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// What poll() has to wait for.
  [[nodiscard]] std::array<pollfd, 2> waits() {
    const Mailbox::State state = mailbox_->state();
    return {{{reads_ && state.may_read ? in_ : -1, POLLIN, 0}, {out_, static_cast<short>(state.to_write ? POLLOUT : 0), 0}}};
  }
  /// False: the client is gone, or took its leave and has all answers.
  [[nodiscard]] bool serve(short in_events, short out_events) {
    if ((out_events & POLLERR) != 0) return false;
    if ((out_events & POLLOUT) != 0 && !write_some()) return false;
    if ((in_events & (POLLIN | POLLHUP | POLLERR)) != 0 && !read_some()) reads_ = false;
    const Mailbox::State state = mailbox_->state();
    return !(state.idle && (state.left || !reads_));
  }

 private:
  struct There {
    std::optional<Session> session;
  };

  bool read_some() {
    std::array<char, 65536> bytes{};
    const ssize_t count = read(in_, bytes.data(), bytes.size());
    if (count < 0) return errno == EINTR || errno == EAGAIN;
    if (count == 0) return false;
    reader_.add({bytes.data(), static_cast<size_t>(count)});
    while (true) {
      auto message = reader_.next();
      if (!message) {
        complain(message.error().message + "; nothing more is read");
        return false;
      }
      if (!message.value()) return true;
      take(*message.value());
    }
  }

  void take(const std::string& text) {
    auto message = parse_message(text);
    if (!message) return complain(message.error().message);
    if (text_of(message.value(), "command") == "pause") queue_.interrupt();
    mailbox_->asked();
    const auto request = std::make_shared<Json>(std::move(message.value()));
    const bool posted = queue_.post([there = there_, box = mailbox_, request](rpc::Api&) {
      there->session->handle(*request);
      box->answered(there->session->ended());
    });
    if (!posted) mailbox_->answered(true);
  }

  void complain(const std::string& why) {
    mailbox_->asked();  // the client stays until it was told
    const bool posted = queue_.post([there = there_, box = mailbox_, why](rpc::Api&) {
      there->session->complain(why);
      box->answered(false);
    });
    if (!posted) mailbox_->answered(true);
  }

  /// False when nobody reads any more.
  bool write_some() {
    const std::string bytes = mailbox_->front();
    const ssize_t count = write(out_, bytes.data(), bytes.size());
    if (count < 0) return errno == EINTR || errno == EAGAIN;
    mailbox_->written(static_cast<size_t>(count));
    return true;
  }

  rpc::CallQueue& queue_;
  int in_, out_;
  std::shared_ptr<Mailbox> mailbox_;
  std::shared_ptr<There> there_;
  MessageReader reader_;
  bool reads_{true};
};

/// A client too many hears why, as text in its console.
void send_away(const Descriptor& socket) {
  const std::string text = frame({{"seq", 1},
                                  {"type", "event"},
                                  {"event", "output"},
                                  {"body", {{"category", "stderr"}, {"output", "airlock: another client is connected to this port, which serves one at a time\n"}}}});
  (void)!send(socket.number(), text.data(), text.size(), MSG_NOSIGNAL);
}

}  // namespace

struct Server::Running {
  Running(rpc::CallQueue& calls, ServerOptions how) : queue{calls}, options{std::move(how)} {}

  rpc::CallQueue& queue;
  ServerOptions options;
  std::optional<Listener> listener{};
  std::shared_ptr<const Wake> wake{std::make_shared<Wake>()};
  std::atomic<bool> stopped{};
  Descriptor socket{};
  std::optional<Connection> client{};
  std::thread thread{};

  void accept() {
    while (Descriptor arrived = listener->accept()) {
      if (client) {
        send_away(arrived);
        continue;
      }
      socket = std::move(arrived);
      client.emplace(queue, options.session, socket.number(), socket.number(), wake);
    }
  }

  void run() {
    // A client that went away is no reason to end the program.
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    while (!stopped && (client || listener)) {
      std::array<pollfd, 4> waits{{{wake->number(), POLLIN, 0}, {listener ? listener->number() : -1, POLLIN, 0}, {-1, 0, 0}, {-1, 0, 0}}};
      if (client) std::ranges::copy(client->waits(), waits.begin() + 2);
      if (poll(waits.data(), waits.size(), -1) < 0) continue;  // a signal
      if (waits[0].revents != 0) wake->clear();
      if (client && !client->serve(waits[2].revents, waits[3].revents)) {
        client.reset();
        socket.close();
      }
      if (waits[1].revents != 0) accept();
    }
    client.reset();
    if (!listener && options.ended) options.ended();
  }
};

std::unique_ptr<Server> Server::over(rpc::CallQueue& queue, int in, int out, ServerOptions options) {
  auto running = std::make_unique<Running>(queue, std::move(options));
  running->client.emplace(queue, running->options.session, in, out, running->wake);
  running->thread = std::thread{[server = running.get()] { server->run(); }};
  return std::unique_ptr<Server>{new Server{std::move(running)}};
}

support::Result<std::unique_ptr<Server>> Server::listen(rpc::CallQueue& queue, uint16_t port, ServerOptions options) {
  auto running = std::make_unique<Running>(queue, std::move(options));
  running->listener = TRY(Listener::open(port));
  running->thread = std::thread{[server = running.get()] { server->run(); }};
  return std::unique_ptr<Server>{new Server{std::move(running)}};
}

Server::Server(std::unique_ptr<Running> running) : running_{std::move(running)} {}

Server::~Server() {
  running_->stopped = true;
  running_->wake->signal();
  running_->thread.join();
}

uint16_t Server::port() const { return running_->listener ? running_->listener->port() : 0; }

}  // namespace faces::dap
