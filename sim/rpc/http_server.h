#pragma once
// The interface over HTTP and WebSockets, on loopback: POST /rpc, GET /ws, and files for a browser.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/rpc/call_queue.h"
#include "sim/rpc/http_assets.h"
#include "sim/rpc/http_gate.h"

namespace rpc {

/// What clients may use of the server. All are generous for one person's browser and scripts.
struct HttpLimits {
  size_t header{size_t{16} << 10}, message{size_t{1} << 20};  ///< bytes of a request
  size_t clients{32};                      ///< connections at once
  size_t unanswered{128};                  ///< requests of one WebSocket; more are read when some were answered
  size_t unread{size_t{16} << 20};         ///< bytes that one WebSocket did not take yet; then it is dropped
  /// Requests a second of all clients, and how many of them at once. A page asks some 15 views a step and walks 30 steps a
  /// second; two of them, each with two runs that are compared, are 1800.
  double rate{5000}, burst{10000};
  uint32_t request_seconds{10};            ///< for a request to arrive whole
  uint32_t idle_seconds{60};               ///< without a request, or without a sign of life of a WebSocket
  uint32_t answer_seconds{30};             ///< for an answer to be taken
};

struct HttpOptions {
  uint16_t port{};  ///< 0: any that is free
  HttpLimits limits{};
  HttpAssets assets{};
};

/// A session that is served: calls are made through `api` in the turns of `queue`. Both must outlive the server.
struct HttpRun {
  CallQueue& queue;
  Api& api;
};

/// Serves on a thread of its own until it is destroyed. Nothing that a client does or omits to do holds up another one or
/// the session.
class HttpServer {
 public:
  /// `runs`: at least one; the others are those of /ws?run=1 and so on. Errors: the port is taken; the system gives no random
  /// numbers.
  [[nodiscard]] static support::Result<std::unique_ptr<HttpServer>> start(const std::vector<HttpRun>& runs, const HttpOptions& options);
  ~HttpServer();

  [[nodiscard]] uint16_t port() const;
  [[nodiscard]] const std::string& token() const;
  /// For a browser. The token stands behind the #, where it is sent to nobody.
  [[nodiscard]] std::string url() const;

 private:
  class Running;
  explicit HttpServer(std::shared_ptr<Running> running);
  std::shared_ptr<Running> running_;
};

/// The answer to the bytes of one connection without a connection, as far as they are requests: what the server's parser and
/// gate make of them. For tests and fuzzing.
[[nodiscard]] std::string answer_bytes(Api& api, const HttpGate& gate, const HttpLimits& limits, std::string_view bytes,
                                       const HttpAssets& assets = {});

}  // namespace rpc
