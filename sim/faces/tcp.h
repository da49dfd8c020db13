#pragma once
// TCP on this machine's loopback for faces that speak a protocol over a socket; nothing else is ever listened to.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "sim/support/result.h"

namespace faces {

/// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_{number} {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : number_{other.release()} {}
  Descriptor& operator=(Descriptor&& other) noexcept;

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] explicit operator bool() const { return number_ >= 0; }
  int release();
  void close();

 private:
  int number_{-1};
};

/// Listens at 127.0.0.1.
class Listener {
 public:
  /// Port 0 takes a free one. Refuses with a sentence that names the port.
  [[nodiscard]] static support::Result<Listener> open(uint16_t port);
  [[nodiscard]] int number() const { return socket_.number(); }
  [[nodiscard]] uint16_t port() const { return port_; }
  /// The next client that waits, not blocking and without delay; none if there is none.
  [[nodiscard]] Descriptor accept() const;

 private:
  Listener(Descriptor socket, uint16_t port) : socket_{std::move(socket)}, port_{port} {}

  Descriptor socket_;
  uint16_t port_;
};

/// Ends another thread's poll().
class Wake {
 public:
  Wake();  ///< CHECKs that the host has descriptors left
  [[nodiscard]] int number() const { return event_.number(); }
  void signal() const;  ///< from any thread
  void clear() const;

 private:
  Descriptor event_;
};

/// How reading or writing went.
enum class Transfer : uint8_t { Done, Later, Over };

/// Appends what there is to read, at most 64 KiB. Over: the other side is gone, or said that it sends no more.
[[nodiscard]] Transfer read_some(int socket, std::string& bytes);

/// Bytes on their way to somebody who takes them at his own speed.
class Outbox {
 public:
  void add(std::string_view bytes) { bytes_ += bytes; }
  [[nodiscard]] size_t size() const { return bytes_.size() - sent_; }
  /// Later: the other side does not take more now.
  [[nodiscard]] Transfer send(int socket);

 private:
  std::string bytes_;
  size_t sent_{};
};

}  // namespace faces
