#pragma once
// What the handlers share: the session, and how parameters become what it understands.
#include <map>
#include <string>

#include "sim/debugger/session.h"
#include "sim/debugger/views/eye.h"
#include "sim/debugger/views/memory.h"
#include "sim/debugger/views/page_tables.h"
#include "sim/debugger/views/slat_history.h"
#include "sim/debugger/views/source.h"
#include "sim/debugger/views/trail.h"
#include "sim/rpc/bookmark_shelf.h"
#include "sim/rpc/dispatcher.h"
#include "sim/replay/event_check.h"
#include "sim/replay/recording.h"
#include "sim/rpc/symbol_sources.h"
#include "sim/symbols/library.h"
#include "sim/symbols/owners.h"
#include "sim/trace/disassembler.h"

namespace rpc {

/// What the session does not know of itself.
struct RunFacts {
  std::string version;                       ///< of the program
  std::string recording;                     ///< the file; empty: a live machine
  const replay::Recording* run{};            ///< the same, which outlives the service; null: a live machine
  std::vector<std::string> complaints;       ///< what was wrong with it
  std::string other{};                       ///< the recording that it is compared with; empty: none
  std::string findings{};                    ///< the folder of what fuzzing found; empty: none was given
  std::string finding{};                     ///< id of the one that this is the recording of; empty: it is none
};

/// Who has what at one focus: made when it is first asked for there.
struct PageOwners {
  std::shared_ptr<const char> run{};  ///< Timeline::epoch()
  support::Instant at;
  uint32_t vp{};
  std::vector<symbols::KernelObject> objects{};
  std::vector<debugger::views::TableRoot> roots{};
  debugger::views::TablePages tables{};
};

struct Desk {
  Desk(Dispatcher& dispatcher, debugger::Session& session, RunFacts facts);
  ~Desk();
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  Dispatcher& dispatcher;
  debugger::Session& session;
  RunFacts facts;
  trace::Disassembler disassembler{};
  debugger::views::SourceFiles sources;
  debugger::views::Trails trails;
  debugger::views::SlatHistory slat_history;
  PageOwners owners{};
  symbols::Library library;
  PdbTypes types;
  StackUnwinder unwinder;
  BookmarkShelf bookmarks;
  std::unique_ptr<replay::Recording> other{};         ///< facts.other, once it was asked for
  std::unique_ptr<replay::EventCheck> event_check{};  ///< of the repetition of the run; null: a live machine

  /// `parameters` "focus", or the session's own.
  [[nodiscard]] support::Result<debugger::Focus, Refusal> focus(const Parameters& parameters) const;
  /// The machine there.
  [[nodiscard]] support::Result<debugger::View, Refusal> look(const Parameters& parameters);
  /// The tables of parameter "process"; nothing without it.
  [[nodiscard]] support::Result<std::optional<uint64_t>, Refusal> root(const debugger::View& view,
                                                                       const Parameters& parameters) const;
  [[nodiscard]] support::Result<debugger::views::Eye, Refusal> eye(const debugger::View& view, const Parameters& parameters) const;
  [[nodiscard]] support::Result<std::optional<abi::hv::Vtl>, Refusal> vtl(const Parameters& parameters) const;
  [[nodiscard]] support::Result<std::optional<uint32_t>, Refusal> vp(const Parameters& parameters) const;
  /// Where a motion ended, for who asked and for all who listen.
  [[nodiscard]] Answer moved(const debugger::Stop& stop);

 private:
  void tell_output(support::Instant now);
  support::Instant heard_;  ///< what guests print before it was told
};

/// A failure of the session as a refusal.
[[nodiscard]] Refusal refused(const support::Error& error);
template <class T>
support::Result<T, Refusal> or_refuse(support::Result<T> result) {
  if (!result) return refused(result.error());
  return std::move(result.value());
}

/// A handler that needs the desk.
using DeskHandler = Answer (*)(Desk& desk, const Parameters& parameters);
inline void serve(Desk& desk, std::string_view method, DeskHandler handler) {
  desk.dispatcher.serve(method, [&desk, handler](const Parameters& parameters) { return handler(desk, parameters); });
}

// One per file handlers_*.cpp.
void serve_session(Desk& desk);
void serve_runs(Desk& desk);
void serve_export(Desk& desk);
void serve_bookmarks(Desk& desk);
void serve_motion(Desk& desk);
void serve_breakpoints(Desk& desk);
void serve_state(Desk& desk);
void serve_stack(Desk& desk);
void serve_trail(Desk& desk);
void serve_about(Desk& desk);
void serve_translation(Desk& desk);
void serve_events(Desk& desk);
void serve_kernel(Desk& desk);
void serve_symbols(Desk& desk);
void serve_branch(Desk& desk);
void serve_dump(Desk& desk);

}  // namespace rpc
