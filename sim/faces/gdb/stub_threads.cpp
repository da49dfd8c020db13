// Which threads there are: the levels of processors, and how clients name them.
#include <fmt/format.h>

#include "sim/faces/gdb/stub.h"
#include "sim/faces/gdb/target_description.h"

namespace faces::gdb {
namespace {

constexpr uint32_t levels = 2;

/// Ids count from 1: 0 and -1 mean any and all.
uint64_t number_of(Thread thread) { return uint64_t{thread.vp} * levels + thread.vtl + 1; }

}  // namespace

std::string Stub::id(Thread thread) const {
  return processes_ ? fmt::format("p{:x}.{:x}", thread.vtl + 1, number_of(thread))
                    : fmt::format("{:x}", number_of(thread));
}

std::optional<Thread> Stub::parse_id(std::string_view text, Thread any) const {
  Fields fields{text};
  if (fields.skip("p")) {
    const std::string_view process = fields.until('.');
    const auto pid = number_from_hex(process);
    if (process != "-1" && !pid) return std::nullopt;
    if (process == "-1" || *pid == 0) return any;
    if (fields.empty() || fields.rest() == "-1" || fields.rest() == "0") {
      const Thread thread{any.vp, static_cast<uint32_t>(*pid - 1)};
      return *pid <= levels ? std::optional{thread} : std::nullopt;
    }
  }
  if (fields.rest() == "-1") return any;
  const auto number = number_from_hex(fields.rest());
  if (!number || *number > uint64_t{1} << 16) return std::nullopt;
  if (*number == 0) return any;
  return Thread{static_cast<uint32_t>((*number - 1) / levels), static_cast<uint32_t>((*number - 1) % levels)};
}

std::optional<Thread> Stub::take_thread(std::string_view& rest) const {
  const size_t suffix = rest.rfind(";thread:");
  if (suffix == std::string_view::npos) return general_;
  std::string_view name = rest.substr(suffix + 8);
  if (name.ends_with(';')) name.remove_suffix(1);
  rest = rest.substr(0, suffix);
  return parse_id(name, general_);
}

Reply Stub::select_general(std::string_view rest) {
  const auto thread = parse_id(rest, general_);
  if (!thread || !target_.exists(*thread)) return wrong("there is no such thread");
  general_ = *thread;
  return "OK";
}

Reply Stub::select_moving(std::string_view rest) {
  const auto thread = parse_id(rest, target_.stop().thread);
  if (!thread || !target_.exists(*thread)) return wrong("there is no such thread");
  moving_ = *thread;
  moving_only_ = rest != "0" && rest != "-1" && !rest.ends_with(".0") && !rest.ends_with(".-1") && rest != "p-1";
  return "OK";
}

Reply Stub::is_alive(std::string_view rest) {
  const auto thread = parse_id(rest, general_);
  return thread && target_.exists(*thread) ? Reply{"OK"} : wrong("there is no such thread");
}

Reply Stub::current_thread(std::string_view) { return "QC" + id(target_.stop().thread); }

Reply Stub::first_threads(std::string_view) {
  std::string list = "m";
  for (const Thread thread : target_.threads()) list += (list.size() > 1 ? "," : "") + id(thread);
  return list;
}

Reply Stub::more_threads(std::string_view) { return "l"; }

std::string Stub::description(Thread thread) {
  const std::string place = target_.place(thread);
  return fmt::format("{}{}{}", target_.active(thread) ? "runs" : "waits", place.empty() ? "" : ", ", place);
}

Reply Stub::thread_description(std::string_view rest) {
  const auto thread = parse_id(rest, general_);
  if (!thread || !target_.exists(*thread)) return wrong("there is no such thread");
  return to_hex(thread_name(*thread) + ": " + description(*thread));
}

std::string Stub::threads_xml() {
  std::string xml = "<?xml version=\"1.0\"?>\n<threads>\n";
  for (const Thread thread : target_.threads())
    xml += fmt::format("<thread id=\"{}\" core=\"{}\" name=\"{}\">{}</thread>\n", id(thread), thread.vp,
                       thread_name(thread), xml_text(description(thread)));
  return xml + "</threads>\n";
}

Reply Stub::thread_stop(std::string_view rest) {
  const auto thread = parse_id(rest, general_);
  if (!thread || !target_.exists(*thread)) return wrong("there is no such thread");
  return *thread == target_.stop().thread ? stop_reply(target_.stop(), *thread) : state_of(*thread, 0, "");
}

Reply Stub::threads_json(std::string_view) {
  rpc::Json list = rpc::Json::array();
  for (const Thread thread : target_.threads()) {
    rpc::Json row = {{"tid", number_of(thread)}, {"name", thread_name(thread)}, {"registers", rpc::Json::object()}};
    const bool stopped = thread == target_.stop().thread;
    row["reason"] = stopped ? "signal" : "none";
    if (stopped) row["signal"] = 5;
    for (const size_t number : {rip_number, rsp_number, rbp_number}) {
      const auto digits = register_digits(thread, number);
      if (digits && is_known(digits.value())) row["registers"][std::to_string(number)] = digits.value();
    }
    list.push_back(std::move(row));
  }
  return list.dump();
}

}  // namespace faces::gdb
