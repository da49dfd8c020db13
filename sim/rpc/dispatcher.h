#pragma once
// Between a call and the function that answers it: nothing reaches a handler that the table does not permit.
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "sim/rpc/api.h"
#include "sim/rpc/schema.h"

namespace rpc {

/// Parameters that were found to be what the table says. Absent is absent, never null.
class Parameters {
 public:
  explicit Parameters(const Json& object) : object_{object} {}

  [[nodiscard]] bool has(std::string_view name) const { return object_.contains(name); }
  [[nodiscard]] bool flag(std::string_view name, bool otherwise = false) const;
  [[nodiscard]] std::string text(std::string_view name) const;  ///< empty if absent
  [[nodiscard]] std::optional<uint64_t> integer(std::string_view name) const;
  [[nodiscard]] uint64_t integer(std::string_view name, uint64_t otherwise) const;
  /// Numbers of more than 64 bits are absent; who serves them looks at text().
  [[nodiscard]] std::optional<uint64_t> hex(std::string_view name) const;
  [[nodiscard]] std::vector<uint8_t> bytes(std::string_view name) const;
  [[nodiscard]] const Json* member(std::string_view name) const;  ///< null if absent

 private:
  const Json& object_;
};

using Handler = std::function<Answer(const Parameters&)>;

[[nodiscard]] inline Refusal refuse(Code code, std::string message) { return {code, std::move(message)}; }

/// The table's rows and who serves them.
class Dispatcher final : public Api {
 public:
  /// `stop` ends a motion that is under way, from any thread.
  explicit Dispatcher(std::function<void()> stop);
  ~Dispatcher() override;

  /// `method` is a row of the table that nobody serves yet (CHECK).
  void serve(std::string_view method, Handler handler);
  [[nodiscard]] bool serves(std::string_view method) const { return handlers_.contains(method); }
  /// Tells all listeners.
  void notify(std::string_view notification, const Json& parameters);

  [[nodiscard]] Answer call(std::string_view method, const Json& parameters) override;
  void interrupt() override { stop_(); }
  size_t listen(Listener listener) override;
  void forget(size_t listener) override { listeners_.erase(listener); }

  /// The same for strangers: rows that write files of the host are refused, also when a row that was called leads to one.
  [[nodiscard]] Api& for_strangers();

 private:
  class Strangers;

  std::function<void()> stop_;
  std::map<std::string_view, Handler> handlers_;
  std::map<size_t, Listener> listeners_;
  size_t next_listener_{1};
  bool may_write_{true};
  std::unique_ptr<Strangers> strangers_;
};

}  // namespace rpc
