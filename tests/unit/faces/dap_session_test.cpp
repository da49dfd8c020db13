// What a client of the Debug Adapter Protocol is answered, and what the interface is asked for it.
#include <algorithm>

#include "sim/faces/dap/session.h"
#include "tests/unit/faces/fake_api.h"

using namespace faces::dap;
using Catch::Matchers::ContainsSubstring;
using rpc::Json;
using test::FakeApi;

namespace {

/// A client and what it received.
struct Client {
  FakeApi api;
  std::vector<Json> received;
  std::optional<Session> session;
  uint64_t sequence{};

  explicit Client(bool launch = true) {
    test::stand_still(api);
    api.answer("hello", {{"program", "airlock"}, {"version", "1"}, {"protocol", 1}, {"live", true}, {"processors", 1}, {"memory", "0x100000"},
                         {"configuration", "00"}, {"methods", Json::array()}});
    api.answer_with("focus", [this](const Json&) -> rpc::Answer {
      api.notify("moved", test::stop("place", 4014436, 1));  // as the interface does, for all clients
      return Json{{"stop", test::stop("place", 4014436, 1)}};
    });
    api.answer("modules", {{"modules", Json::array()}});
    api.answer("breakpoint.events", {{"kinds", {{{"name", "vtl-call"}, {"type", "a call"}, {"offset", 0}, {"size", 0}}}}});
    api.answer_with("breakpoint.set", [this](const Json& wanted) -> rpc::Answer {
      Json breakpoint{{"id", ++breakpoints}, {"kind", wanted["kind"]}, {"what", wanted["what"]}, {"text", ""},         {"ignore", 0},
                      {"hits", 0},           {"enabled", true},         {"temporary", false},     {"resolved", resolves}};
      return Json{{"breakpoint", breakpoint}};
    });
    api.answer("breakpoint.remove", Json::object());
    session.emplace(api, SessionOptions{}, [this](const Json& message) { received.push_back(message); });
    if (!launch) return;
    (void)ask("initialize", {{"adapterID", "airlock"}, {"supportsMemoryEvent", true}, {"supportsInvalidatedEvent", true}});
    (void)ask("launch", Json::object());
    (void)ask("configurationDone", Json::object());
    received.clear();
    api.calls.clear();
  }

  /// The response; events stay in `received`.
  Json ask(const std::string& command, Json arguments) {
    session->handle({{"seq", ++sequence}, {"type", "request"}, {"command", command}, {"arguments", std::move(arguments)}});
    for (const Json& message : received)
      if (message["type"] == "response" && message["request_seq"] == sequence) {
        EXPECT(message["command"] == command);
        return message;
      }
    FAIL("no response to " << command);
    return {};
  }
  Json body(const std::string& command, Json arguments) {
    const Json response = ask(command, std::move(arguments));
    INFO(response.dump(2));
    REQUIRE(response["success"] == true);
    return response.contains("body") ? response["body"] : Json::object();
  }
  const Json* event(const std::string& name) const {
    const auto found = std::ranges::find_if(received, [&](const Json& message) { return message.contains("event") && message["event"] == name; });
    return found == received.end() ? nullptr : &*found;
  }
  bool asked(const std::string& call) const { return std::ranges::find(api.calls, call) != api.calls.end(); }

  uint64_t breakpoints{};
  bool resolves{true};
};

}  // namespace

TEST_CASE("a session begins with its capabilities, its filters and where it stands", "[dap]") {
  Client client{false};
  const Json capabilities = client.body("initialize", {{"adapterID", "airlock"}});
  for (const char* name : {"supportsStepBack", "supportsDisassembleRequest", "supportsReadMemoryRequest", "supportsDataBreakpoints"})
    EXPECT(capabilities[name] == true);
  EXPECT(client.event("initialized") == nullptr);
  (void)client.body("launch", Json::object());
  REQUIRE(client.event("capabilities") != nullptr);
  EXPECT((*client.event("capabilities"))["body"]["capabilities"]["exceptionBreakpointFilters"][0]["filter"] == "vtl-call");
  REQUIRE(client.event("initialized") != nullptr);
  (void)client.body("configurationDone", Json::object());
  const Json* stopped = client.event("stopped");
  REQUIRE(stopped != nullptr);
  EXPECT((*stopped)["body"]["reason"] == "entry");
  EXPECT(std::ranges::count_if(client.received, [](const Json& message) { return message.contains("event") && message["event"] == "stopped"; }) == 1);
  EXPECT((*stopped)["body"]["threadId"] == thread_of(0, 1));
}

