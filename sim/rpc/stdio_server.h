#pragma once
// The interface over two file descriptors: one JSON-RPC object a line.
#include <memory>
#include <string>

#include "sim/rpc/call_queue.h"

namespace rpc {

/// Reads requests from `in` and writes answers and notifications to `out`, on a thread of its own, until `in` ends or `out`
/// breaks; then it calls `ended` on that thread. Lines that are too long are refused and skipped. A client that does not
/// read its answers is not read from either.
class StdioServer {
 public:
  /// `queue` and `api`, through which it calls in its turn, must outlive this.
  StdioServer(CallQueue& queue, Api& api, int in, int out, std::function<void()> ended);
  ~StdioServer();

 private:
  struct Running;
  std::unique_ptr<Running> running_;
};

}  // namespace rpc
