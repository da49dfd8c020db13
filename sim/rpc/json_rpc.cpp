#include "sim/rpc/json_rpc.h"

#include <fmt/format.h>

namespace rpc {
namespace {

/// Parses without exceptions, and without growing by more than the limits: what is beyond them is not kept.
struct Parser {
  size_t members{};
  bool too_deep{}, too_many{};

  bool keep(int depth, Json::parse_event_t event) {
    if (depth > static_cast<int>(maximum_depth)) too_deep = true;
    if (event == Json::parse_event_t::key || event == Json::parse_event_t::value) ++members;
    if (members > 2 * maximum_members) too_many = true;
    return !too_deep && !too_many;
  }
};

Malformed malformed(Code code, std::string message, Json id = nullptr) { return {std::move(id), {code, std::move(message)}}; }

bool is_id(const Json& value) { return value.is_number_integer() || value.is_string() || value.is_null(); }

Json error_of(const Refusal& refusal) { return {{"code", static_cast<int>(refusal.code)}, {"message", refusal.message}}; }

std::string written(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

support::Result<Json, Malformed> parse_json(std::string_view text) {
  if (text.size() > maximum_message)
    return malformed(Code::InvalidRequest, fmt::format("a message has at most {} bytes", maximum_message));
  Parser parser;
  Json json = Json::parse(
      text.begin(), text.end(), [&](int depth, Json::parse_event_t event, Json&) { return parser.keep(depth, event); }, false);
  if (parser.too_deep) return malformed(Code::InvalidRequest, fmt::format("nested deeper than {}", maximum_depth));
  if (parser.too_many) return malformed(Code::InvalidRequest, fmt::format("more than {} members", maximum_members));
  if (json.is_discarded()) return malformed(Code::ParseError, "this is not JSON");
  return json;
}

support::Result<Request, Malformed> parse_request(std::string_view text) {
  Json json = TRY(parse_json(text));
  if (json.is_array()) return malformed(Code::InvalidRequest, "batches are not supported: one request a message");
  if (!json.is_object()) return malformed(Code::InvalidRequest, "a request is an object");
  Request request;
  request.notification = !json.contains("id");
  if (!request.notification) {
    if (!is_id(json["id"])) return malformed(Code::InvalidRequest, "an id is an integer, a text or null");
    request.id = json["id"];
  }
  if (!json.contains("jsonrpc") || json["jsonrpc"] != "2.0")
    return malformed(Code::InvalidRequest, "\"jsonrpc\" is to be \"2.0\"", request.id);
  if (!json.contains("method") || !json["method"].is_string())
    return malformed(Code::InvalidRequest, "\"method\" is to be a text", request.id);
  request.method = json["method"].get<std::string>();
  for (const auto& [name, value] : json.items())
    if (name != "jsonrpc" && name != "id" && name != "method" && name != "params")
      return malformed(Code::InvalidRequest, "a request has \"jsonrpc\", \"id\", \"method\" and \"params\" only", request.id);
  if (json.contains("params")) request.parameters = std::move(json["params"]);
  return request;
}

std::string response(const Json& id, const Answer& answer) {
  Json json{{"jsonrpc", "2.0"}, {"id", id}};
  if (answer) json["result"] = answer.value();
  else json["error"] = error_of(answer.error());
  return written(json);
}

std::string notification(std::string_view method, const Json& parameters) {
  return written({{"jsonrpc", "2.0"}, {"method", method}, {"params", parameters}});
}

std::optional<std::string> respond(Api& api, std::string_view text) {
  const auto request = parse_request(text);
  if (!request) return response(request.error().id, request.error().refusal);
  const Answer answer = api.call(request.value().method, request.value().parameters);
  if (request.value().notification) return std::nullopt;
  return response(request.value().id, answer);
}

namespace {

/// Past the queue, and so past the dispatcher.
std::optional<std::string> interrupt(CallQueue& queue, const Request& request) {
  const bool none = request.parameters.is_null() || (request.parameters.is_object() && request.parameters.empty());
  if (none) queue.interrupt();
  if (request.notification) return std::nullopt;
  if (!none) return response(request.id, Refusal{Code::InvalidParameters, "interrupt: it has no parameters"});
  return response(request.id, Json::object());
}

}  // namespace

void respond(CallQueue& queue, Api& api, std::string_view text, Reply reply) {
  auto parsed = parse_request(text);
  if (!parsed) return reply(response(parsed.error().id, parsed.error().refusal));
  const auto request = std::make_shared<Request>(std::move(parsed.value()));
  if (request->method == "interrupt") return reply(interrupt(queue, *request));
  const bool posted = queue.post([request, reply, &api](Api&) {
    const Answer answer = api.call(request->method, request->parameters);
    reply(request->notification ? std::nullopt : std::optional{response(request->id, answer)});
  }, may_take_long(request->method));
  if (!posted) reply(request->notification ? std::nullopt : std::optional{response(request->id, Refusal{Code::Refused, "the session is over"})});
}

}  // namespace rpc