TEST_CASE("what cannot be done now is refused with its reason, whatever was asked", "[dap]") {
  Client client{false};
  EXPECT(client.ask("stackTrace", {{"threadId", 1}})["message"] == "stackTrace: nothing is debugged yet; launch or attach comes first");
  CHECK_THAT(client.ask("frobnicate", Json::object())["message"].get<std::string>(), ContainsSubstring("'frobnicate' is not known"));
  client.session->handle({{"seq", 1}, {"type", "nonsense"}});
  REQUIRE(client.event("output") != nullptr);
  Client running;
  EXPECT(running.ask("launch", Json::object())["success"] == false);
  EXPECT(running.ask("scopes", {{"frameId", 12345}})["message"] == "this frame is gone: the machine has moved since");
  EXPECT(running.ask("variables", {{"variablesReference", 99}})["success"] == false);
  EXPECT(running.ask("goto", {{"targetId", 5}})["success"] == false);
  EXPECT(running.ask("readMemory", {{"memoryReference", "x"}, {"count", 4}})["success"] == false);
  EXPECT(running.ask("stackTrace", {{"threadId", 0}})["success"] == false);
  EXPECT(running.ask("stackTrace", {{"threadId", 1000}})["success"] == false);
}

TEST_CASE("motion is answered at once, and its end is an event", "[dap]") {
  struct Row {
    std::string command;
    Json arguments;
    std::string call, method;
  };
  const Row row = GENERATE(values<Row>({
      {"continue", {{"threadId", 1}}, "run {}", "run"},
      {"reverseContinue", {{"threadId", 1}}, R"(run {"back":true})", "run"},
      {"next", {{"threadId", 1}}, R"(step {"kind":"over"})", "step"},
      {"stepIn", {{"threadId", 1}}, R"(step {"kind":"into"})", "step"},
      {"stepOut", {{"threadId", 1}}, R"(step {"kind":"out"})", "step"},
      {"stepBack", {{"threadId", 1}}, R"(step {"kind":"over","back":true})", "step"},
  }));
  Client client;
  client.api.answer(row.method, {{"stop", test::stop("step", 5, 0)}});
  (void)client.body(row.command, row.arguments);
  EXPECT(client.asked(row.call));
  REQUIRE(client.received.size() >= 2);
  EXPECT(client.received[0]["type"] == "response");
  const Json* stopped = client.event("stopped");
  REQUIRE(stopped != nullptr);
  EXPECT((*stopped)["body"]["reason"] == "step");
  EXPECT((*stopped)["body"]["threadId"] == thread_of(0, 0));
}

TEST_CASE("steps go by line where there are lines, unless instructions are asked for", "[dap]") {
  Client client;
  Json stop = test::stop("step", 5, 0);
  stop["place"]["file"] = "a.cpp";
  stop["place"]["line"] = 7;
  client.api.answer("step", {{"stop", stop}});
  (void)client.body("next", {{"threadId", 1}});
  (void)client.body("next", {{"threadId", 1}});
  EXPECT(client.asked(R"(step {"kind":"over","by":"line"})"));
  (void)client.body("stepIn", {{"threadId", 1}, {"granularity", "instruction"}});
  EXPECT(client.asked(R"(step {"kind":"into"})"));
}

