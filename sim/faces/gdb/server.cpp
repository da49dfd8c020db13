#include "sim/faces/gdb/server.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <thread>
#include <vector>

#include "sim/faces/gdb/connection.h"

namespace faces::gdb {
namespace {

/// Clients that wait for their refusal; one more sends the eldest away without.
constexpr size_t most_refused = 4;

/// A second client. It hears why as the answer to its first packet: gdb shows that as a warning.
class Refused {
 public:
  explicit Refused(Descriptor socket) : socket_{std::move(socket)} {}

  [[nodiscard]] int socket() const { return socket_.number(); }
  /// False: it was told, or is gone.
  [[nodiscard]] bool serve() {
    std::string bytes;
    if (read_some(socket_.number(), bytes) == Transfer::Over) return false;
    reader_.add(bytes);
    while (const auto arrival = reader_.next()) {
      if (arrival->kind != Arrival::Kind::Packet) continue;
      Outbox outbox;
      outbox.add("+" + frame("E.another debugger is connected to this port, which serves one at a time"));
      (void)outbox.send(socket_.number());
      return false;
    }
    return true;
  }

 private:
  Descriptor socket_;
  PacketReader reader_;
};

}  // namespace

struct Server::Running {
  Running(rpc::CallQueue& calls, const ServerOptions& how, Listener where)
      : queue{calls}, options{how.vtl_is_process}, listener{std::move(where)} {}

  rpc::CallQueue& queue;
  StubOptions options;
  Listener listener;
  std::shared_ptr<const Wake> wake{std::make_shared<Wake>()};
  std::atomic<bool> stopped{};
  std::unique_ptr<Connection> client{};
  std::deque<Refused> refused{};
  std::thread thread{};

  void accept() {
    while (Descriptor socket = listener.accept()) {
      if (!client) {
        client = std::make_unique<Connection>(queue, options, std::move(socket), wake);
        continue;
      }
      if (refused.size() == most_refused) refused.pop_front();
      refused.emplace_back(std::move(socket));
    }
  }

  void serve(const std::vector<pollfd>& waits) {
    // The same order as in descriptors(); accept() comes last, because it adds to both lists.
    size_t next = 2;
    if (client && !client->serve(waits[next++].revents)) client.reset();
    std::erase_if(refused, [&](Refused& one) { return waits[next++].revents != 0 && !one.serve(); });
    if (waits[1].revents != 0) accept();
  }

  [[nodiscard]] std::vector<pollfd> descriptors() const {
    std::vector<pollfd> waits{{wake->number(), POLLIN, 0}, {listener.number(), POLLIN, 0}};
    if (client) waits.push_back({client->socket(), client->wanted(), 0});
    for (const Refused& one : refused) waits.push_back({one.socket(), POLLIN, 0});
    return waits;
  }

  void run() {
    while (!stopped) {
      std::vector<pollfd> waits = descriptors();
      if (poll(waits.data(), waits.size(), -1) < 0) continue;  // a signal
      if (waits[0].revents != 0) wake->clear();
      serve(waits);
    }
    client.reset();
  }
};

support::Result<std::unique_ptr<Server>> Server::start(rpc::CallQueue& queue, const ServerOptions& options) {
  Listener listener = TRY(Listener::open(options.port));
  auto running = std::make_unique<Running>(queue, options, std::move(listener));
  running->thread = std::thread{[server = running.get()] { server->run(); }};
  return std::unique_ptr<Server>{new Server{std::move(running)}};
}

Server::Server(std::unique_ptr<Running> running) : running_{std::move(running)} {}

Server::~Server() {
  running_->stopped = true;
  running_->wake->signal();
  running_->thread.join();
}

uint16_t Server::port() const { return running_->listener.port(); }

}  // namespace faces::gdb
