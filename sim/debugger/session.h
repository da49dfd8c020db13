#pragma once
// A debugging session: a run, a focus in it, breakpoints, and motion in both directions.
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/debugger/breakpoints.h"
#include "sim/debugger/focus.h"
#include "sim/debugger/names.h"
#include "sim/debugger/questions.h"
#include "sim/debugger/timeline.h"

namespace debugger {

struct SessionOptions {
  std::vector<std::string> symbol_folders;  ///< of image files and their PDBs
  std::vector<std::string> source_folders;
};

enum class StopReason : uint8_t { Step, Breakpoint, Watchpoint, Event, Place, Beginning, End, Interrupted };
/// "step", "breakpoint" ... as the interface names them.
[[nodiscard]] std::string_view word(StopReason reason);

/// A value that was written.
struct Change {
  std::vector<uint8_t> before, after;  ///< little-endian
  std::string text;                    ///< both, as numbers
};

/// Where a motion ended, and why.
struct Stop {
  StopReason reason{};
  Focus focus;                              ///< the session's, from now on
  Place place;                              ///< of the instruction that is about to execute; where a breakpoint is at the
                                            ///< first of a handler, of that, though it is delivered only at this instant
  uint64_t instruction{};                   ///< executed up to here
  uint8_t ring{};
  bool waits{};                             ///< the processor waits in HLT
  std::vector<uint32_t> breakpoints;        ///< of all that were met
  std::optional<Change> change;             ///< of a watchpoint
  std::optional<trace::EventRecord> event;  ///< of an event breakpoint or query
  std::string ending;                       ///< why the run ends here; empty: it does not
  std::string text;                         ///< one sentence
};

enum class StepKind : uint8_t { Into, Over, Out };
enum class StepUnit : uint8_t { Instruction, Line };

struct StepRequest {
  StepKind kind{};
  bool back{};
  uint64_t count{1};
  StepUnit unit{};
};

struct RunRequest {
  bool back{};
  std::string to{};             ///< an address expression, as a code breakpoint has it: to the cursor; empty: nowhere
  std::string until{};          ///< an expression over events: to the first for which it is true; empty: none
  bool breakpoints{true};     ///< false: pass over them
};

/// The machine as a view sees it. Valid until the next call of look() or a motion.
struct View {
  machine::Machine& machine;               ///< stands at focus.at
  const Names& names;
  Focus focus;
  const vtl::VirtualProcessor& processor;  ///< focus.vp
  const vtl::VtlContext& context;          ///< focus.vtl's registers of it; the shared ones are processor.shared
  bool active{};                           ///< the processor runs in focus.vtl now
};

/// Which calls to a stack's outer frame are known; given by whoever can unwind.
class Unwinder {
 public:
  virtual ~Unwinder() = default;
  struct Caller {
    uint64_t rip{}, rsp{};  ///< where it goes on, and with which stack
    Vtl vtl{};
    bool call{};            ///< entered by CALL, rather than by an interrupt or from another VTL
  };
  /// The frame that frame `inner` of the view returns to; nothing at the outermost.
  [[nodiscard]] virtual std::optional<Caller> caller(const View& view, uint32_t inner) = 0;
};

/// All calls come from one thread, but interrupt().
class Session {
 public:
  [[nodiscard]] static support::Result<std::unique_ptr<Session>> over(std::unique_ptr<Timeline> timeline,
                                                                      SessionOptions options);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // --- Looking
  /// The session's own focus: motion moves it, views do not.
  [[nodiscard]] const Focus& focus() const { return focus_; }
  /// Puts the machine there. Errors: no such processor; the run ends before that instant.
  [[nodiscard]] support::Result<View> look(const Focus& focus);
  [[nodiscard]] View look();
  /// Of the branch, if there is one.
  [[nodiscard]] Timeline& timeline() { return branch_ ? *branch_ : *timeline_; }
  /// Of the run itself, be there a branch or not.
  [[nodiscard]] Timeline& trunk() { return *timeline_; }
  [[nodiscard]] const SessionOptions& options() const { return options_; }
  [[nodiscard]] Names& names() { return names_; }
  /// A Stop as if a motion had ended at the focus.
  [[nodiscard]] Stop describe(StopReason reason);

  // --- Motion
  [[nodiscard]] support::Result<Stop> move(const FocusChange& change);
  [[nodiscard]] support::Result<Stop> step(const StepRequest& request);
  [[nodiscard]] support::Result<Stop> run(const RunRequest& request);
  /// Ends the motion that is under way within milliseconds, or else the next one as it begins; from any thread. Who knows
  /// that none was meant withdraws it.
  void interrupt() { interrupted_.store(true, std::memory_order_relaxed); }
  /// It was called and has ended nothing yet: what takes long gives up.
  [[nodiscard]] bool interrupted() const { return interrupted_.load(std::memory_order_relaxed); }
  /// An interrupt() that ended nothing is forgotten.
  void withdraw_interrupt() { interrupted_.store(false, std::memory_order_relaxed); }