TEST_CASE("a motion that is refused still stops, so that the client does not wait", "[dap]") {
  Client client;
  client.api.refuse("run", "there is nothing behind the end");
  (void)client.body("continue", {{"threadId", 1}});
  const Json* stopped = client.event("stopped");
  REQUIRE(stopped != nullptr);
  EXPECT((*stopped)["body"]["reason"] == "pause");
  EXPECT((*stopped)["body"]["text"] == "there is nothing behind the end");
}

TEST_CASE("breakpoints that stay keep their hits, those that go are removed", "[dap]") {
  Client client;
  const auto set = [&](std::vector<std::string> names) {
    Json list = Json::array();
    for (const std::string& name : names) list.push_back({{"name", name}});
    return client.body("setFunctionBreakpoints", {{"breakpoints", list}})["breakpoints"];
  };
  const Json first = set({"nt!A", "nt!B"});
  EXPECT(first[0]["verified"] == true);
  const Json second = set({"nt!B", "nt!C"});
  EXPECT(second[0]["id"] == first[1]["id"]);
  EXPECT(second[1]["id"] != first[0]["id"]);
  EXPECT(client.asked(R"(breakpoint.remove {"id":1})"));
  EXPECT(!client.asked(R"(breakpoint.remove {"id":2})"));
  (void)client.body("disconnect", Json::object());
  EXPECT(client.asked(R"(breakpoint.remove {"id":2})"));
  EXPECT(client.asked(R"(breakpoint.remove {"id":3})"));
  EXPECT(client.session->ended());
}

TEST_CASE("conditions, hits and refusals of breakpoints", "[dap]") {
  Client client;
  (void)client.body("setInstructionBreakpoints", {{"breakpoints", {{{"instructionReference", "0x1000"}, {"offset", -16}, {"condition", "rax == 1"}, {"hitCondition", "3"}}}}});
  EXPECT(client.asked(R"(breakpoint.set {"kind":"code","what":"0xff0","condition":"rax == 1","ignore":2})"));
  const Json bad = client.body("setInstructionBreakpoints", {{"breakpoints", {{{"instructionReference", "0x1000"}, {"hitCondition", "often"}}}}});
  EXPECT(bad["breakpoints"][0]["verified"] == false);
  CHECK_THAT(bad["breakpoints"][0]["message"].get<std::string>(), ContainsSubstring("'often' is no number of hits"));
  client.resolves = false;
  const Json later = client.body("setFunctionBreakpoints", {{"breakpoints", {{{"name", "vmsp!Later"}}}}});
  EXPECT(later["breakpoints"][0]["verified"] == false);
  client.api.notify("breakpoints", {{"breakpoints", {{{"id", client.breakpoints}, {"resolved", true}}}}});
  const Json* changed = client.event("breakpoint");
  REQUIRE(changed != nullptr);
  EXPECT((*changed)["body"]["breakpoint"]["verified"] == true);
}

TEST_CASE("events are exception filters, with conditions", "[dap]") {
  Client client;
  (void)client.body("setExceptionBreakpoints", {{"filters", {"vtl-call"}}, {"filterOptions", {{{"filterId", "hypercall"}, {"condition", "status != 0"}}}}});
  EXPECT(client.asked(R"(breakpoint.set {"kind":"event","what":"vtl-call"})"));
  EXPECT(client.asked(R"(breakpoint.set {"kind":"event","what":"hypercall","condition":"status != 0"})"));
  Json stop = test::stop("breakpoint", 5, 0, "VTL call.");
  stop["breakpoints"] = {1};
  client.api.answer("run", {{"stop", stop}});
  (void)client.body("continue", {{"threadId", 1}});
  const Json* stopped = client.event("stopped");
  REQUIRE(stopped != nullptr);
  EXPECT((*stopped)["body"]["reason"] == "exception");
  EXPECT((*stopped)["body"]["text"] == "VTL call.");
}

