#pragma once
// `airlock debug --dap`: the Debug Adapter Protocol over standard input and output, or on this machine's loopback.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "sim/faces/dap/session.h"
#include "sim/rpc/call_queue.h"
#include "sim/support/result.h"

namespace faces::dap {

struct ServerOptions {
  SessionOptions session;       ///< its functions are called on the session's thread
  std::function<void()> ended;  ///< over descriptors: the client is gone. Called on the server's thread, once
};

/// Has a thread, which only reads and writes; requests are answered on the session's thread, through the queue. `pause` goes
/// past the queue. A client that does not read its answers is not read from either.
class Server {
 public:
  /// Serves the one client behind two descriptors, which stay the caller's. `queue` must outlive this.
  [[nodiscard]] static std::unique_ptr<Server> over(rpc::CallQueue& queue, int in, int out, ServerOptions options);
  /// Serves clients one after the other; a second one at a time is told so and sent away. Port 0 takes a free one. Errors: the
  /// port is taken.
  [[nodiscard]] static support::Result<std::unique_ptr<Server>> listen(rpc::CallQueue& queue, uint16_t port, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// 0 over descriptors.
  [[nodiscard]] uint16_t port() const;

 private:
  struct Running;
  explicit Server(std::unique_ptr<Running> running);

  std::unique_ptr<Running> running_;
};

}  // namespace faces::dap
