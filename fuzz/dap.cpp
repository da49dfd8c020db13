// Whatever arrives at the Debug Adapter Protocol: frames, messages and requests, over an interface that answers whatever its
// table permits. Everything that is sent must be a message, and every request gets one response.
#include <cstdlib>
#include <string>

#include "sim/faces/dap/messages.h"
#include "sim/faces/dap/session.h"
#include "sim/rpc/schema.h"
#include "sim/rpc/types.h"

namespace {

using faces::Json;

/// Answers with values of the table's types, or refuses; which, the input decides.
class AnyApi final : public rpc::Api {
 public:
  explicit AnyApi(uint64_t seed) : state_{seed | 1} {}

  rpc::Answer call(std::string_view name, const Json& parameters) override {
    const rpc::Method* method = rpc::find_method(name);
    if (method == nullptr) std::abort();
    if (rpc::mismatch(parameters, method->parameters)) return rpc::Refusal{rpc::Code::InvalidParameters, "not as the table says"};
    if (next() % 8 == 0) return rpc::Refusal{rpc::Code::Refused, "not now"};
    Json result = object(method->results, 0);
    // What says that a log point was met would go on for ever.
    if (Json* stop = result.contains("stop") ? &result["stop"] : nullptr; stop != nullptr && ++motions_ % 4 == 0) (*stop)["breakpoints"] = Json::array();
    return result;
  }
  void interrupt() override {}
  size_t listen(Listener listener) override {
    listener_ = std::move(listener);
    return 1;
  }
  void forget(size_t) override { listener_ = {}; }
  void moved() {
    if (listener_) listener_("moved", object(rpc::find_record("Stop")->fields, 0));
  }

 private:
  uint64_t next() {  // xorshift64
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    return state_ ^= state_ << 17;
  }
  Json object(std::span<const rpc::Field> fields, int depth) {
    Json result = Json::object();
    for (const rpc::Field& field : fields) {
      const rpc::Type type = rpc::parse_type(field.type);
      if (type.optional && next() % 2 == 0) continue;
      if (!type.list) {
        result[std::string{field.name}] = value(type.element, depth);
        continue;
      }
      Json list = Json::array();
      for (uint64_t count = depth > 2 ? 0 : next() % 3; count > 0; --count) list.push_back(value(type.element, depth));
      result[std::string{field.name}] = list;
    }
    return result;
  }
  Json value(std::string_view type, int depth) {
    if (type == "boolean") return next() % 2 == 0;
    if (type == "integer" || type == "signed") return next() % 5;
    if (type == "hex") return faces::hex(next() >> (next() % 64));
    if (type == "bytes") return std::string(2 * (next() % 9), '4');
    if (type == "text") return std::string{next() % 3 == 0 ? "" : "a\xff{\"b"};
    if (const rpc::Record* record = rpc::find_record(type)) return object(record->fields, depth + 1);
    return std::string{type.substr(0, type.find('|'))};
  }

  uint64_t state_, motions_{};
  Listener listener_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  AnyApi api{data[0] * uint64_t{0x9e3779b97f4a7c15}};
  uint64_t responses = 0, requests = 0;
  faces::dap::Session session{api, {}, [&](const Json& message) {
    if (!faces::dap::parse_message(message.dump(-1, ' ', false, Json::error_handler_t::replace))) std::abort();
    if (faces::text_of(message, "type") == "response") ++responses;
  }};
  faces::dap::MessageReader reader;
  // In pieces, so that every cut of a frame is tried.
  const size_t piece = 1 + data[1];
  for (size_t at = 2; at < size; at += piece) {
    reader.add({reinterpret_cast<const char*>(data) + at, std::min(piece, size - at)});
    while (true) {
      const auto next = reader.next();
      if (!next || !next.value()) break;
      const auto message = faces::dap::parse_message(*next.value());
      if (!message) continue;
      if (faces::text_of(message.value(), "type") == "request" && faces::number_of(message.value(), "seq")) ++requests;
      session.handle(message.value());
      if (requests % 3 == 0) api.moved();
    }
  }
  if (responses != requests) std::abort();
  return 0;
}