TEST_CASE("a source line is found by ever shorter ends of its path, or waits for its image", "[dap]") {
  Client client;
  bool loaded = true;
  client.api.answer_with("source.places", [&](const Json& wanted) -> rpc::Answer {
    if (!loaded || wanted["file"] != "ske/processor.cpp") return Json{{"places", Json::array()}};
    return Json{{"line", 12}, {"places", {test::place(0x1000, "securekernel", "A"), test::place(0x2000, "securekernel", "B")}}};
  });
  const Json source{{"path", "/somewhere/else/ske/processor.cpp"}};
  const Json found = client.body("setBreakpoints", {{"source", source}, {"breakpoints", {{{"line", 10}}}}});
  EXPECT(found["breakpoints"][0]["verified"] == true);
  EXPECT(found["breakpoints"][0]["line"] == 12);
  EXPECT(client.asked(R"(breakpoint.set {"kind":"code","what":"0x1000"})"));
  EXPECT(client.asked(R"(breakpoint.set {"kind":"code","what":"0x2000"})"));
  loaded = false;
  const Json waits = client.body("setBreakpoints", {{"source", source}, {"breakpoints", {{{"line", 20}}}}});
  EXPECT(waits["breakpoints"][0]["verified"] == false);
  EXPECT(client.asked(R"(breakpoint.set {"kind":"event","what":"image-load"})"));
  const uint64_t watch = client.breakpoints;
  int runs = 0;
  client.api.answer_with("run", [&](const Json&) -> rpc::Answer {
    Json stop = test::stop(++runs == 1 ? "event" : "breakpoint", 5, 1);
    stop["breakpoints"] = {runs == 1 ? watch : watch + 1};
    loaded = true;
    return Json{{"stop", stop}};
  });
  (void)client.body("continue", {{"threadId", 1}});
  EXPECT(runs == 2);  // the image load was not shown
  REQUIRE(client.event("breakpoint") != nullptr);
  EXPECT((*client.event("breakpoint"))["body"]["breakpoint"]["verified"] == true);
  EXPECT(client.asked("breakpoint.remove {\"id\":" + std::to_string(watch) + "}"));
  EXPECT((*client.event("stopped"))["body"]["hitBreakpointIds"][0] == waits["breakpoints"][0]["id"]);
}

TEST_CASE("a log point prints and goes on", "[dap]") {
  Client client;
  client.api.answer("source.places", {{"line", 12}, {"places", {test::place(0x1000, "nt", "A")}}});
  client.api.answer("evaluate", {{"type", "integer"}, {"value", "5"}, {"number", "0x5"}});
  (void)client.body("setBreakpoints", {{"source", {{"path", "a.cpp"}}}, {"breakpoints", {{{"line", 12}, {"logMessage", "rax is {rax}."}}}}});
  int runs = 0;
  client.api.answer_with("run", [&](const Json&) -> rpc::Answer {
    Json stop = test::stop(++runs < 3 ? "breakpoint" : "end", 5, 1);
    if (runs < 3) stop["breakpoints"] = {1};
    return Json{{"stop", stop}};
  });
  (void)client.body("continue", {{"threadId", 1}});
  EXPECT(runs == 3);
  EXPECT(std::ranges::count_if(client.received, [](const Json& message) {
           return message.contains("event") && message["event"] == "output" && message["body"]["output"] == "rax is 5.\n";
         }) == 2);
}

