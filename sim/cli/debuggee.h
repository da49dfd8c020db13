#pragma once
// What `airlock debug` debugs: at once, or when a client says what.
#include <map>
#include <optional>

#include "sim/cli/debug.h"
#include "sim/faces/console/console.h"

namespace cli {

/// The interface of a run that may not be there yet: until it is opened, every call is refused with a sentence that says so.
/// It serves the rows console and console.complete, which the interface itself cannot.
class Debuggee final : public rpc::Api {
 public:
  ~Debuggee() override;

  /// Opens the run. A failure leaves nothing opened.
  [[nodiscard]] support::Result<support::Unit, DebugFailure> open(const DebugArguments& arguments);
  [[nodiscard]] bool opened() const { return run_.has_value(); }
  /// Only when opened.
  [[nodiscard]] rpc::Dispatcher& dispatcher() { return run_->service->api(); }
  /// Withdraws an interrupt that ended nothing.
  void withdraw_interrupt();

  rpc::Answer call(std::string_view method, const rpc::Json& parameters) override;
  void interrupt() override;
  size_t listen(Listener listener) override;
  void forget(size_t listener) override { listeners_.erase(listener); }

 private:
  std::optional<DebugRun> run_;
  std::unique_ptr<faces::console::Console> console_;
  std::map<size_t, Listener> listeners_;
  size_t next_listener_{1};
  std::atomic<bool> ready_{};  ///< run_ is there: other threads interrupt
};

}  // namespace cli
