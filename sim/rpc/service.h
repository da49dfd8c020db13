#pragma once
// A session with its interface.
#include <memory>

#include "sim/rpc/desk.h"

namespace rpc {

class Service {
 public:
  Service(std::unique_ptr<debugger::Session> session, RunFacts facts);
  ~Service();

  /// On the session's thread.
  [[nodiscard]] Dispatcher& api() { return dispatcher_; }
  [[nodiscard]] debugger::Session& session() { return *session_; }

 private:
  std::unique_ptr<debugger::Session> session_;
  Dispatcher dispatcher_;
  std::unique_ptr<Desk> desk_;
};

}  // namespace rpc