TEST_CASE("data breakpoints: registers by their scope, memory by an expression or address", "[dap]") {
  Client client;
  client.api.answer("stack", {{"frames", {{{"index", 0}, {"vtl", 1}, {"ring", 0}, {"pc", test::place(0x1000, "nt", "A")}, {"sp", "0x2000"}, {"entered", "call"}, {"trusted", true}}}},
                              {"why", ""}});
  client.api.answer("registers", {{"registers", {{{"name", "cr3"}, {"value", "0x1000"}, {"bits", 64}, {"group", "general"}, {"shared", false}}}}, {"active", true}, {"enabled", true}});
  const uint64_t frame = client.body("stackTrace", {{"threadId", thread_of(0, 1)}})["stackFrames"][0]["id"].get<uint64_t>();
  const Json scopes = client.body("scopes", {{"frameId", frame}})["scopes"];
  EXPECT(scopes[0]["name"] == "Registers of VTL 1");
  EXPECT(scopes[1]["name"] == "Registers of VTL 0");
  const Json info = client.body("dataBreakpointInfo", {{"variablesReference", scopes[1]["variablesReference"]}, {"name", "cr3"}});
  EXPECT(info["dataId"] == "register cr3@0.0");
  client.api.answer("evaluate", {{"type", "integer"}, {"value", "4096"}, {"number", "0x1000"}});
  const Json memory = client.body("dataBreakpointInfo", {{"name", "nt!X"}, {"frameId", frame}});
  EXPECT(memory["dataId"] == "memory gva:0x1000+8@1");
  EXPECT(client.body("dataBreakpointInfo", {{"name", "0x1000"}, {"asAddress", true}, {"bytes", 16}, {"frameId", frame}})["dataId"] == "memory gva:0x1000+10@1");
  const Json set = client.body("setDataBreakpoints", {{"breakpoints", {{{"dataId", info["dataId"]}}, {{"dataId", memory["dataId"]}, {"accessType", "readWrite"}}, {{"dataId", "nonsense"}}}}});
  EXPECT(client.asked(R"(breakpoint.set {"kind":"register","what":"cr3","vp":0,"vtl":0})"));
  EXPECT(client.asked(R"(breakpoint.set {"kind":"access","what":"gva:0x1000+8","vtl":1})"));
  EXPECT(set["breakpoints"][2]["verified"] == false);
}

TEST_CASE("registers of both VTLs are variables; changing one makes a branch and says so", "[dap]") {
  Client client;
  client.api.answer("registers", {{"registers", {{{"name", "rax"}, {"value", "0x5"}, {"bits", 64}, {"group", "general"}, {"shared", true}}}}, {"active", true}, {"enabled", true}});
  client.api.answer("evaluate", {{"type", "integer"}, {"value", "6"}, {"number", "0x6"}});
  client.api.answer("branch.begin", {{"branch", "branch 1"}});
  client.api.answer("registers.write", {{"branch", "branch 1"}});
  const Json scopes = client.body("scopes", Json::object())["scopes"];
  const Json variables = client.body("variables", {{"variablesReference", scopes[0]["variablesReference"]}})["variables"];
  EXPECT(variables[0]["name"] == "rax");
  EXPECT(variables[0]["value"] == "0x0000000000000005");
  EXPECT(variables.size() == 8);  // and seven groups
  EXPECT(client.body("setVariable", {{"variablesReference", scopes[0]["variablesReference"]}, {"name", "rax"}, {"value", "6"}})["value"] == "0x6");
  EXPECT(client.asked(R"(registers.write {"name":"rax","value":"0x6","vtl":1,"vp":0})"));
  const Json* output = client.event("output");
  REQUIRE(output != nullptr);
  CHECK_THAT((*output)["body"]["output"].get<std::string>(), ContainsSubstring("A what-if branch begins here (branch 1)"));
  EXPECT(client.event("invalidated") != nullptr);
}

TEST_CASE("memory is what the VTL can read, and says what it cannot", "[dap]") {
  Client client;
  client.api.answer("memory.read", {{"parts", {{{"offset", 0}, {"length", 2}, {"state", "readable"}, {"bytes", "4142"}}, {{"offset", 2}, {"length", 6}, {"state", "denied"}, {"why", "x"}}}}});
  const Json body = client.body("readMemory", {{"memoryReference", "0x1000"}, {"offset", 16}, {"count", 8}});
  EXPECT(body["address"] == "0x1010");
  EXPECT(body["data"] == "QUI=");
  EXPECT(body["unreadableBytes"] == 6);
  client.api.answer("branch.begin", {{"branch", "branch 1"}});
  client.api.answer("memory.write", {{"branch", "branch 1"}});
  EXPECT(client.body("writeMemory", {{"memoryReference", "0x1000"}, {"data", "QUI="}})["bytesWritten"] == 2);
  EXPECT(client.asked(R"(memory.write {"space":"gva","address":"0x1000","bytes":"4142"})"));
  EXPECT(client.event("memory") != nullptr);
}

