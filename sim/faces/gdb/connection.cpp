#include "sim/faces/gdb/connection.h"

#include <poll.h>

#include <utility>
#include <vector>

namespace faces::gdb {
namespace {

/// A client that lets so much lie is not there any more.
constexpr size_t most_unread = 4 << 20;
/// While so much is unread or unanswered, nothing more is taken from the client.
constexpr size_t enough_unread = 1 << 16, enough_packets = 64;

/// What a debugger says first. A browser, which can be made to speak to this port, says the name of a method.
bool begins_as_debugger(char byte) { return byte == '+' || byte == '-' || byte == '$' || byte == 3; }

}  // namespace

struct Connection::Shared {
  explicit Shared(std::shared_ptr<const Wake> server) : wake{std::move(server)} {}

  std::unique_ptr<Stub> stub;  ///< on the session's thread only
  const std::shared_ptr<const Wake> wake;

  std::mutex mutex;             // for what follows
  std::vector<Reply> produced;  ///< to be sent
  size_t unread{};              ///< bytes of it
  bool answered{};              ///< the packet that the session had
  bool works{};                 ///< the session is at it
  bool gone{};                  ///< the client is

  void produce(Reply reply, bool answers) {
    const std::lock_guard lock{mutex};
    answered |= answers;
    unread += reply.data.size();
    if (unread > most_unread) gone = true;
    if (!gone) produced.push_back(std::move(reply));
    wake->signal();
  }
  /// False if nobody is left who wants to hear.
  bool begin() {
    const std::lock_guard lock{mutex};
    works = !gone;
    return works;
  }
  void end() {
    const std::lock_guard lock{mutex};
    works = false;
  }
};

Connection::Connection(rpc::CallQueue& queue, const StubOptions& options, Descriptor socket,
                       std::shared_ptr<const Wake> wake)
    : queue_{queue},
      options_{options},
      socket_{std::move(socket)},
      shared_{std::make_shared<Shared>(std::move(wake))} {}

/// Nobody waits any more for the motion that was asked for, and what the client set goes with it.
Connection::~Connection() {
  {
    const std::lock_guard lock{shared_->mutex};
    shared_->gone = true;
    if (shared_->works) queue_.interrupt();
  }
  queue_.post([shared = shared_](rpc::Api&) {
    if (shared->stub) shared->stub->leave();
    shared->stub.reset();
  });
}

short Connection::wanted() const {
  const bool reads = !goodbye_ && outbox_.size() < enough_unread && packets_.size() < enough_packets;
  return static_cast<short>((reads ? POLLIN : 0) | (outbox_.size() != 0 ? POLLOUT : 0));
}

bool Connection::serve(short events) {
  if ((events & (POLLERR | POLLNVAL)) != 0) return false;
  if ((events & (POLLIN | POLLHUP)) != 0 && !read()) return false;
  if (!collect()) return false;
  hand_over();
  if (outbox_.send(socket_.number()) == Transfer::Over) return false;
  return !goodbye_ || outbox_.size() != 0;
}

bool Connection::read() {
  std::string bytes;
  const Transfer transfer = read_some(socket_.number(), bytes);
  if (transfer == Transfer::Over) return false;
  if (!spoke_ && !bytes.empty() && !begins_as_debugger(bytes.front())) return false;
  spoke_ |= !bytes.empty();
  reader_.add(bytes);
  while (auto arrival = reader_.next()) take(std::move(*arrival));
  return true;
}

void Connection::take(Arrival arrival) {
  switch (arrival.kind) {
    case Arrival::Kind::Packet: take_packet(std::move(arrival.data)); break;
    case Arrival::Kind::Ack: break;
    case Arrival::Kind::Nak:
      if (acks_ && outbox_.size() < enough_unread) outbox_.add(last_frame_);
      break;
    case Arrival::Kind::Interrupt: interrupt(); break;
    case Arrival::Kind::Damaged:
      if (acks_) outbox_.add("-");
      else send({"E.the checksum is wrong"});
      break;
    case Arrival::Kind::TooLong:
      if (acks_) outbox_.add("+");
      send({"E.the packet is longer than PacketSize"});
      break;
  }
}

void Connection::take_packet(std::string packet) {
  if (acks_) outbox_.add("+");
  packets_.push_back(std::move(packet));
}

/// Between packets a debugger says so only while something runs.
void Connection::interrupt() {
  if (working_) queue_.interrupt();
}

/// Takes over what the session produced.
bool Connection::collect() {
  std::vector<Reply> produced;
  {
    const std::lock_guard lock{shared_->mutex};
    if (shared_->gone) return false;
    produced.swap(shared_->produced);
    shared_->unread = outbox_.size();
    if (std::exchange(shared_->answered, false)) working_ = false;
  }
  for (const Reply& reply : produced) send(reply);
  return true;
}

void Connection::send(const Reply& reply) {
  if (reply.answers) {
    last_frame_ = frame(reply.data);
    outbox_.add(last_frame_);
  }
  if (reply.no_acks) acks_ = false;
  goodbye_ |= reply.goodbye;
}

void Connection::hand_over() {
  if (working_ || goodbye_ || packets_.empty()) return;
  working_ = true;
  queue_.post([shared = shared_, options = options_, packet = std::move(packets_.front())](rpc::Api& api) {
    if (!shared->begin()) return;
    if (!shared->stub)
      shared->stub = std::make_unique<Stub>(
          api, options, [box = shared.get()](std::string_view data) { box->produce({std::string{data}}, false); });
    Reply reply = shared->stub->handle(packet);
    shared->end();
    shared->produce(std::move(reply), true);
  });
  packets_.pop_front();
}

}  // namespace faces::gdb
