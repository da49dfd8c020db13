#pragma once
// One client of the gdb server: its socket, its packets, and the packet that the session is working on.
#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "sim/faces/gdb/packet.h"
#include "sim/faces/gdb/stub.h"
#include "sim/faces/tcp.h"
#include "sim/rpc/call_queue.h"

namespace faces::gdb {

/// Belongs to the server's thread, which alone calls what is public here. Packets are handed to the session one after
/// the other; a client that does not take its answers is not read from, and dropped when there is too much to tell it.
class Connection {
 public:
  /// `queue` must outlive this. The session signals `wake` when it has something to send.
  Connection(rpc::CallQueue& queue, const StubOptions& options, Descriptor socket, std::shared_ptr<const Wake> wake);
  ~Connection();

  [[nodiscard]] int socket() const { return socket_.number(); }
  /// Events of poll() to wait for.
  [[nodiscard]] short wanted() const;
  /// Does what poll() found possible, and sends what the session produced. False: the connection is over.
  [[nodiscard]] bool serve(short events);

 private:
  struct Shared;  // with the session's thread

  [[nodiscard]] bool read();
  void take(Arrival arrival);
  void take_packet(std::string packet);
  void send(const Reply& reply);
  [[nodiscard]] bool collect();
  void hand_over();
  void interrupt();

  rpc::CallQueue& queue_;
  StubOptions options_;
  Descriptor socket_;
  std::shared_ptr<Shared> shared_;
  PacketReader reader_;
  std::deque<std::string> packets_;  ///< that wait for the session
  Outbox outbox_;
  std::string last_frame_;           ///< for a client that asks again
  bool spoke_{}, acks_{true};
  bool working_{};                   ///< the session has a packet of ours
  bool goodbye_{};                   ///< over once everything is sent
};

}  // namespace faces::gdb
