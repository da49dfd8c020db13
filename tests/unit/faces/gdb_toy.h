#pragma once
// A session of a hundred instructions behind the real table, for everything that a debugger may ask of it: two VTLs of
// one processor, of which VTL 1 runs from 40 to 60, and a page that VTL 0 may not read.
#include <fmt/format.h>

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/rpc/dispatcher.h"
#include "sim/rpc/types.h"

namespace test {

class Toy {
 public:
  static constexpr uint64_t last = 100, enters = 40, leaves = 60;
  static constexpr uint64_t code[2] = {0xfffff80000001000, 0xfffff80080001000};
  static constexpr uint64_t secret = 0x7e0000, secret_end = 0x7f0000, unmapped = 0x40000000;

  Toy() {
    serve_session();
    serve_state();
    serve_motion();
    serve_breakpoints();
    serve_names();
  }

  [[nodiscard]] rpc::Dispatcher& api() { return dispatcher_; }
  /// What a queue needs to forget an interrupt that ended nothing.
  void clear_interrupt() { interrupted_ = false; }

  bool endless{};                  ///< `run` goes on until it is interrupted
  std::atomic<bool> running{};
  std::atomic<int> interrupts{};
  bool branch{}, has_vtl1{true};
  std::string written;             ///< what memory.write or registers.write was told last
  std::string guest_says;          ///< printed by the next run
  std::map<uint64_t, rpc::Json> breakpoints;
  uint64_t now{};

  [[nodiscard]] static uint32_t active_at(uint64_t at) { return at >= enters && at < leaves ? 1 : 0; }
  /// VTL 0 and VTL 1 each count the instructions that they executed.
  [[nodiscard]] static uint64_t rip(uint64_t at, uint32_t vtl) {
    const uint64_t in_vtl1 = at < enters ? 0 : at < leaves ? at - enters : leaves - enters;
    return code[vtl] + 4 * (vtl == 1 ? in_vtl1 : at - in_vtl1);
  }

 private:
  using Json = rpc::Json;
  using Parameters = rpc::Parameters;
  using Answer = rpc::Answer;

  static std::string hex(uint64_t number) { return fmt::format("{:#x}", number); }
  static Json place(uint64_t address) { return {{"address", hex(address)}, {"text", hex(address)}}; }

  struct At {
    uint64_t at{};
    uint32_t vp{}, vtl{};
  };
  At at(const Parameters& parameters) const {
    const Json* focus = parameters.member("focus");
    if (focus == nullptr) return {now, 0, active_at(now)};
    return {focus->at("at"), focus->at("vp"), focus->at("vtl")};
  }

  Json stop(const std::string& reason, std::vector<uint64_t> met = {}) {
    const uint32_t vtl = active_at(now);
    Json record = {{"reason", reason},
                   {"focus", {{"at", now}, {"vp", 0}, {"vtl", vtl}}},
                   {"place", place(rip(now, vtl))},
                   {"instruction", now},
                   {"ring", 0},
                   {"waits", false},
                   {"breakpoints", met},
                   {"text", "stopped: " + reason}};
    if (now == last && reason == "end") record["ending"] = "the machine is off";
    dispatcher_.notify("moved", record);
    return {{"stop", record}};
  }

  void serve_session() {
    dispatcher_.serve("hello", [](const Parameters&) -> Answer { return Json{{"processors", 1}}; });
    dispatcher_.serve("status", [this](const Parameters&) -> Answer {
      return Json{{"focus", {{"at", now}, {"vp", 0}, {"vtl", active_at(now)}}}, {"end", last}, {"instructions", now}};
    });
    dispatcher_.serve("console", [this](const Parameters& parameters) -> Answer {
      const std::string line = parameters.text("line");
      if (line != "go 50") return Json{{"output", "you said " + line + "\n"}, {"ended", false}};
      now = 50;
      return Json{{"output", "gone\n"}, {"stop", stop("place")["stop"]}, {"ended", false}};
    });
  }

  Answer registers(const Parameters& parameters) {
    const At where = at(parameters);
    if (where.vp != 0 || where.vtl > 1) return rpc::refuse(rpc::Code::NotThere, "there is no such processor");
    Json rows = Json::array();
    const auto add = [&](const std::string& name, const std::string& value, int bits) {
      rows.push_back({{"name", name}, {"value", value}, {"bits", bits}, {"group", "general"}, {"shared", false}});
    };
    add("rax", "0x1122334455667788", 64);
    add("rsp", hex(0x8000 + 0x1000 * where.vtl), 64);
    add("rip", hex(rip(where.at, where.vtl)), 64);
    add("rflags", "0x246", 64);
    add("cs", "0x10", 16);
    add("kernel_gs_base", "0xfffff80000000abc", 64);
    add("cr3", where.vtl == 0 ? "0x1ad000" : "0x5000", 64);
    add("st0", "0x3fff8000000000000000", 80);
    add("xmm3", "0x000102030405060708090a0b0c0d0e0f", 128);
    return Json{{"registers", rows}, {"active", where.vtl == active_at(where.at)}, {"enabled", where.vtl == 0 || has_vtl1}};
  }

  Answer memory(const Parameters& parameters) {
    const At where = at(parameters);
    const uint64_t from = *parameters.hex("address"), length = parameters.integer("length", 0);
    Json parts = Json::array();
    for (uint64_t offset = 0; offset < length;) {
      const uint64_t address = from + offset, piece = std::min(length - offset, 0x1000 - address % 0x1000);
      const bool denied =
          where.vtl == 0 && address >= secret && address < secret_end && parameters.text("space") == "gva";
      const bool absent = address / unmapped == 1;
      Json part = {{"offset", offset},
                   {"length", piece},
                   {"state", denied   ? "denied"
                             : absent ? "unmapped"
                                      : "readable"}};
      if (!denied && !absent) {
        std::string bytes;
        for (uint64_t i = 0; i < piece; ++i) bytes += fmt::format("{:02x}", (address + i) % 251);
        part["bytes"] = bytes;
      }
      parts.push_back(std::move(part));
      offset += piece;
    }
    return Json{{"parts", parts}};
  }

