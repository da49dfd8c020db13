#include "sim/rpc/call_queue.h"

#include <future>
#include <nlohmann/json.hpp>

namespace rpc {

CallQueue::CallQueue(Api& api, std::function<void()> clear_interrupt)
    : api_{api}, clear_interrupt_{std::move(clear_interrupt)} {}
CallQueue::~CallQueue() = default;

bool CallQueue::post(Work work) {
  const std::lock_guard lock{mutex_};
  if (stopped_) return false;
  entries_.push_back({std::move(work)});
  changed_.notify_one();
  return true;
}

void CallQueue::interrupt() {
  const std::lock_guard lock{mutex_};
  for (Entry& entry : entries_) entry.interrupted = true;
  if (executing_) api_.interrupt();
}

bool CallQueue::take(Entry& entry) {
  std::unique_lock lock{mutex_};
  executing_ = false;
  if (clear_interrupt_) clear_interrupt_();  // it came too late for the last one
  changed_.wait(lock, [this] { return stopped_ || !entries_.empty(); });
  if (entries_.empty()) return false;
  entry = std::move(entries_.front());
  entries_.pop_front();
  executing_ = true;
  if (entry.interrupted) api_.interrupt();
  return true;
}

void CallQueue::serve() {
  Entry entry;
  while (take(entry)) {
    entry.work(api_);
    entry.work = nullptr;
  }
}

void CallQueue::stop() {
  const std::lock_guard lock{mutex_};
  stopped_ = true;
  changed_.notify_all();
}

namespace {

/// Runs `work` in its turn and waits for it. False if it never gets one.
bool wait_for(CallQueue& queue, const CallQueue::Work& work) {
  const auto done = std::make_shared<std::promise<void>>();  // shared: set_value() may still be at it when we go
  const bool posted = queue.post([done, &work](Api& api) {
    work(api);
    done->set_value();
  });
  if (posted) done->get_future().wait();
  return posted;
}

}  // namespace

Answer QueuedApi::call(std::string_view method, const Json& parameters) {
  Answer answer{Refusal{Code::Refused, "the session is over"}};
  (void)wait_for(queue_, [&](Api& api) { answer = api.call(method, parameters); });
  return answer;
}

size_t QueuedApi::listen(Listener listener) {
  size_t number = 0;
  (void)wait_for(queue_, [&](Api& api) { number = api.listen(std::move(listener)); });
  return number;
}

void QueuedApi::forget(size_t listener) {
  (void)wait_for(queue_, [&](Api& api) { api.forget(listener); });
}

}  // namespace rpc
