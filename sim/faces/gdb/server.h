#pragma once
// `airlock debug --gdb PORT`: gdb's remote protocol on this machine's loopback.
#include <cstdint>
#include <memory>

#include "sim/rpc/call_queue.h"
#include "sim/support/result.h"

namespace faces::gdb {

struct ServerOptions {
  uint16_t port{};        ///< 0: a free one
  bool vtl_is_process{};  ///< each VTL a process of its own for clients that can have several, instead of a thread
};

/// Serves one client at a time, one after the other, until it is destroyed. A second one is told so and sent away: two
/// debuggers that move one machine would both be wrong about where it stands.
///
/// It has a thread, which only reads and writes; what is asked is answered on the session's thread, through the queue.
class Server {
 public:
  /// `queue` must outlive this. Errors: the port is taken.
  [[nodiscard]] static support::Result<std::unique_ptr<Server>> start(rpc::CallQueue& queue,
                                                                      const ServerOptions& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] uint16_t port() const;

 private:
  struct Running;
  explicit Server(std::unique_ptr<Running> running);

  std::unique_ptr<Running> running_;
};

}  // namespace faces::gdb
