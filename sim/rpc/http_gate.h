#pragma once
// Who may talk to the server: any page of any web site can send requests to loopback addresses, so that being there proves
// nothing (DNS rebinding, WebSockets without CORS).
#include <cstdint>
#include <string>
#include <string_view>

namespace rpc {

/// The parts of a request that decide. Absent headers are empty.
struct HttpHead {
  std::string_view method, target, host, origin, authorization, content_type;
  bool upgrades{};  ///< asks for a WebSocket
};

enum class HttpWay : uint8_t { Rpc, WebSocket, Asset };

/// What becomes of it: `status` 200 goes the `way`, everything else is refused with `reason`.
struct HttpVerdict {
  unsigned status{};
  std::string_view reason;
  HttpWay way{};
  size_t run{};  ///< which of the server's runs, for Rpc and WebSocket
};

class HttpGate {
 public:
  /// `runs`: how many of them the server has.
  HttpGate(uint16_t port, std::string token, size_t runs = 1) : port_{port}, token_{std::move(token)}, runs_{runs} {}

  /// In this order: 421 for a Host that is not this server's on loopback; 403 for an Origin that is not; then by target:
  ///   POST /rpc           403 without the token (Authorization: Bearer), 405, 415 if the body is not said to be JSON
  ///   GET /ws?t=TOKEN     403 without the token (or Authorization), 426 without an upgrade
  ///   either with &run=N  404 if there is no such run, once the token is known; 0 without it
  ///   GET anything else   an asset, which needs no token
  [[nodiscard]] HttpVerdict judge(const HttpHead& head) const;
  [[nodiscard]] const std::string& token() const { return token_; }
  [[nodiscard]] uint16_t port() const { return port_; }

 private:
  [[nodiscard]] bool is_own_host(std::string_view host) const;
  [[nodiscard]] bool knows_token(const HttpHead& head) const;

  uint16_t port_;
  std::string token_;
  size_t runs_;
};

/// 32 hexadecimal digits from the system's random source, anew for each server: 128 bits that nobody can guess. Empty if the
/// system has none to give.
[[nodiscard]] std::string make_token();
/// In a time that tells nothing about where they differ.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace rpc
