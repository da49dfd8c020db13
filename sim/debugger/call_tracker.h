#pragma once
// From switches between VTLs to calls: which are open at any row, without words for them.
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "sim/support/events.h"

namespace debugger {

enum class CallKind : uint8_t { VtlCall, VtlReturn, Hypercall, Interrupt };

/// A call from one world into another that has not returned.
struct OpenCall {
  uint64_t number{};                 ///< of its event, among all of the run
  std::optional<uint64_t> parent{};  ///< number of the call that it is inside of
  support::Instant at;
  uint64_t inside{};                 ///< instants that calls inside it took
  uint32_t vp{}, cookie{};
  uint32_t depth{};
  abi::hv::Vtl from{}, to{};
  CallKind kind{};
};

/// A call of NTOS for a secure service begins with a VTL call and ends with the VTL return that says so; a normal call of
/// the secure kernel begins with a VTL return and ends with the VTL call that resumes it by its cookie. A resume that answers
/// no such call starts a secure thread: it is a call that ends as one for a service does. Where an interrupt entered the
/// higher VTL, whatever returns next ends it.
class CallTracker {
 public:
  CallTracker() = default;
  /// `from_beginning`: it is told of all events of the run. If not, a resume that answers nothing known is left out: what it
  /// answers may have been before.
  explicit CallTracker(bool from_beginning) : from_beginning_{from_beginning} {}

  /// More calls than these are not open at once: the oldest is given up for a new one.
  static constexpr size_t most_open = 256;

  struct Step {
    std::optional<OpenCall> begun;
    std::optional<OpenCall> ended;
    bool finished{};  ///< `ended` gave a status, which is in the event's frame
  };
  /// Events in the order of their numbers; what is no switch changes nothing.
  Step take(uint64_t number, const support::Event& event);
  /// A call that takes no time, such as a hypercall: what it would be inside of.
  [[nodiscard]] OpenCall beside(uint64_t number, const support::Event& event) const;
  /// By their beginnings.
  [[nodiscard]] const std::vector<OpenCall>& open() const { return open_; }

 private:
  Step vtl_call(uint64_t number, const support::Event& event);
  Step vtl_return(uint64_t number, const support::Event& event);
  Step begin(OpenCall call);
  Step end(std::vector<OpenCall>::iterator call, const support::Event& event);
  void remove(std::vector<OpenCall>::iterator call);
  [[nodiscard]] std::vector<OpenCall>::iterator find(std::optional<uint64_t> number);
  [[nodiscard]] std::vector<OpenCall>::const_iterator find(std::optional<uint64_t> number) const;
  [[nodiscard]] std::optional<uint64_t> current(uint32_t vp) const;

  bool from_beginning_{true};
  std::vector<OpenCall> open_;
  std::map<uint32_t, uint64_t> current_;  ///< by processor: number of the call that it is in
};

/// The open calls at some rows, to begin from.
class CallPoints {
 public:
  static constexpr uint64_t distance = 4096;  ///< rows between two points

  /// The next event.
  void add(const support::Event& event);
  /// Events that were added: of a run, from its first on.
  [[nodiscard]] uint64_t size() const { return size_; }
  struct Point {
    uint64_t row{};
    CallTracker calls;  ///< before that row
  };
  /// The last point at or before a row.
  [[nodiscard]] const Point& before(uint64_t row) const;
  void forget_from(uint64_t row);

 private:
  std::vector<Point> points_{Point{}};
  CallTracker now_;
  uint64_t size_{};
};

}  // namespace debugger
