#include "sim/rpc/call_queue.h"

#include <algorithm>
#include <future>
#include <nlohmann/json.hpp>

#include "sim/rpc/schema.h"

namespace rpc {

CallQueue::CallQueue(Api& api, std::function<void()> clear_interrupt)
    : api_{api}, clear_interrupt_{std::move(clear_interrupt)} {}
CallQueue::~CallQueue() = default;

bool CallQueue::post(Work work, bool ends) {
  const std::lock_guard lock{mutex_};
  if (stopped_) return false;
  entries_.push_back({std::move(work), ends});
  changed_.notify_one();
  return true;
}

void CallQueue::interrupt() {
  const std::lock_guard lock{mutex_};
  for (Entry& entry : entries_) entry.interrupted = entry.ends;
  if (ends_) api_.interrupt();
}

bool CallQueue::take(Entry& entry) {
  std::unique_lock lock{mutex_};
  ends_ = false;
  if (clear_interrupt_) clear_interrupt_();  // it came too late for the last one
  changed_.wait(lock, [this] { return stopped_ || !entries_.empty(); });
  if (entries_.empty()) return false;
  entry = std::move(entries_.front());
  entries_.pop_front();
  ends_ = entry.ends;
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

bool may_take_long(std::string_view method) {
  constexpr std::string_view searches[] = {"who_wrote", "events.list", "events.count", "events.summary", "calls", "memory.search",
                                           "compare", "findings", "export", "cycles", "dump"};
  const Method* row = find_method(method);
  return (row != nullptr && row->effect == Effect::Moves) || std::find(std::begin(searches), std::end(searches), method) != std::end(searches);
}

namespace {

/// Runs `work` in its turn and waits for it. False if it never gets one.
bool wait_for(CallQueue& queue, const CallQueue::Work& work, bool ends = false) {
  const auto done = std::make_shared<std::promise<void>>();  // shared: set_value() may still be at it when we go
  const bool posted = queue.post([done, &work](Api& api) {
    work(api);
    done->set_value();
  }, ends);
  if (posted) done->get_future().wait();
  return posted;
}

}  // namespace

Answer QueuedApi::call(std::string_view method, const Json& parameters) {
  Answer answer{Refusal{Code::Refused, "the session is over"}};
  (void)wait_for(queue_, [&](Api& api) { answer = api.call(method, parameters); }, may_take_long(method));
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
