#include "sim/faces/tcp.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "sim/support/check.h"

namespace faces {

using support::Error;
using support::Result;

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this == &other) return *this;
  close();
  number_ = other.release();
  return *this;
}

int Descriptor::release() { return std::exchange(number_, -1); }

void Descriptor::close() {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

namespace {

Error cannot_listen(uint16_t port) {
  return {fmt::format("cannot listen at 127.0.0.1:{}: {}", port, std::strerror(errno))};
}

}  // namespace

Result<Listener> Listener::open(uint16_t port) {
  Descriptor socket{::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  constexpr int queued = 8;
  if (!socket || ::setsockopt(socket.number(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::bind(socket.number(), generic, length) != 0 || ::listen(socket.number(), queued) != 0 ||
      ::getsockname(socket.number(), generic, &length) != 0)
    return cannot_listen(port);
  return Listener{std::move(socket), ntohs(address.sin_port)};
}

Descriptor Listener::accept() const {
  Descriptor client{::accept4(socket_.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
  const int on = 1;
  if (client) (void)::setsockopt(client.number(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return client;
}

Wake::Wake() : event_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)} {
  CHECK_MSG(static_cast<bool>(event_), "no event descriptor");
}

void Wake::signal() const { (void)!::eventfd_write(event_.number(), 1); }

void Wake::clear() const {
  eventfd_t count = 0;
  (void)!::eventfd_read(event_.number(), &count);
}

namespace {

Transfer failed() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Transfer::Later : Transfer::Over;
}

}  // namespace

Transfer read_some(int socket, std::string& bytes) {
  char piece[65536];
  const ssize_t count = ::recv(socket, piece, sizeof piece, 0);
  if (count < 0) return failed();
  if (count == 0) return Transfer::Over;
  bytes.append(piece, static_cast<size_t>(count));
  return Transfer::Done;
}

Transfer Outbox::send(int socket) {
  while (sent_ < bytes_.size()) {
    const ssize_t count = ::send(socket, bytes_.data() + sent_, bytes_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0) return failed();
    sent_ += static_cast<size_t>(count);
  }
  bytes_.clear();
  sent_ = 0;
  return Transfer::Done;
}

}  // namespace faces
