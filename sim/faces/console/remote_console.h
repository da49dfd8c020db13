#pragma once
// A console on the session's thread, as another thread has it.
#include <functional>
#include <memory>

#include "sim/faces/console/console.h"
#include "sim/rpc/call_queue.h"

namespace faces::console {

/// Each call waits for its turn. After the queue was stopped a line ends the conversation and says nothing.
class RemoteConsole final : public Conversation {
 public:
  /// `queue` must outlive this, and be served until it is gone or stopped.
  explicit RemoteConsole(rpc::CallQueue& queue);
  ~RemoteConsole() override;
  RemoteConsole(const RemoteConsole&) = delete;
  RemoteConsole& operator=(const RemoteConsole&) = delete;

  Reply execute(std::string_view line, bool colours) override;
  Completion complete(std::string_view line) override;
  [[nodiscard]] std::string prompt(bool colours) override;

  /// The same without waiting: `done` is called on the session's thread. False if the queue was stopped.
  bool begin(std::string line, bool colours, std::function<void(Reply)> done);
  /// Ends what is being executed.
  void interrupt() { queue_.interrupt(); }

 private:
  struct There;  ///< what lives on the session's thread
  rpc::CallQueue& queue_;
  std::shared_ptr<There> there_;
};

}  // namespace faces::console
