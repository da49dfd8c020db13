#pragma once
// Several faces, each with a thread of its own, and one session: calls are executed one after the other.
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "sim/rpc/api.h"

namespace rpc {

/// The session belongs to the thread that runs serve(). Everybody else posts.
///
/// interrupt() goes past the queue. It ends the call that is being executed, and what was posted before it and did not
/// begin yet ends as soon as it begins; what is posted later is not touched. Only what may take long is ended: motion, and
/// searches.
class CallQueue {
 public:
  /// `api` must outlive this, and be called by nobody else. `clear_interrupt` withdraws an interrupt() that ended nothing.
  explicit CallQueue(Api& api, std::function<void()> clear_interrupt = {});
  ~CallQueue();

  using Work = std::function<void(Api& api)>;
  /// From any thread: `work` will run on the session's thread. False after stop(): it never will. `ends`
  /// false: it is no motion, and interrupt() leaves it alone.
  bool post(Work work, bool ends = true);
  /// From any thread.
  void interrupt();
  /// Executes what is posted until stop() was called; what was posted before it is still executed.
  void serve();
  /// From any thread.
  void stop();

 private:
  struct Entry {
    Work work;
    bool ends{}, interrupted{};
  };
  bool take(Entry& entry);

  Api& api_;
  std::function<void()> clear_interrupt_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> entries_;
  bool ends_{};  ///< what is being executed is something that interrupt() is for
  bool stopped_{};
};

/// Whether a method is motion or a search, which interrupt() ends.
[[nodiscard]] bool may_take_long(std::string_view method);

/// The Api as another thread has it: call() waits for its turn. Listeners are called on the session's thread, and must not
/// wait for the face's own.
class QueuedApi final : public Api {
 public:
  explicit QueuedApi(CallQueue& queue) : queue_{queue} {}
  Answer call(std::string_view method, const Json& parameters) override;
  void interrupt() override { queue_.interrupt(); }
  size_t listen(Listener listener) override;
  void forget(size_t listener) override;

 private:
  CallQueue& queue_;
};

}  // namespace rpc
