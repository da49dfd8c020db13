#pragma once
// What a gdb or lldb asks, and what the session answers: the commands of the remote protocol.
// Everything here runs on the session's thread; who reads and writes sockets is server.h.
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/faces/gdb/files.h"
#include "sim/faces/gdb/hex.h"
#include "sim/faces/gdb/target.h"

namespace faces::gdb {

struct StubOptions {
  /// Clients that can have each VTL as a process, with breakpoints of its own, instead of as a thread, get it.
  bool vtl_is_process{};
};

/// What follows a packet.
struct Reply {
  Reply(std::string text) : data{std::move(text)} {}
  Reply(const char* text) : data{text} {}

  std::string data;
  bool answers{true};  ///< false: nothing is sent
  bool goodbye{};      ///< the connection ends once it was sent
  bool no_acks{};      ///< after it, packets are no longer acknowledged
};

class Stub {
 public:
  /// Sends a packet before the reply, such as what a guest prints while it runs.
  using Send = std::function<void(std::string_view data)>;

  Stub(rpc::Api& api, const StubOptions& options, Send send);
  ~Stub();
  Stub(const Stub&) = delete;
  Stub& operator=(const Stub&) = delete;

  /// The reply to a packet; empty for one that is not known, as the protocol wants it.
  [[nodiscard]] Reply handle(std::string_view packet);
  /// The client is gone: what it set is removed. To be called before the end, on the session's thread.
  void leave();

 private:
  using Handler = Reply (Stub::*)(std::string_view rest);
  struct Row {
    std::string_view name;
    Handler handler;
    bool exact{true};  ///< false: something may follow the name at once
  };
  static const Row rows[];

  // --- the conversation (stub.cpp)
  Reply supported(std::string_view rest);
  Reply no_acks(std::string_view rest);
  Reply ok(std::string_view rest);
  Reply yes(std::string_view rest);
  Reply detach(std::string_view rest);
  Reply kill(std::string_view rest);
  Reply kill_process(std::string_view rest);
  Reply thread_suffixes(std::string_view rest);
  Reply threads_in_stop_replies(std::string_view rest);
  Reply error_texts(std::string_view rest);
  Reply monitor(std::string_view rest);
  [[nodiscard]] Reply refusal(const Refusal& refusal) const;
  [[nodiscard]] Reply wrong(std::string_view what) const;
  void print(std::string_view text);

  // --- threads (stub_threads.cpp)
  Reply select_general(std::string_view rest);
  Reply select_moving(std::string_view rest);
  Reply is_alive(std::string_view rest);
  Reply current_thread(std::string_view rest);
  Reply first_threads(std::string_view rest);
  Reply more_threads(std::string_view rest);
  Reply thread_description(std::string_view rest);
  Reply thread_stop(std::string_view rest);
  Reply threads_json(std::string_view rest);
  [[nodiscard]] std::string id(Thread thread) const;
  /// A thread by its id; `any` for 0 and -1. Nothing for what is no id.
  [[nodiscard]] std::optional<Thread> parse_id(std::string_view id, Thread any) const;
  [[nodiscard]] std::string description(Thread thread);
  [[nodiscard]] std::string threads_xml();
  /// Takes ";thread:ID;" away from the end of lldb's packets.
  [[nodiscard]] std::optional<Thread> take_thread(std::string_view& rest) const;

  // --- registers and memory (stub_state.cpp)
  Reply read_registers(std::string_view rest);
  Reply write_registers(std::string_view rest);
  Reply read_register(std::string_view rest);
  Reply write_register(std::string_view rest);
  Reply read_memory(std::string_view rest);
  Reply write_memory_hex(std::string_view rest);
  Reply write_memory(std::string_view rest);
  Reply physical_mode(std::string_view rest);
  Reply set_physical_mode(std::string_view rest);
  Reply memory_region(std::string_view rest);
  Reply host(std::string_view rest);
  Reply process(std::string_view rest);
  /// Little-endian digits; of a register that this target does not have, an x for each.
  [[nodiscard]] Answered<std::string> register_digits(Thread thread, size_t number);
  [[nodiscard]] static bool is_known(std::string_view digits) { return !digits.starts_with('x'); }

  // --- motion (stub_motion.cpp)
  Reply why_stopped(std::string_view rest);
  Reply run_on(std::string_view rest);
  Reply run_kinds(std::string_view rest);
  Reply resume(std::string_view rest);
  Reply step_on(std::string_view rest);
  Reply step_back(std::string_view rest);
  Reply run_back(std::string_view rest);
  /// Steps `thread`, be it active or not. `only`: the client wants the others to stand still, and hears of this one.
  Reply step(Thread thread, bool back, bool only);
  Reply run(bool back);
  Reply arrived(const Answered<Stop>& stop, std::optional<Thread> reported = {});
  [[nodiscard]] Answered<Stop> step_inactive(Thread thread, bool back);
  [[nodiscard]] std::string stop_reply(const Stop& stop, Thread thread);
  [[nodiscard]] std::string state_of(Thread thread, int signal, std::string_view cause);
  [[nodiscard]] std::string stop_cause(const Stop& stop) const;

  // --- breakpoints (stub_breakpoints.cpp)
  Reply insert_breakpoint(std::string_view rest);
  Reply remove_breakpoint(std::string_view rest);
  struct Point {
    uint64_t type{}, address{}, length{};
    uint32_t vtl{};  ///< where VTLs are processes; else 0
    friend auto operator<=>(const Point&, const Point&) = default;
  };
  [[nodiscard]] std::optional<Point> parse_point(std::string_view rest) const;
  [[nodiscard]] Answered<std::vector<uint64_t>> set_point(const Point& point);

  // --- documents and files (stub_files.cpp)
  Reply transfer(std::string_view rest);
  Reply file(std::string_view rest);
  [[nodiscard]] Answered<std::string> document(std::string_view object, std::string_view annex);
  [[nodiscard]] Answered<std::string> libraries_xml();

  rpc::Api& api_;
  Target target_;
  StubOptions options_;
  Send send_;
  size_t listener_{};
  bool connected_{}, in_motion_{};
  std::string connect_problem_;
  Thread general_, moving_;    ///< Hg and Hc
  bool moving_only_{};         ///< Hc named one thread
  bool processes_{}, swbreak_{}, hwbreak_{};  ///< what was agreed on
  bool lldb_{}, list_threads_{}, error_texts_{}, physical_{};
  std::map<Point, std::vector<uint64_t>> points_;
  std::string document_name_, document_;
  Files files_;
};

}  // namespace faces::gdb
