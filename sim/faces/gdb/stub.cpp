#include "sim/faces/gdb/stub.h"

#include <fmt/format.h>

#include <algorithm>

#include "sim/faces/gdb/packet.h"

namespace faces::gdb {

// Names are looked for from top to bottom; single letters stand last.
const Stub::Row Stub::rows[] = {
    {"qSupported", &Stub::supported},
    {"QStartNoAckMode", &Stub::no_acks},
    {"qAttached", &Stub::yes},
    {"QThreadSuffixSupported", &Stub::thread_suffixes},
    {"QListThreadsInStopReply", &Stub::threads_in_stop_replies},
    {"QEnableErrorStrings", &Stub::error_texts},
    {"qRcmd", &Stub::monitor},
    {"qC", &Stub::current_thread},
    {"qfThreadInfo", &Stub::first_threads},
    {"qsThreadInfo", &Stub::more_threads},
    {"qThreadExtraInfo", &Stub::thread_description},
    {"qThreadStopInfo", &Stub::thread_stop, false},
    {"jThreadsInfo", &Stub::threads_json},
    {"qqemu.PhyMemMode", &Stub::physical_mode},
    {"Qqemu.PhyMemMode", &Stub::set_physical_mode},
    {"qMemoryRegionInfo", &Stub::memory_region},
    {"qHostInfo", &Stub::host},
    {"qProcessInfo", &Stub::process},
    {"qXfer", &Stub::transfer},
    {"vFile", &Stub::file},
    {"vCont?", &Stub::run_kinds},
    {"vCont", &Stub::resume},
    {"vKill", &Stub::kill_process},
    {"bs", &Stub::step_back},
    {"bc", &Stub::run_back},
    {"!", &Stub::ok},
    {"?", &Stub::why_stopped},
    {"Hg", &Stub::select_general, false},
    {"Hc", &Stub::select_moving, false},
    {"T", &Stub::is_alive, false},
    {"g", &Stub::read_registers},
    {"G", &Stub::write_registers, false},
    {"p", &Stub::read_register, false},
    {"P", &Stub::write_register, false},
    {"m", &Stub::read_memory, false},
    {"M", &Stub::write_memory_hex, false},
    {"X", &Stub::write_memory, false},
    {"c", &Stub::run_on},
    {"s", &Stub::step_on},
    {"Z", &Stub::insert_breakpoint, false},
    {"z", &Stub::remove_breakpoint, false},
    {"D", &Stub::detach},
    {"k", &Stub::kill},
};

Stub::Stub(rpc::Api& api, const StubOptions& options, Send send)
    : api_{api}, target_{api}, options_{options}, send_{std::move(send)}, files_{target_} {
  const Done connected = target_.connect();
  connected_ = connected.ok();
  if (!connected_) connect_problem_ = connected.error().message;
  general_ = moving_ = target_.stop().thread;
  listener_ = api_.listen([this](std::string_view notification, const rpc::Json& parameters) {
    if (notification == "moved") target_.moved(parameters);
    if (notification == "output" && in_motion_ && parameters.contains("text") && parameters["text"].is_string())
      print(parameters["text"].get_ref<const std::string&>());
  });
}

Stub::~Stub() = default;

void Stub::leave() {
  api_.forget(listener_);
  for (const auto& [point, ids] : points_)
    for (const uint64_t id : ids) target_.remove_breakpoint(id);
  points_.clear();
}

Reply Stub::handle(std::string_view packet) {
  if (!connected_) return refusal({rpc::Code::Refused, connect_problem_});
  constexpr std::string_view separators = ":;,";
  for (const Row& row : rows) {
    if (!packet.starts_with(row.name)) continue;
    std::string_view rest = packet.substr(row.name.size());
    if (row.exact && !rest.empty()) {
      if (separators.find(rest.front()) == std::string_view::npos) continue;
      rest.remove_prefix(1);
    }
    return (this->*row.handler)(rest);
  }
  return "";
}

Reply Stub::refusal(const Refusal& refusal) const {
  if (error_texts_) return "E01;" + to_hex(refusal.message);
  if (lldb_) return "E01";  // it takes no other form
  std::string text = refusal.message;
  const auto is_odd = [](char c) { return static_cast<uint8_t>(c) < ' ' || static_cast<uint8_t>(c) >= 0x7f; };
  std::replace_if(text.begin(), text.end(), is_odd, ' ');
  constexpr size_t longest = 500;
  return "E." + text.substr(0, longest);
}

Reply Stub::wrong(std::string_view what) const { return refusal({rpc::Code::InvalidParameters, std::string{what}}); }

Reply Stub::ok(std::string_view) { return "OK"; }
Reply Stub::yes(std::string_view) { return "1"; }

Reply Stub::supported(std::string_view rest) {
  Fields features{rest};
  bool multiprocess = false;
  while (!features.empty()) {
    const std::string_view feature = features.until(';');
    multiprocess |= feature == "multiprocess+";
    swbreak_ |= feature == "swbreak+";
    hwbreak_ |= feature == "hwbreak+";
  }
  processes_ = options_.vtl_is_process && multiprocess;
  return fmt::format(
      "PacketSize={:x};QStartNoAckMode+;qXfer:features:read+;qXfer:memory-map:read+;qXfer:threads:read+;"
      "qXfer:libraries:read+;"
      "qXfer:exec-file:read+;ReverseStep+;ReverseContinue+;vContSupported+;swbreak+;hwbreak+;ConditionalBreakpoints-{}",
      maximum_packet, options_.vtl_is_process ? ";multiprocess+" : "");
}

Reply Stub::no_acks(std::string_view) {
  Reply reply{"OK"};
  reply.no_acks = true;
  return reply;
}

Reply Stub::thread_suffixes(std::string_view) {
  lldb_ = true;
  return "OK";
}

Reply Stub::threads_in_stop_replies(std::string_view) {
  list_threads_ = true;
  return "OK";
}

Reply Stub::error_texts(std::string_view) {
  error_texts_ = true;
  return "OK";
}

Reply Stub::detach(std::string_view) {
  for (const auto& [point, ids] : points_)
    for (const uint64_t id : ids) target_.remove_breakpoint(id);
  points_.clear();
  return "OK";
}

/// The session is not gdb's to end: only the connection is.
Reply Stub::kill(std::string_view) {
  Reply reply{""};
  reply.answers = false;
  reply.goodbye = true;
  return reply;
}

Reply Stub::kill_process(std::string_view) {
  Reply reply{"OK"};
  reply.goodbye = true;
  return reply;
}

void Stub::print(std::string_view text) {
  constexpr size_t piece = 1024;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) send_("O" + to_hex(text.substr(0, piece)));
}

Reply Stub::monitor(std::string_view rest) {
  const auto line = text_from_hex(rest);
  if (!line) return wrong("the command is not in hexadecimal digits");
  const auto said = target_.console(*line);
  if (!said) {
    print(said.error().message + "\n");
    return "OK";
  }
  print(said.value().output);
  if (said.value().moved) print("(the session has moved; `maintenance flush register-cache` shows gdb where)\n");
  return "OK";
}

}  // namespace faces::gdb