  // --- Breakpoints
  [[nodiscard]] Breakpoints& breakpoints() { return breakpoints_; }
  /// For Breakpoints::set and set_condition: what names mean at the focus.
  [[nodiscard]] Breakpoints::Context context();

  // --- Expressions
  [[nodiscard]] support::Result<Expression, ExpressionError> compile(std::string_view text, const Focus& focus,
                                                                     bool events = false);
  /// Structures of expressions, and callers for stepping out: whoever has symbols gives them. Null: none. They must outlive
  /// the session.
  void use(const TypeSource* types) { types_ = types; }
  void use(Unwinder* unwinder) { unwinder_ = unwinder; }

  // --- What if
  /// From here on this is no longer the run that was recorded. Errors: there is a branch already.
  [[nodiscard]] support::Status begin_branch(std::string name);
  /// Back to the run, where the branch began. Errors: there is none.
  [[nodiscard]] support::Result<Stop> end_branch();
  /// "fix at 4711: 3 changes"; nothing outside a branch.
  [[nodiscard]] std::optional<std::string> branch() const;
  /// Whatever rights say, as a debugger does. Errors: outside a branch; the address leads nowhere (nothing is written then).
  /// `cr3`: the tables, in place of those of `vtl`.
  [[nodiscard]] support::Status write_memory(Vtl vtl, std::optional<uint64_t> cr3, Gva address, std::span<const uint8_t> bytes);
  [[nodiscard]] support::Status write_memory(Vtl vtl, Gpa address, std::span<const uint8_t> bytes);
  [[nodiscard]] support::Status write_memory(Spa address, std::span<const uint8_t> bytes);
  /// Errors: outside a branch; the processor could not hold the value.
  [[nodiscard]] support::Status write_register(RegisterId id, uint32_t vp, Vtl vtl, vtl::Xmm value);

 private:
  Session(std::unique_ptr<Timeline> timeline, SessionOptions options);
  void settle_focus();

  // --- Searching (travel.cpp)
  struct Goal;
  struct Outcome {
    StopReason reason{};
    std::optional<Hit> hit;
    std::vector<uint32_t> ids;       ///< of breakpoints at which it ended
    std::optional<size_t> special{}; ///< which of the conditions of this motion it ended at
    bool of_code{};                  ///< the hit is about an instruction
  };
  [[nodiscard]] Goal goal_of(const Conditions& special, bool with_breakpoints);
  [[nodiscard]] bool counts(const Hit& hit, const Goal& goal, Outcome& outcome);
  void arrive(Instant position, const Goal& goal, Outcome& outcome);
  Outcome travel(bool back, const Conditions& special, bool with_breakpoints);
  [[nodiscard]] Outcome nothing_found(bool back, Instant from);
  [[nodiscard]] Stop describe(Outcome&& outcome);
  [[nodiscard]] support::Result<Conditions> places(const std::string& text);
  [[nodiscard]] support::Result<Condition> query(const std::string& text);

  // --- Steps (motion.cpp, step_back.cpp, step_line.cpp)
  struct Here;  // the instruction that a step begins at
  [[nodiscard]] Here here();
  Outcome step_once(const StepRequest& request);
  Outcome into();
  Outcome into_back();
  Outcome over();
  Outcome over_back();
  Outcome out();
  Outcome out_back();
  Outcome line(const StepRequest& request);
  Outcome instruction(StepKind kind, bool back);
  [[nodiscard]] support::Status write_pieces(const Conditions& pieces, std::span<const uint8_t> bytes, std::string what);
  [[nodiscard]] support::Status edit(const Timeline::Change& change, std::string what);
  [[nodiscard]] Outcome arrived(Arrival arrival);
  [[nodiscard]] AddressBreak return_to(uint64_t rip, const Here& at) const;
  [[nodiscard]] bool diverted(const Here& at);
  [[nodiscard]] Conditions calls_before(const Here& at, uint64_t rsp);

  SessionOptions options_;
  std::unique_ptr<Timeline> timeline_, branch_;
  Names names_;
  Breakpoints breakpoints_;
  Focus focus_, branched_at_;
  std::string branch_name_;
  std::vector<std::string> changes_;
  const TypeSource* types_{};
  Unwinder* unwinder_{};
  std::atomic<bool> interrupted_{};
  trace::Disassembler disassembler_;
};

}  // namespace debugger
