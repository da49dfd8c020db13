#pragma once
// One client of the Debug Adapter Protocol: requests in, responses and events out, over the debugger's interface.
//
// VTLs are threads: each virtual processor has one for each of its VTLs. Values that are asked for by reference live until the
// machine moves. Everything happens on the session's thread.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/faces/view.h"
#include "sim/rpc/api.h"
#include "sim/support/result.h"

namespace faces::dap {

struct SessionOptions {
  /// Opens what a launch request names, if it is not open already. `program` is empty where the request names nothing.
  std::function<support::Status(const std::string& program, const Json& arguments)> open;
};

class Session {
 public:
  using Send = std::function<void(const Json& message)>;

  /// `api` must outlive this.
  Session(rpc::Api& api, SessionOptions options, Send send);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// A message of the client. Responses and events are sent before this returns, those to a motion when it ends.
  void handle(const Json& message);
  /// What arrived and is no message.
  void complain(const std::string& why);
  /// The client took its leave.
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  using Answer = support::Result<Json>;
  using Handler = Answer (Session::*)(const Json& arguments);
  struct Request {
    std::string_view command;
    Handler handler;
    bool before_launch{};  ///< can be asked when nothing is debugged yet
  };
  static const Request requests[];
  static const Request* find_request(std::string_view command);

  /// What a client may unfold.
  struct Container {
    std::function<Answer()> list;  ///< a list of Variables
    std::function<Answer(const std::string& name, const std::string& value)> set;  ///< empty: nothing can be changed
    std::string registers_of;      ///< of registers: "vp0.vtl1.", for breakpoints on them
  };

  /// A breakpoint of the client: those of the interface that it stands for.
  struct Held {
    std::vector<Json> parameters;  ///< of breakpoint.set
    std::vector<uint64_t> ids;
    std::vector<Json> shown;       ///< record Breakpoint
    uint64_t number{};             ///< by which the client knows it
    std::string log;               ///< of a log point: what to print instead of stopping
    std::string file;              ///< of a source line that no loaded image has yet
    uint64_t line{};
    Json options;                  ///< of a source line: condition and ignore
    std::string refused;           ///< why it could not be set
  };
  using Group = std::vector<Held>;

  // session.cpp
  void respond(const Json& request, const Answer& answer);
  void event(std::string_view name, Json body = Json());
  void output(std::string_view category, const std::string& text);
  void on(std::string_view notification, const Json& parameters);
  Answer ask(std::string_view method, const Json& parameters = Json::object());
  Answer initialize(const Json& arguments);
  Answer launch(const Json& arguments);
  Answer configuration_done(const Json& arguments);
  Answer disconnect(const Json& arguments);
  Answer terminate(const Json& arguments);
  void after(std::function<void()> work) { after_.push_back(std::move(work)); }
  [[nodiscard]] uint64_t to_client_line(uint64_t line) const { return line == 0 || lines_from_1_ ? line : line - 1; }
  [[nodiscard]] uint64_t from_client_line(uint64_t line) const { return lines_from_1_ ? line : line + 1; }

  // session_breakpoints.cpp
  Answer set_source_breakpoints(const Json& arguments);
  Answer set_function_breakpoints(const Json& arguments);
  Answer set_instruction_breakpoints(const Json& arguments);
  Answer set_data_breakpoints(const Json& arguments);
  Answer set_exception_breakpoints(const Json& arguments);
  Answer data_breakpoint_info(const Json& arguments);
  Answer replace(const std::string& group, std::vector<Held> wanted);
  void set(Held& held);
  [[nodiscard]] Json shown(const Held& held) const;
  support::Result<Json> places_of(const std::string& file, uint64_t line);
  void resolve_lines();
  void watch_for_images();
  void breakpoints_changed(const Json& parameters);
  [[nodiscard]] Json filters();

