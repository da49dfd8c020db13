#include "sim/rpc/http_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

namespace rpc {
namespace {

constexpr std::string_view own_names[] = {"127.0.0.1", "localhost", "[::1]"};

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

/// "application/json", with parameters or without.
bool is_json(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return equal_without_case(type, "application/json");
}

/// The value of `name` in the query of a target; nothing if it is not there.
std::optional<std::string_view> value_of_query(std::string_view target, std::string_view name) {
  size_t from = target.find('?');
  while (from != std::string_view::npos) {
    const size_t end = target.find('&', from + 1);
    const std::string_view part = target.substr(from + 1, end == std::string_view::npos ? end : end - from - 1);
    if (part.starts_with(name) && part.substr(name.size()).starts_with('=')) return part.substr(name.size() + 1);
    from = end;
  }
  return std::nullopt;
}

/// Parameter `run`: a number, without sign or leading zeros, below `runs`.
std::optional<size_t> run_of_query(std::string_view target, size_t runs) {
  const std::string_view text = value_of_query(target, "run").value_or("0");
  for (size_t run = 0; run < runs; ++run)
    if (text == fmt::to_string(run)) return run;
  return std::nullopt;
}

constexpr HttpVerdict no_such_run{404, "there is no such run"};

}  // namespace

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  // The length is no secret.
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference = static_cast<unsigned char>(difference | (a[i] ^ b[i]));
  return difference == 0;
}

bool HttpGate::is_own_host(std::string_view host) const {
  return std::any_of(std::begin(own_names), std::end(own_names), [&](std::string_view name) {
    return equal_without_case(host, fmt::format("{}:{}", name, port_));
  });
}

bool HttpGate::knows_token(const HttpHead& head) const {
  constexpr std::string_view bearer = "Bearer ";
  if (head.authorization.size() > bearer.size() && equal_without_case(head.authorization.substr(0, bearer.size()), bearer))
    return equal_in_constant_time(head.authorization.substr(bearer.size()), token_);
  return head.upgrades && equal_in_constant_time(value_of_query(head.target, "t").value_or(""), token_);
}

HttpVerdict HttpGate::judge(const HttpHead& head) const {
  constexpr std::string_view scheme = "http://";
  if (!is_own_host(head.host)) return {421, "this server is known by a loopback address and its port only"};
  const bool foreign = !head.origin.empty() && !(head.origin.starts_with(scheme) && is_own_host(head.origin.substr(scheme.size())));
  if (foreign) return {403, "pages of other origins may not use this server"};
  const std::string_view path = head.target.substr(0, head.target.find('?'));
  if (path == "/rpc") {
    if (!knows_token(head)) return {403, "the token is missing or wrong"};
    if (head.method != "POST") return {405, "requests are posted here"};
    if (!is_json(head.content_type)) return {415, "a request is application/json"};
    const auto run = run_of_query(head.target, runs_);
    return run ? HttpVerdict{200, "", HttpWay::Rpc, *run} : no_such_run;
  }
  if (path == "/ws") {
    if (!knows_token(head)) return {403, "the token is missing or wrong"};
    if (!head.upgrades || head.method != "GET") return {426, "this is for WebSockets"};
    const auto run = run_of_query(head.target, runs_);
    return run ? HttpVerdict{200, "", HttpWay::WebSocket, *run} : no_such_run;
  }
  if (head.method != "GET" && head.method != "HEAD") return {405, "this can only be read"};
  return {200, "", HttpWay::Asset};
}

}  // namespace rpc
