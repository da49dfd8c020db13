#include "sim/cli/replayed_trace.h"

#include "sim/cli/code_view.h"
#include "sim/cli/recorded_parts.h"
#include "sim/cli/session.h"
#include "sim/replay/replayer.h"
#include "sim/trace/writer.h"

namespace cli {

support::Status write_replayed_trace(const replay::Recording& recording, const std::string& path, trace::Detail detail,
                                     support::Instant from, support::Instant to) {
  machine::MachineParts parts = TRY(recorded_parts(recording));
  for (const std::string& why : {replay::mismatch(recording.facts()), replay::mismatch(recording.facts(), parts)})
    if (!why.empty()) return support::Error{why};
  loader::MachineConfig config = recording.facts().config;
  config.gear = loader::GearSetting::Exact;
  const std::unique_ptr<Session> session = TRY(Session::over(config, std::move(parts), ""));
  session->give(recording.inputs());
  CodeView code{*session};
  const std::unique_ptr<trace::Writer> writer = TRY(trace::Writer::create(path, {}, &code, {.detail = detail}));
  replay::Replayer replayer{recording, false};
  session->listen(replayer);
  session->listen(*writer);
  TRY(session->start());
  replay::Subject subject{session->machine()};
  TRY(replayer.begin_near(subject, from));
  TRY(replayer.tell_before(*writer));  // images and processes have their names from events
  session->machine().observe(writer.get());
  static_cast<void>(replayer.run(subject, to));
  session->machine().observe(nullptr);
  return writer->close();
}

}  // namespace cli