  // session_motion.cpp
  Answer continue_on(const Json& arguments);
  Answer reverse_continue(const Json& arguments);
  Answer next(const Json& arguments);
  Answer step_in(const Json& arguments);
  Answer step_out(const Json& arguments);
  Answer step_back(const Json& arguments);
  Answer pause(const Json& arguments);
  Answer go_to(const Json& arguments);
  Answer go_to_targets(const Json& arguments);
  Answer exception_info(const Json& arguments);
  Answer step(const Json& arguments, std::string_view kind, bool back);
  void move(const std::string& method, const Json& parameters, const std::string& reason);
  bool passes_over(const Json& stop);
  void stopped(const Json& stop, const std::string& reason);
  [[nodiscard]] std::string reason_of(const Json& stop, const std::string& otherwise) const;
  void forget_references();

  // session_state.cpp
  Answer threads(const Json& arguments);
  Answer stack_trace(const Json& arguments);
  Answer scopes(const Json& arguments);
  Answer variables(const Json& arguments);
  Answer set_variable(const Json& arguments);
  Answer evaluate(const Json& arguments);
  Answer completions(const Json& arguments);
  Answer modules(const Json& arguments);
  Answer source(const Json& arguments);
  uint64_t contain(Container container);
  Json scope(const std::string& name, Container container, const std::string& hint = {});
  Container registers_of(const Json& focus);
  Container register_group(const Json& focus, const std::string& group);
  Container kernel_structures(const Json& focus);
  Container kernel_table(const Json& focus, const std::string& what);
  Container processes(const Json& focus);
  Container trustlets(const Json& focus);
  Container events_at(const Json& focus);
  Container fields(const Json& list);
  Answer list_registers(const Json& focus, const std::string& group, bool with_groups);
  Answer set_register(const Json& focus, const std::string& name, const std::string& value);
  Answer repl(const std::string& line);
  support::Result<Json> frame_focus(const Json& arguments);
  Json source_of(const std::string& file);
  void tell_modules();

  // session_memory.cpp
  Answer read_memory(const Json& arguments);
  Answer write_memory(const Json& arguments);
  Answer disassemble(const Json& arguments);
  support::Status need_branch();
  void changed(std::optional<uint64_t> address, uint64_t bytes);

  rpc::Api& api_;
  SessionOptions options_;
  Send send_;
  size_t listener_{};
  uint64_t sequence_{};
  std::vector<std::function<void()>> after_;  ///< what follows the response

  // What the client said about itself.
  bool lines_from_1_{true}, columns_from_1_{true}, knows_memory_events_{}, knows_invalidated_{};
  bool launched_{}, configured_{}, stop_on_entry_{true}, moving_{}, ended_{};

  std::map<std::string, Group> breakpoints_;  ///< by "source FILE", "function", "instruction", "data", "exception"
  uint64_t next_breakpoint_{1};
  std::optional<uint64_t> image_watch_;       ///< id of our own breakpoint on image loads
  uint64_t processors_{1};
  Json last_stop_ = Json::object();

  // References that the client has; cleared when the machine moves. Numbers are not used again.
  std::map<uint64_t, Json> frames_;
  std::map<uint64_t, Container> containers_;
  std::map<uint64_t, uint64_t> targets_;      ///< of goto: address
  uint64_t next_reference_{1};

  std::map<std::string, Json> sources_;       ///< by the name that a PDB has for it
  std::vector<std::string> source_references_;
  std::map<std::string, Json> modules_;       ///< as the client knows them
};

/// Base64 of RFC 4648, as messages carry memory.
[[nodiscard]] std::string base64(const std::vector<uint8_t>& bytes);
[[nodiscard]] std::optional<std::vector<uint8_t>> from_base64(std::string_view text);

/// The number of a thread: of a VTL of a virtual processor.
[[nodiscard]] uint64_t thread_of(uint64_t vp, uint64_t vtl);
[[nodiscard]] uint64_t vp_of(uint64_t thread);
[[nodiscard]] uint64_t vtl_of(uint64_t thread);

}  // namespace faces::dap