TEST_CASE("a disassembly has as many lines as were asked for, whatever is there", "[dap]") {
  Client client;
  const auto line = [](uint64_t address, bool current) {
    return Json{{"place", test::place(address, "nt", "A", address - 0x1000)}, {"bytes", "90"}, {"text", "nop"}, {"current", current}, {"breakpoints", Json::array()}};
  };
  client.api.answer_with("disassemble", [&](const Json& wanted) -> rpc::Answer {
    const uint64_t before = std::min<uint64_t>(wanted.contains("before") ? wanted["before"].get<uint64_t>() : 0, 2);  // no more is known
    Json lines = Json::array();
    for (uint64_t at = 0x1002 - before; at < 0x1002 + wanted["count"].get<uint64_t>(); ++at) lines.push_back(line(at, at == 0x1002));
    return Json{{"lines", lines}};
  });
  struct Row {
    int64_t from;
    uint64_t count, first_real, real;
    std::string at;
  };
  const Row row = GENERATE(values<Row>({{0, 3, 0, 3, "0x1002"}, {-1, 3, 0, 3, "0x1001"}, {-4, 6, 2, 4, "0x1000"}, {2, 2, 0, 2, "0x1004"}, {-4, 2, 2, 0, ""}}));
  const Json list = client.body("disassemble", {{"memoryReference", "0x1002"}, {"instructionOffset", row.from}, {"instructionCount", row.count}})["instructions"];
  REQUIRE(list.size() == row.count);
  for (uint64_t at = 0; at < row.count; ++at) EXPECT(list[at].contains("presentationHint") == (at < row.first_real || at >= row.first_real + row.real));
  if (row.real != 0) EXPECT(list[row.first_real]["address"] == row.at);
}

TEST_CASE("the debug console is the console, and moves the editor along", "[dap]") {
  Client client;
  client.api.answer("console", {{"output", "moved\n"}, {"stop", test::stop("step", 7, 0)}, {"ended", false}});
  EXPECT(client.body("evaluate", {{"expression", "t"}, {"context", "repl"}})["result"] == "moved\n");
  EXPECT(client.asked(R"(console {"line":"t"})"));
  EXPECT(client.event("stopped") != nullptr);
  client.api.answer("console.complete", {{"from", 3}, {"words", {"nt!KeBugCheckEx"}}});
  const Json targets = client.body("completions", {{"text", "bp nt!Ke"}, {"column", 9}})["targets"];
  EXPECT(targets[0]["label"] == "nt!KeBugCheckEx");
  EXPECT(targets[0]["start"] == 3);
  EXPECT(targets[0]["length"] == 5);
}

TEST_CASE("another client that moves the machine moves this one along", "[dap]") {
  Client client;
  client.api.notify("moved", test::stop("step", 9, 0));
  REQUIRE(client.event("stopped") != nullptr);
  client.api.notify("output", {{"text", "hello from the guest\n"}});
  CHECK_THAT((*client.event("output"))["body"]["output"].get<std::string>(), ContainsSubstring("hello"));
}

TEST_CASE("modules are told when they come and go", "[dap]") {
  Client client;
  client.api.answer("modules", {{"modules", {{{"name", "nt"}, {"file", "ntoskrnl.exe"}, {"base", "0x1000"}, {"size", "0x1000"}, {"vtl", 0}, {"symbols", "pdb"}}}}});
  client.api.answer("step", {{"stop", test::stop("step", 5, 0)}});
  (void)client.body("next", {{"threadId", 1}});
  REQUIRE(client.event("module") != nullptr);
  EXPECT((*client.event("module"))["body"]["reason"] == "new");
  EXPECT(client.body("modules", Json::object())["totalModules"] == 1);
  client.received.clear();
  client.api.answer("modules", {{"modules", Json::array()}});
  (void)client.body("next", {{"threadId", 1}});
  EXPECT((*client.event("module"))["body"]["reason"] == "removed");
}
