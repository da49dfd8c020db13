#include "sim/replay/recheck.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/replay/bisect.h"

namespace replay {

using support::Result;

Result<Recheck> recheck(const Recording& recording, const Divergence& divergence, const SubjectFactory& factory) {
  Recheck result;
  Replayer replayer{recording, true};
  {
    const std::unique_ptr<Subject> subject = TRY(factory(&replayer));
    replayer.run(*subject, support::never);
  }
  result.again = replayer.divergence();

  const std::vector<Keyframe>& keyframes = recording.keyframes();
  const auto next = std::find_if(keyframes.begin(), keyframes.end(),
                                 [&](const Keyframe& each) { return each.at >= divergence.at; });
  if (!result.again || next == keyframes.end()) return result;
  result.keyframe = next->at;
  const machine::State expected = TRY(recording.keyframe(next->at));
  const std::unique_ptr<Subject> subject = TRY(factory(nullptr));
  subject->run(next->at);
  result.fields = TRY(differing_fields(subject->machine(), expected));
  return result;
}

std::string to_text(const Recheck& result) {
  if (!result.again) return "Run again, it does not diverge: this host does not compute the same thing twice.\n";
  std::string text = fmt::format("Run again, it diverges at instant {}: it is the program that computes otherwise than when this was recorded.\n",
                                 result.again->at.ticks);
  if (result.fields.empty()) return text;
  text += fmt::format("At the recording's next keyframe, instant {}, these fields of the state differ:\n", result.keyframe.ticks);
  for (const std::string& field : result.fields) text += fmt::format("  {}\n", field);
  return text;
}

}  // namespace replay
