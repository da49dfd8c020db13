#pragma once
// The interface over HTTP and WebSockets, on loopback: POST /rpc, GET /ws, and files for a browser.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sim/rpc/call_queue.h"
#include "sim/rpc/http_gate.h"

namespace rpc {

/// What clients may use of the server. All are generous for one person's browser and scripts.
struct HttpLimits {
  size_t header{size_t{16} << 10}, message{size_t{1} << 20};  ///< bytes of a request
  size_t clients{32};                      ///< connections at once
  size_t unanswered{32};                   ///< requests of one WebSocket; more are read when some were answered
  size_t unread{size_t{16} << 20};         ///< bytes that one WebSocket did not take yet; then it is dropped
  double rate{1000}, burst{2000};          ///< requests a second of all clients, and how many of them at once
  uint32_t request_seconds{10};            ///< for a request to arrive whole
  uint32_t idle_seconds{60};               ///< without a request, or without a sign of life of a WebSocket
  uint32_t answer_seconds{30};             ///< for an answer to be taken
};

/// A file for browsers.
struct HttpAsset {
  std::string content_type, body;
};
/// By the path of a request; nothing: 404.
using HttpAssets = std::function<std::optional<HttpAsset>(std::string_view path)>;

struct HttpOptions {
  uint16_t port{};  ///< 0: any that is free
  HttpLimits limits{};
  HttpAssets assets{};
};

/// Serves on a thread of its own until it is destroyed. Nothing that a client does or omits to do holds up another one or
/// the session.
class HttpServer {
 public:
  /// `queue` and `api`, through which calls are made in their turn, must outlive this. Errors: the port is taken; the system
  /// gives no random numbers.
  [[nodiscard]] static support::Result<std::unique_ptr<HttpServer>> start(CallQueue& queue, Api& api, const HttpOptions& options);
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
[[nodiscard]] std::string answer_bytes(Api& api, const HttpGate& gate, const HttpLimits& limits, std::string_view bytes);

}  // namespace rpc
