#pragma once
// What `airlock debug` debugs: at once, or when a client says what; and the recordings of findings, one after the other.
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "sim/cli/debug.h"
#include "sim/faces/console/console.h"

namespace cli {

/// The interface of a run that may not be there yet: until it is opened, every call is refused with a sentence that says so.
/// It serves the rows console, console.complete and open, which the interface itself cannot.
///
/// `open` makes another run the one that is debugged, with an interface of its own. That one takes over with the next call,
/// when nothing of the former is being executed any more; listeners stay.
class Debuggee final : public rpc::Api {
 public:
  Debuggee();
  ~Debuggee() override;

  /// Opens the run. A failure leaves nothing opened.
  [[nodiscard]] support::Result<support::Unit, DebugFailure> open(const DebugArguments& arguments);
  [[nodiscard]] bool opened() const { return now_ != nullptr; }
  /// Only when opened, and only for the next call.
  [[nodiscard]] rpc::Dispatcher& dispatcher();
  /// From now on `open` is refused: `face` keeps what it knows of this run.
  void pin(std::string face) { pinned_by_ = std::move(face); }
  /// Withdraws an interrupt that ended nothing.
  void withdraw_interrupt();

  rpc::Answer call(std::string_view method, const rpc::Json& parameters) override;
  void interrupt() override;
  size_t listen(Listener listener) override;
  void forget(size_t listener) override { listeners_.erase(listener); }

 private:
  struct Opened;  // a run, its interface and its console
  [[nodiscard]] support::Result<std::unique_ptr<Opened>, DebugFailure> make(const DebugArguments& arguments);
  [[nodiscard]] rpc::Answer open_finding(const std::string& id);
  void relay(Opened& run);
  void tell(std::string_view notification, const rpc::Json& parameters);
  void settle();

  DebugArguments arguments_;
  std::mutex changing_;  ///< now_: other threads interrupt
  std::unique_ptr<Opened> now_, next_;
  std::string pinned_by_;
  std::map<size_t, Listener> listeners_;
  size_t next_listener_{1};
};

}  // namespace cli
