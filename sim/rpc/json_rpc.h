#pragma once
// JSON-RPC 2.0 as the servers speak it: one request a message, by name, no batches.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "sim/rpc/call_queue.h"

namespace rpc {

/// Limits of what a client may send.
inline constexpr size_t maximum_message = size_t{1} << 20;  ///< bytes
inline constexpr size_t maximum_depth = 16, maximum_members = 256;  ///< of a message's objects and lists

/// A request that was understood. `id` is null in a notification, which gets no answer.
struct Request {
  Json id;
  std::string method;
  Json parameters;
  bool notification{};
};

/// Why it is none, and the id of the request if one could be read (else null).
struct Malformed {
  Json id;
  Refusal refusal;
};

/// Within those limits.
[[nodiscard]] support::Result<Json, Malformed> parse_json(std::string_view text);
[[nodiscard]] support::Result<Request, Malformed> parse_request(std::string_view text);

/// An answer as text, without a line break; guests' texts that are not UTF-8 are made so.
[[nodiscard]] std::string response(const Json& id, const Answer& answer);
[[nodiscard]] std::string notification(std::string_view method, const Json& parameters);

/// All of it: what to answer to `text`; nothing for a notification.
[[nodiscard]] std::optional<std::string> respond(Api& api, std::string_view text);
/// The same by way of a queue. `api` is only used in its turn. `reply` is called once, on the session's thread, or at once
/// where nothing needs to be executed; with nothing for a notification.
using Reply = std::function<void(std::optional<std::string>)>;
void respond(CallQueue& queue, Api& api, std::string_view text, Reply reply);

}  // namespace rpc