  void serve_state() {
    dispatcher_.serve("registers", [this](const Parameters& parameters) { return registers(parameters); });
    dispatcher_.serve("memory.read", [this](const Parameters& parameters) { return memory(parameters); });
    dispatcher_.serve("walk", [](const Parameters& parameters) -> Answer {
      return Json{{"references", Json::array()}, {"granted", parameters.text("access") != "write"}, {"rule", ""},
                  {"rights", Json::array()}, {"text", ""}};
    });
    const auto write = [this](const Parameters& parameters, std::string what) -> Answer {
      if (!branch) return rpc::refuse(rpc::Code::Refused, "the recording stays as it is outside a branch");
      written = std::move(what) + fmt::format(" vtl {}", parameters.integer("vtl", 9));
      return Json{{"branch", "b"}};
    };
    dispatcher_.serve("memory.write", [write](const Parameters& parameters) {
      return write(parameters,
                   parameters.text("space") + " " + parameters.text("address") + " " + parameters.text("bytes"));
    });
    dispatcher_.serve("registers.write", [write](const Parameters& parameters) {
      return write(parameters, parameters.text("name") + " " + parameters.text("value"));
    });
  }

  /// The breakpoints that are met by arriving at `now` from `from`.
  [[nodiscard]] std::vector<uint64_t> met(uint64_t from) const {
    std::vector<uint64_t> ids;
    for (const auto& [id, set] : breakpoints) {
      const std::string kind = set.at("kind"), what = set.at("what");
      if (kind == "code" && rpc::hex_number(what) == rip(now, active_at(now))) ids.push_back(id);
      if (kind == "vtl" && active_at(from) != active_at(now) && what == std::to_string(active_at(now)))
        ids.push_back(id);
      // The only write: instruction 50, to 0x6000 in VTL 1.
      if ((kind == "write" || kind == "access") && what.starts_with("gva:0x6000+") && set.value("vtl", 1) == 1 &&
          now == 51)
        ids.push_back(id);
    }
    return ids;
  }

  Answer run(bool back) {
    if (!guest_says.empty()) dispatcher_.notify("output", {{"text", std::exchange(guest_says, {})}});
    if (endless) {
      running = true;
      running.notify_all();
      interrupted_.wait(false);
      running = false;
      running.notify_all();
    }
    if (interrupted_.exchange(false)) return stop("interrupted");
    while (back ? now > 0 : now < last) {
      const uint64_t from = now;
      now = back ? now - 1 : now + 1;
      const auto ids = met(from);
      if (ids.empty()) continue;
      const std::string kind = breakpoints.at(ids.front()).at("kind");
      return stop(kind == "code" ? "breakpoint" : kind == "vtl" ? "event" : "watchpoint", ids);
    }
    return stop(back ? "beginning" : "end");
  }

  void serve_motion() {
    dispatcher_.serve("focus", [this](const Parameters&) -> Answer { return stop("place"); });
    dispatcher_.serve("step", [this](const Parameters& parameters) -> Answer {
      const bool back = parameters.flag("back");
      if (back ? now == 0 : now == last) return stop(back ? "beginning" : "end");
      now = back ? now - 1 : now + 1;
      return stop("step");
    });
    dispatcher_.serve("run", [this](const Parameters& parameters) { return run(parameters.flag("back")); });
  }

  void serve_breakpoints() {
    dispatcher_.serve("breakpoint.set", [this](const Parameters& parameters) -> Answer {
      Json set = {{"kind", parameters.text("kind")}, {"what", parameters.text("what")}};
      if (parameters.has("vtl")) set["vtl"] = parameters.integer("vtl", 0);
      breakpoints[++next_id_] = set;
      return Json{{"breakpoint", {{"id", next_id_}}}};
    });
    dispatcher_.serve("breakpoint.remove", [this](const Parameters& parameters) -> Answer {
      breakpoints.erase(parameters.integer("id", 0));
      return Json::object();
    });
  }

  void serve_names() {
    dispatcher_.serve("modules", [](const Parameters&) -> Answer {
      Json module = {{"name", "securekernel"},
                     {"file", "securekernel.exe"},
                     {"base", "0xfffff80080000000"},
                     {"size", "0x4000"},
                     {"vtl", 1},
                     {"symbols", "pdb"}};
      return Json{{"modules", Json::array({module})}};
    });
    dispatcher_.serve("symbols.at", [](const Parameters& parameters) -> Answer {
      return Json{{"place", place(*parameters.hex("address"))}};
    });
    dispatcher_.serve("symbols.find", [](const Parameters&) -> Answer {
      Json symbols = Json::array();
      const auto add = [&](const char* module, const char* name, uint64_t address) {
        symbols.push_back(
            {{"place", {{"address", hex(address)}, {"module", module}, {"symbol", name}, {"text", fmt::format("{}!{}", module, name)}}}});
      };
      add("nt", "KeBugCheck", code[0] + 0x40);
      add("securekernel", "SkEntry", code[1]);
      add("securekernel", "SkCall", code[1] + 0x20);
      return Json{{"symbols", symbols}, {"more", false}};
    });
  }

  std::atomic<bool> interrupted_{};
  rpc::Dispatcher dispatcher_{[this] {
    ++interrupts;
    interrupted_ = true;
    interrupted_.notify_all();
  }};
  uint64_t next_id_{};
};

}  // namespace test
