#include "sim/faces/console/remote_console.h"

#include <future>

namespace faces::console {

struct RemoteConsole::There {
  std::optional<Console> console;
};

namespace {

/// Has `work` done on the session's thread and waits for its result.
template <class Result, class Work>
Result in_turn(rpc::CallQueue& queue, Result otherwise, Work work) {
  const auto promise = std::make_shared<std::promise<Result>>();
  std::future<Result> result = promise->get_future();
  const bool posted = queue.post([promise, work = std::move(work)](rpc::Api& api) { promise->set_value(work(api)); });
  return posted ? result.get() : otherwise;
}

}  // namespace

RemoteConsole::RemoteConsole(rpc::CallQueue& queue) : queue_{queue}, there_{std::make_shared<There>()} {
  (void)queue_.post([there = there_](rpc::Api& api) { there->console.emplace(api); });
}

RemoteConsole::~RemoteConsole() {
  (void)in_turn(queue_, true, [there = there_](rpc::Api&) {
    there->console.reset();
    return true;
  });
}

bool RemoteConsole::begin(std::string line, bool colours, std::function<void(Reply)> done) {
  return queue_.post([there = there_, line = std::move(line), colours, done = std::move(done)](rpc::Api&) {
    done(there->console->execute(line, colours));
  });
}

Reply RemoteConsole::execute(std::string_view line, bool colours) {
  return in_turn(queue_, Reply{{}, {}, true, false},
                 [there = there_, line = std::string{line}, colours](rpc::Api&) { return there->console->execute(line, colours); });
}

Completion RemoteConsole::complete(std::string_view line) {
  return in_turn(queue_, Completion{}, [there = there_, line = std::string{line}](rpc::Api&) { return there->console->complete(line); });
}

std::string RemoteConsole::prompt(bool colours) {
  return in_turn(queue_, std::string{"> "}, [there = there_, colours](rpc::Api&) { return there->console->prompt(colours); });
}

}  // namespace faces::console
