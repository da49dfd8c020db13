#include "sim/rpc/service.h"

namespace rpc {

Service::Service(std::unique_ptr<debugger::Session> session, RunFacts facts)
    : session_{std::move(session)},
      dispatcher_{[this] { session_->interrupt(); }},
      desk_{std::make_unique<Desk>(dispatcher_, *session_, std::move(facts))} {
  serve_session(*desk_);
  serve_bookmarks(*desk_);
  serve_runs(*desk_);
  serve_export(*desk_);
  serve_motion(*desk_);
  serve_breakpoints(*desk_);
  serve_state(*desk_);
  serve_about(*desk_);
  serve_stack(*desk_);
  serve_trail(*desk_);
  serve_translation(*desk_);
  serve_events(*desk_);
  serve_symbols(*desk_);
  serve_kernel(*desk_);
  serve_branch(*desk_);
  serve_dump(*desk_);
}

Service::~Service() = default;

}  // namespace rpc
