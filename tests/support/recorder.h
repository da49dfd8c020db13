#pragma once
// Everything that a machine announced, kept for assertions.
#include <array>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "sim/support/events.h"

namespace test {

/// An event with what it points to.
struct Seen {
  support::Event event;  ///< `frame` and `text` are null: use the members below
  std::string text;
  bool has_frame{};
  std::array<uint64_t, 13> frame{};

  [[nodiscard]] support::EventKind kind() const { return event.kind; }
  /// The hypercall's code, for Hypercall.
  [[nodiscard]] uint16_t call_code() const { return static_cast<uint16_t>(event.a); }
  [[nodiscard]] uint16_t call_status() const { return static_cast<uint16_t>(event.b); }
};

/// One line with the names of kinds and calls: two runs are the same when their lines are.
[[nodiscard]] std::string describe(const Seen& seen);
std::ostream& operator<<(std::ostream& out, const Seen& seen);

class Recorder final : public support::EventSink {
 public:
  using Watcher = std::function<void(const Seen&)>;

  void on(const support::Event& event) override;
  /// Called at each event, after it was recorded.
  void watch(Watcher watcher) { watchers_.push_back(std::move(watcher)); }

  [[nodiscard]] const std::vector<Seen>& events() const { return events_; }
  [[nodiscard]] std::vector<Seen> of(support::EventKind kind) const;
  [[nodiscard]] size_t count(support::EventKind kind) const;
  /// The first event of this kind whose text contains `text`, from index `from`; events().size() if there is none.
  [[nodiscard]] size_t find(support::EventKind kind, std::string_view text = {}, size_t from = 0) const;
  [[nodiscard]] bool has(support::EventKind kind, std::string_view text = {}) const {
    return find(kind, text) != events_.size();
  }
  /// Milestones one per line: what a person would have read.
  [[nodiscard]] std::string milestones() const;

 private:
  std::vector<Seen> events_;
  std::vector<Watcher> watchers_;
};

}  // namespace test
