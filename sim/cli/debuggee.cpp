#include "sim/cli/debuggee.h"

namespace cli {

Debuggee::~Debuggee() { ready_ = false; }

support::Result<support::Unit, DebugFailure> Debuggee::open(const DebugArguments& arguments) {
  run_ = TRY(open_for_debugging(arguments));
  rpc::Dispatcher& api = dispatcher();
  api.listen([this](std::string_view notification, const rpc::Json& parameters) {
    const auto listeners = listeners_;  // a listener may forget itself
    for (const auto& [number, listener] : listeners) listener(notification, parameters);
  });
  console_ = std::make_unique<faces::console::Console>(api);
  api.serve("console", [this](const rpc::Parameters& parameters) {
    rpc::Json line{{"line", parameters.text("line")}, {"colours", parameters.flag("colours")}};
    return answer_console(*console_, line);
  });
  api.serve("console.complete", [this](const rpc::Parameters& parameters) {
    return answer_complete(*console_, rpc::Json{{"line", parameters.text("line")}});
  });
  ready_ = true;
  return support::Unit{};
}

void Debuggee::withdraw_interrupt() {
  if (ready_) run_->service->session().withdraw_interrupt();
}

rpc::Answer Debuggee::call(std::string_view method, const rpc::Json& parameters) {
  if (!opened()) return rpc::Refusal{rpc::Code::Refused, "nothing is debugged yet: a client has to say what"};
  return dispatcher().call(method, parameters);
}

void Debuggee::interrupt() {
  if (ready_) dispatcher().interrupt();
}

size_t Debuggee::listen(Listener listener) {
  listeners_.emplace(next_listener_, std::move(listener));
  return next_listener_++;
}

}  // namespace cli
