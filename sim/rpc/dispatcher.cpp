#include "sim/rpc/dispatcher.h"

#include <fmt/format.h>

#include <vector>

#include "sim/rpc/types.h"
#include "sim/support/check.h"

namespace rpc {
namespace {

Refusal unknown_method(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Method& method : methods()) names.push_back(method.name);
  const std::string_view meant = nearest(name, names);
  constexpr size_t longest_shown = 64;
  std::string text = fmt::format("there is no method {}", Json(name.substr(0, longest_shown)).dump(-1, ' ', true, Json::error_handler_t::replace));
  if (!meant.empty()) text += fmt::format("; did you mean \"{}\"?", meant);
  return {Code::MethodNotFound, std::move(text)};
}

}  // namespace

bool Parameters::flag(std::string_view name, bool otherwise) const {
  const Json* value = member(name);
  return value == nullptr ? otherwise : value->get<bool>();
}

std::string Parameters::text(std::string_view name) const {
  const Json* value = member(name);
  return value == nullptr ? std::string{} : value->get<std::string>();
}

std::optional<uint64_t> Parameters::integer(std::string_view name) const {
  const Json* value = member(name);
  return value == nullptr ? std::nullopt : std::optional{value->get<uint64_t>()};
}

uint64_t Parameters::integer(std::string_view name, uint64_t otherwise) const { return integer(name).value_or(otherwise); }

std::optional<uint64_t> Parameters::hex(std::string_view name) const {
  const Json* value = member(name);
  return value == nullptr ? std::nullopt : hex_number(value->get_ref<const std::string&>());
}

std::vector<uint8_t> Parameters::bytes(std::string_view name) const {
  const Json* value = member(name);
  if (value == nullptr) return {};
  return bytes_of(value->get_ref<const std::string&>()).value_or(std::vector<uint8_t>{});
}

const Json* Parameters::member(std::string_view name) const {
  const auto found = object_.find(name);
  return found == object_.end() ? nullptr : &*found;
}

/// Calls made through it, and those that these make in turn, may not write.
class Dispatcher::Strangers final : public Api {
 public:
  explicit Strangers(Dispatcher& dispatcher) : dispatcher_{dispatcher} {}
  Answer call(std::string_view method, const Json& parameters) override {
    const bool before = std::exchange(dispatcher_.may_write_, false);
    Answer answer = dispatcher_.call(method, parameters);
    dispatcher_.may_write_ = before;
    return answer;
  }
  void interrupt() override { dispatcher_.interrupt(); }
  size_t listen(Listener listener) override { return dispatcher_.listen(std::move(listener)); }
  void forget(size_t listener) override { dispatcher_.forget(listener); }

 private:
  Dispatcher& dispatcher_;
};

Dispatcher::Dispatcher(std::function<void()> stop)
    : stop_{std::move(stop)}, strangers_{std::make_unique<Strangers>(*this)} {}
Dispatcher::~Dispatcher() = default;

Api& Dispatcher::for_strangers() { return *strangers_; }

void Dispatcher::serve(std::string_view method, Handler handler) {
  const Method* row = find_method(method);
  CHECK_MSG(row != nullptr, "a handler for a method that the table does not have");
  const bool added = handlers_.emplace(row->name, std::move(handler)).second;
  CHECK_MSG(added, "two handlers for one method");
}

Answer Dispatcher::call(std::string_view method, const Json& parameters) {
  const Method* row = find_method(method);
  if (row == nullptr) return unknown_method(method);
  const Json object = parameters.is_null() ? Json::object() : parameters;
  if (!object.is_object())
    return refuse(Code::InvalidParameters, fmt::format("{}: parameters have names: an object is wanted", row->name));
  if (const auto bad = mismatch(object, row->parameters))
    return refuse(Code::InvalidParameters, fmt::format("{}: {}", row->name, *bad));
  if (row->effect == Effect::Writes && !may_write_)
    return refuse(Code::NotPermitted, fmt::format("{} writes a file, which callers over a network may not", row->name));
  const auto handler = handlers_.find(row->name);
  if (handler == handlers_.end()) return refuse(Code::NotImplemented, fmt::format("{} is not implemented", row->name));
  return handler->second(Parameters{object});
}

void Dispatcher::notify(std::string_view notification, const Json& parameters) {
  const auto listeners = listeners_;  // a listener may forget itself
  for (const auto& [number, listener] : listeners) listener(notification, parameters);
}

size_t Dispatcher::listen(Listener listener) {
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

}  // namespace rpc
