#include "sim/replay/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "sim/replay/replayer.h"

namespace replay {
namespace {

using support::Result;
using Side = DifferenceLine::Side;

/// How far one side is searched for what the other side has next.
constexpr size_t window = 256;

void compare_image(const char* what, const std::optional<ImageFacts>& a, const std::optional<ImageFacts>& b,
                   std::vector<std::string>& out) {
  const auto text = [](const std::optional<ImageFacts>& image) {
    return image ? fmt::format("{} ({} bytes)", to_hex(image->hash), image->size) : std::string{"none"};
  };
  if (a != b) out.push_back(fmt::format("{}: {} | {}", what, text(a), text(b)));
}

}  // namespace

std::vector<std::string> compare_facts(const Facts& a, const Facts& b) {
  std::vector<std::string> out;
  if (a.semantics != b.semantics) out.push_back(fmt::format("machine semantics: {} | {}", a.semantics, b.semantics));
  if (a.engine != b.engine) out.push_back(fmt::format("engine: {} | {}", a.engine, b.engine));
  // The gear decides about speed alone.
  loader::MachineConfig left = a.config, right = b.config;
  left.gear = right.gear = {};
  if (canonical(left) != canonical(right)) {
    std::string left_text = canonical(left), right_text = canonical(right);
    for (std::string* text : {&left_text, &right_text}) std::replace(text->begin(), text->end(), '\t', ' ');
    while (!left_text.empty()) {
      const std::string one = left_text.substr(0, left_text.find('\n')), two = right_text.substr(0, right_text.find('\n'));
      if (one != two) out.push_back(fmt::format("{} | {}", one, two));
      left_text.erase(0, one.size() + 1);
      right_text.erase(0, two.size() + 1);
    }
  }
  compare_image("firmware", a.firmware, b.firmware, out);
  compare_image("disk", a.disk, b.disk, out);
  for (const FileFacts& file : a.files) {
    const auto other = std::find_if(b.files.begin(), b.files.end(), [&](const auto& each) { return each.path == file.path; });
    compare_image(file.path.c_str(), file.image, other != b.files.end() ? std::optional{other->image} : std::nullopt, out);
  }
  for (const FileFacts& file : b.files)
    if (std::none_of(a.files.begin(), a.files.end(), [&](const auto& each) { return each.path == file.path; }))
      compare_image(file.path.c_str(), std::nullopt, file.image, out);
  return out;
}

namespace {

void compare_points(const Recording& left, const Recording& right, Comparison& result) {
  auto a = left.points().begin();
  auto b = right.points().begin();
  while (a != left.points().end() && b != right.points().end()) {
    if (a->at < b->at) {
      ++a;
    } else if (b->at < a->at) {
      ++b;
    } else {
      if (*a != *b) {
        result.first_state = a->at;
        result.state = fmt::format("left is {}: {}", place(*a), differences(*a, *b));
        return;
      }
      ++a;
      ++b;
    }
  }
}

}  // namespace

std::string compare_inputs(const std::vector<Input>& left, const std::vector<Input>& right) {
  const auto [a, b] = std::mismatch(left.begin(), left.end(), right.begin(), right.end());
  if (a == left.end() && b == right.end()) return "";
  return fmt::format("input {}: left has {}, right has {}", a - left.begin() + 1, a == left.end() ? "no more" : to_text(*a),
                     b == right.end() ? "no more" : to_text(*b));
}

namespace {

/// What an event says, without when it happened.
bool says_the_same(const trace::EventRecord& a, const trace::EventRecord& b) {
  support::Event left = a.view(), right = b.view();
  left.at = right.at = {};
  return same(left, right);
}

/// One side's next events, as far as they have been looked at.
class Lookahead {
 public:
  explicit Lookahead(const Recording& recording) : cursor_{recording.events_from({})} {}

  Result<bool> fill(size_t count) {
    while (events_.size() < count && !at_end_) {
      auto next = TRY(cursor_.next());
      if (next) events_.push_back(std::move(*next));
      else at_end_ = true;
    }
    return events_.size() >= count;
  }
  [[nodiscard]] bool empty() const { return events_.empty(); }
  [[nodiscard]] size_t size() const { return events_.size(); }
  [[nodiscard]] const trace::EventRecord& at(size_t i) const { return events_[i]; }
  void pop() { events_.pop_front(); }

 private:
  EventCursor cursor_;
  std::deque<trace::EventRecord> events_;
  bool at_end_{};
};

/// How many events to pass over on each side until both say the same; the fewest in total.
std::pair<size_t, size_t> distance(const Lookahead& left, const Lookahead& right) {
  const size_t furthest = left.size() + right.size();
  for (size_t total = 1; total < furthest; ++total) {
    for (size_t on_left = 0; on_left <= total; ++on_left) {
      const size_t on_right = total - on_left;
      if (on_left < left.size() && on_right < right.size() && says_the_same(left.at(on_left), right.at(on_right)))
        return {on_left, on_right};
    }
  }
  return {left.size(), right.size()};
}

class Lines {
 public:
  explicit Lines(const std::function<bool(const DifferenceLine&)>& consumer) : consumer_{consumer} {}
  void add(Side side, const trace::EventRecord& event) {
    if (wanted_ && consumer_) wanted_ = consumer_({side, event});
  }

 private:
  const std::function<bool(const DifferenceLine&)>& consumer_;
  bool wanted_{true};
};

support::Status compare_events(const Recording& left, const Recording& right, Comparison& result, Lines& lines) {
  Lookahead a{left}, b{right};
  for (;;) {
    const bool has_left = TRY(a.fill(1)), has_right = TRY(b.fill(1));
    if (!has_left && !has_right) return support::Unit{};
    if (has_left && has_right) {
      const bool equal = result.first_event ? says_the_same(a.at(0), b.at(0)) : same(a.at(0).view(), b.at(0).view());
      if (equal || (result.first_event && equal)) {
        ++(result.first_event ? result.common : result.equal_events);
        a.pop();
        b.pop();
        continue;
      }
    }
    if (!result.first_event) {
      result.first_event = support::Instant{std::min(has_left ? a.at(0).event.at.ticks : ~uint64_t{0},
                                                     has_right ? b.at(0).event.at.ticks : ~uint64_t{0})};
      if (has_left && has_right && says_the_same(a.at(0), b.at(0))) {
        lines.add(Side::Left, a.at(0));  // it only happened at another instant
        lines.add(Side::Right, b.at(0));
        continue;
      }
    }
    TRY(a.fill(window));
    TRY(b.fill(window));
    const auto [on_left, on_right] = distance(a, b);
    for (size_t i = 0; i < on_left; ++i, ++result.only_left, a.pop()) lines.add(Side::Left, a.at(0));
    for (size_t i = 0; i < on_right; ++i, ++result.only_right, b.pop()) lines.add(Side::Right, b.at(0));
  }
}

}  // namespace

Result<Comparison> compare(const Recording& left, const Recording& right,
                           const std::function<bool(const DifferenceLine&)>& line) {
  Comparison result;
  result.facts = compare_facts(left.facts(), right.facts());
  result.input = compare_inputs(left.inputs(), right.inputs());
  compare_points(left, right, result);
  Lines lines{line};
  TRY(compare_events(left, right, result, lines));
  result.same_end = !left.points().empty() && !right.points().empty() && left.points().back() == right.points().back() &&
                    left.complete() == right.complete();
  return result;
}

}  // namespace replay
