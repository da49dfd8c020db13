#pragma once
// VTL calls as an indented tree with decoded names and arguments, from the event stream alone.
#include <map>
#include <optional>
#include <string>

#include "sim/trace/call_decoder.h"
#include "sim/trace/run_line.h"

namespace trace {

struct CallTreeOptions {
  bool hypercalls{};  ///< also the hypercalls in between
  bool intercepts{true};
  /// Events that somebody else prints at once, so that an open call must be printed before them.
  /// Let this listener hear of events before that other one.
  bool milestones{true};
  bool images{}, debug_print{};
};

/// A call and its result are one line where nothing happened in between, else two:
///
///   CreateProcess(eprocess=0xffff..., pid=0x4) = Success, secure_pid=0x14
///   RetrieveMailbox(trustlet_id=0x2, ...)
///     VTL0: CopyVirtualMemory(destination=..., length=0x8) = Success
///   RetrieveMailbox = Success, returned_length=0x8
///
/// Call finish() at the end of the run, so that the last open call is printed.
class CallTreePrinter final : public support::EventSink {
 public:
  explicit CallTreePrinter(RunLineSink sink, CallTreeOptions options = {});
  void on(const support::Event& event) override;
  void finish();

 private:
  /// A line whose result may still come.
  struct Held {
    RunLine line;
    uint32_t vp{};
  };
  enum class Kind : uint8_t { Start, Service, Thread, Interrupt, Other };
  /// What runs in the higher VTL.
  struct Activity {
    Kind kind{Kind::Other};
    std::string name;
    uint16_t code{};
    unsigned depth{};
  };
  /// A request of the secure kernel that NTOS is serving.
  struct Request {
    bool visible{};  ///< false for VINA
    bool normal_service{};
    std::string name;
    uint16_t code{};
  };
  struct Parked {
    Activity activity;
    Request request;
  };
  struct Processor {
    bool start_expected{};  ///< EnableVpVtl was done, the VTL never entered
    std::optional<Activity> current;
    std::optional<uint32_t> last_parked;
  };

  void vtl_call(const support::Event& event, Processor& vp);
  void vtl_return(const support::Event& event, Processor& vp);
  void resume(const support::Event& event, Processor& vp, const DecodedSecureCall& call);
  void request(const support::Event& event, Processor& vp, const DecodedNormalCall& call);
  [[nodiscard]] unsigned nested_depth(const Processor& vp) const;
  void hold(const support::Event& event, unsigned depth, std::string text);
  void complete(const support::Event& event, unsigned depth, const std::string& name,
                const std::string& result);
  void print(const support::Event& event, unsigned depth, std::string text);

  RunLineSink sink_;
  CallTreeOptions options_;
  std::map<uint32_t, Processor> processors_;
  std::map<uint32_t, Parked> parked_;  ///< by cookie: a secure thread may go on on another processor
  std::optional<Held> held_;
};

}  // namespace trace
